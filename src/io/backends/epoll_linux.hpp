// The epoll backend: every descriptor is registered once, edge-triggered, for both directions.
//
// Source: epoll(7), epoll_pwait2(2).
#pragma once

#include <cstdint>

#include <cordage/base/file_descriptor.hpp>

#include "io/backends/readiness.hpp"
#include "io/backends/wake_event_linux.hpp"

namespace cordage::detail {

class epoll_backend final : public readiness_backend {
 public:
  // Throws std::system_error.
  epoll_backend();

  void poll(time_point deadline) noexcept override;
  void unpark() noexcept override { wakes_.ring(); }
  std::string_view name() const noexcept override { return name_of(backend_kind::epoll); }

 private:
  error enroll(descriptor& d, std::uint64_t tag) noexcept override;
  void dismiss(descriptor& d) noexcept override;
  int wait(void* events, int capacity, time_point deadline) noexcept;
  void dispatch(descriptor& d, std::uint32_t events) noexcept;

  file_descriptor epoll_;
  wake_event wakes_;
};

}  // namespace cordage::detail
