#include <unistd.h>

#include <cordage/base/file_descriptor.hpp>

namespace cordage::detail {

void file_descriptor::reset() noexcept {
  // The answer of close is not an error anybody could act on: the number is released whatever it says.
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

}  // namespace cordage::detail
