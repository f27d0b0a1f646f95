// An owning file descriptor: closed exactly once.
//
// Any thread. Moving leaves the source empty. Closing never retries on EINTR: on Linux the number is free by then.
//
// It is never 0, 1 or 2: in a program that was started without one of its standard streams, what is written to that stream
// would reach whoever is connected.
#pragma once

#include <utility>

namespace cordage::detail {

class file_descriptor {
 public:
  file_descriptor() noexcept = default;
  // What is one of these three is moved away from there.
  explicit file_descriptor(int fd) noexcept : fd_(fd >= 0 && fd <= last_standard ? above_standard(fd) : fd) {}
  // Another one for the same open file, which programs started by this one do not inherit; empty with errno.
  static file_descriptor duplicate_of(int fd) noexcept;
  file_descriptor(file_descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  file_descriptor& operator=(file_descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~file_descriptor() { reset(); }

  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  int release() noexcept { return std::exchange(fd_, -1); }
  void reset() noexcept;

 private:
  static constexpr int last_standard = 2;
  static int above_standard(int fd) noexcept;

  int fd_ = -1;
};

}  // namespace cordage::detail
