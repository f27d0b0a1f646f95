#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include <cordage/base/file_descriptor.hpp>

namespace cordage::detail {

void file_descriptor::reset() noexcept {
  // The answer of close is not an error anybody could act on: the number is released whatever it says.
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

file_descriptor file_descriptor::duplicate_of(int fd) noexcept {
  return file_descriptor(::fcntl(fd, F_DUPFD_CLOEXEC, last_standard + 1));
}

// Where there is no descriptor left, that is the failure, as if it had not been opened.
int file_descriptor::above_standard(int fd) noexcept {
  const int moved = duplicate_of(fd).release();
  const int saved_errno = errno;
  ::close(fd);
  errno = saved_errno;
  return moved;
}

}  // namespace cordage::detail
