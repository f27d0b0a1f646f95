#include <cerrno>
#include <memory>
#include <system_error>
#include <utility>

#include <cordage/base/exceptions.hpp>
#include <cordage/watched_descriptor.hpp>

namespace cordage {

watched_descriptor::watched_descriptor(int fd) {
  auto duplicate = detail::file_descriptor::duplicate_of(fd);
  constexpr const char* what = "cordage: a descriptor to watch";
  if (!duplicate) detail::throw_exception<std::system_error>(what, errno, std::system_category(), what);
  descriptor_ = std::make_unique<detail::descriptor>(std::move(duplicate));
}

}  // namespace cordage
