// What unpark rings: an eventfd, which is watched for edges. Every ring is a new edge, so it is never read.
//
// Source: eventfd(2).
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include <cordage/base/file_descriptor.hpp>

namespace cordage::detail {

class wake_event {
 public:
  // Empty with errno where the system refuses one.
  wake_event() noexcept : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

  explicit operator bool() const noexcept { return static_cast<bool>(fd_); }
  int fd() const noexcept { return fd_.get(); }

  // Any thread, and signal handlers.
  void ring() noexcept {
    const int saved_errno = errno;
    const std::uint64_t one = 1;
    // EAGAIN, the only failure, would mean that the counter is full: then the worker has been told often enough.
    [[maybe_unused]] const auto written = ::write(fd_.get(), &one, sizeof one);
    errno = saved_errno;
  }

 private:
  file_descriptor fd_;
};

}  // namespace cordage::detail
