#include <unistd.h>

#include <cerrno>
#include <memory>
#include <system_error>
#include <utility>

#include <cordage/base/exceptions.hpp>
#include <cordage/standard_input.hpp>

namespace cordage {

standard_input::standard_input() {
  auto duplicate = detail::file_descriptor::duplicate_of(STDIN_FILENO);
  constexpr const char* what = "cordage: standard input";
  if (!duplicate) detail::throw_exception<std::system_error>(what, errno, std::system_category(), what);
  descriptor_ = std::make_unique<detail::descriptor>(std::move(duplicate), detail::destination{.word = "standard input"});
}

}  // namespace cordage
