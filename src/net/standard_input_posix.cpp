#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include <cordage/base/exceptions.hpp>
#include <cordage/standard_input.hpp>

namespace cordage {
namespace {

class the_input final : public detail::descriptor {
 public:
  using descriptor::descriptor;
  std::string leads_to() const override { return "standard input"; }
};

}  // namespace

standard_input::standard_input() {
  auto duplicate = detail::file_descriptor::duplicate_of(STDIN_FILENO);
  constexpr const char* what = "cordage: standard input";
  if (!duplicate) detail::throw_exception<std::system_error>(what, errno, std::system_category(), what);
  descriptor_ = std::make_unique<the_input>(std::move(duplicate));
}

}  // namespace cordage
