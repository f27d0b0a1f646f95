// Descriptors that are not ours alone: they are duplicated and waited for, and their flags stay as they are.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include <cordage/base/exceptions.hpp>
#include <cordage/standard_input.hpp>
#include <cordage/watched_descriptor.hpp>

namespace cordage {
namespace {

detail::file_descriptor duplicate_of(int fd, const char* what) {
  const int made = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (made < 0) detail::throw_exception<std::system_error>(what, errno, std::system_category(), what);
  return detail::file_descriptor(made);
}

class the_input final : public detail::descriptor {
 public:
  using descriptor::descriptor;
  std::string leads_to() const override { return "standard input"; }
};

}  // namespace

standard_input::standard_input()
    : descriptor_(std::make_unique<the_input>(duplicate_of(STDIN_FILENO, "cordage: standard input"))) {}

watched_descriptor::watched_descriptor(int fd)
    : descriptor_(std::make_unique<detail::descriptor>(duplicate_of(fd, "cordage: a descriptor to watch"))) {}

}  // namespace cordage
