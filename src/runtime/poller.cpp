#include <stdexcept>
#include <string>

#include <cordage/base/exceptions.hpp>
#include <cordage/runtime/poller.hpp>

namespace cordage::detail {

void no_such_backend(backend_kind asked, std::string_view there_is) {
  throw_exception<std::invalid_argument>(
      "the backend that was asked for is not one of this system's",
      "cordage: this system has no " + std::string(name_of(asked)) + "; " + std::string(there_is));
}

}  // namespace cordage::detail
