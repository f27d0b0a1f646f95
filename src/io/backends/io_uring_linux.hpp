// The io_uring backend: bytes are received into and sent from the memory of whoever waits, by the kernel; for everything
// else it is asked, once per wait, when an attempt is worthwhile.
//
// The first operation in each direction of a descriptor is the kernel's, and the others stand in line behind it. What
// begins in a worker's turns is handed over together, and so are its answers: a request and its answer are two operations
// but hardly a system call.
//
// Source: io_uring(7), io_uring_enter(2).
#pragma once

#include <cstdint>
#include <memory>
#include <system_error>
#include <vector>

#include <cordage/io/backend.hpp>
#include <cordage/strands/executor.hpp>

#include "io/backends/ring_linux.hpp"
#include "io/backends/wake_event_linux.hpp"

namespace cordage::detail {

class io_uring_backend final : public backend {
 public:
  // Null where the system refuses, with its reason.
  static std::unique_ptr<io_uring_backend> open(std::error_code& refusal);
  io_uring_backend(const io_uring_backend&) = delete;
  io_uring_backend& operator=(const io_uring_backend&) = delete;
  // Descriptors that are still open are let go of, and may be used by another backend.
  ~io_uring_backend() override;

  bool submit(io_operation& op) noexcept override;
  cancel_result cancel(io_operation& op) noexcept override;
  void forget(descriptor& d) noexcept override;
  void poll(time_point deadline) noexcept override;
  void unpark() noexcept override { wakes_.ring(); }
  bool waits_for_events() const noexcept override;
  std::string_view name() const noexcept override { return name_of(backend_kind::io_uring); }

 private:
  io_uring_backend() = default;

  void settle(descriptor& d);
  void hand_over(io_operation& op) noexcept;
  void hand_over_first(intrusive_queue<io_operation>& waiting) noexcept;
  void take_answers() noexcept;
  void take_answer(const io_uring_cqe& answer) noexcept;
  bool is_complete(io_operation& op, const io_uring_cqe& answer) noexcept;
  void watch_for_wakes() noexcept;
  void close_all(intrusive_queue<io_operation>& waiting) noexcept;

  ring ring_;
  wake_event wakes_;
  bool watches_for_wakes_ = false;
  bool are_many_ = false;                   // the answers that are being taken
  const io_operation* unwanted_ = nullptr;  // what is being cancelled, until the kernel's last word about it
  bool was_withdrawn_ = false;
  std::vector<descriptor*> tenants_;
};

}  // namespace cordage::detail
