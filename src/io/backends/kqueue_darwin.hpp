// The kqueue backend: every descriptor is registered once, with both filters, each of which tells only of news (EV_CLEAR).
//
// Source: kqueue(2) of macOS.
#pragma once

#include <cstdint>

#include <cordage/base/file_descriptor.hpp>

#include "io/backends/readiness.hpp"

struct kevent;

namespace cordage::detail {

class kqueue_backend final : public readiness_backend {
 public:
  // Throws std::system_error.
  kqueue_backend();

  void poll(time_point deadline) noexcept override;
  void unpark() noexcept override;
  std::string_view name() const noexcept override { return name_of(backend_kind::kqueue); }

 private:
  error enroll(descriptor& d, std::uint64_t tag) noexcept override;
  void dismiss(descriptor& d) noexcept override;
  int wait(struct kevent* events, int capacity, time_point deadline) noexcept;
  void dispatch(descriptor& d, const struct kevent& event) noexcept;

  file_descriptor queue_;
};

}  // namespace cordage::detail
