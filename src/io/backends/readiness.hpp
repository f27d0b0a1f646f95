// What epoll and kqueue have in common, which both tell when a descriptor is worth an attempt: the descriptors that are
// registered, and the operations that wait for them. A backend of this kind adds the system calls.
//
// Readiness is remembered in the descriptor; an operation is attempted when it is submitted, and again when an edge
// says that it may succeed. Measured against re-arming per wait, which costs 9% to 48% of the CPU per message.
#pragma once

#include <cstdint>
#include <vector>

#include <cordage/io/backend.hpp>

#include "io/backends/waiting_operations.hpp"

namespace cordage::detail {

class readiness_backend : public backend {
 public:
  readiness_backend(const readiness_backend&) = delete;
  readiness_backend& operator=(const readiness_backend&) = delete;
  // Descriptors that are still open are let go of, and may be used by another backend.
  ~readiness_backend() override;

  bool submit(io_operation& op) noexcept final;
  cancel_result cancel(io_operation& op) noexcept final;
  void forget(descriptor& d) noexcept final;
  bool waits_for_events() const noexcept final;

 protected:
  readiness_backend() = default;

  // Registers it once, for both directions, edge-triggered; its events carry the tag. What is ready by then is reported
  // at once, so nothing is lost between the last attempt and this. Gives the system's error.
  virtual error enroll(descriptor& d, std::uint64_t tag) noexcept = 0;
  // No event of it will come from now on.
  virtual void dismiss(descriptor& d) noexcept = 0;

  // Whom an event is for. Null: it was on its way when its descriptor was closed.
  descriptor* tenant_of(std::uint64_t tag) const noexcept {
    const slot& home = slots_[static_cast<std::uint32_t>(tag)];
    return home.generation == tag >> 32 ? home.tenant : nullptr;
  }

  static void now_readable(descriptor& d) noexcept {
    d.readable = true;
    serve(d.readers);
  }
  static void now_writable(descriptor& d) noexcept {
    d.writable = true;
    serve(d.writers);
  }

  // Throws std::system_error with errno.
  [[noreturn]] static void refused(const char* what);

 private:
  // What an event carries is an index into slots_ and the slot's generation, so that an event which was on its way
  // when its descriptor was closed is told from one of the slot's next tenant.
  struct slot {
    descriptor* tenant = nullptr;
    std::uint32_t generation = 0;
  };

  bool settle(descriptor& d, error& failure) noexcept;

  // Attempts what waits, in its order, and wakes whoever waited for what is complete.
  static void serve(intrusive_queue<io_operation>& waiting) noexcept {
    while (!waiting.empty() && attempt_if_ready(*waiting.front())) finish_first(waiting);
  }

  std::vector<slot> slots_;
  std::vector<std::uint32_t> free_slots_;
};

}  // namespace cordage::detail
