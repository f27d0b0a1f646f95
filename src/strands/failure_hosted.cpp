#include <cordage/failure.hpp>

namespace cordage {

std::string failure::message() const {
  if (exception_ == nullptr) return error_.message();
  std::string text = "an exception that is no std::exception";
  detail::catching_special<std::exception>([&] { std::rethrow_exception(exception_); },
                                           [&](std::exception& e) { text = e.what(); }, [](std::exception_ptr) {});
  return text;
}

}  // namespace cordage
