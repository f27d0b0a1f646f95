// An open descriptor, what is known about its readiness, and the operations that wait for it.
//
// It belongs to one worker at a time: the one whose strand first had to wait for it, until it is closed or that
// worker's backend is destroyed. It stays where it is; streams and listeners point to it.
#pragma once

#include <cstdint>

#include <cordage/base/file_descriptor.hpp>
#include <cordage/base/intrusive_list.hpp>
#include <cordage/base/intrusive_queue.hpp>
#include <cordage/io/destination.hpp>
#include <cordage/io/io_operation.hpp>

namespace cordage::detail {

class backend;

class descriptor final : public list_hook<descriptor> {
 public:
  explicit descriptor(file_descriptor opened, const destination& to = {}) noexcept : fd(std::move(opened)), leads_to(to) {}
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  // Operations that still wait complete with errc::closed.
  ~descriptor();

  file_descriptor fd;

  // Readiness as far as it is known: true means that it is worth an attempt. Cleared by an attempt that found nothing,
  // and by a read that was shorter than what it asked for; set by the backend.
  bool readable = true;
  bool writable = true;
  // The peer will send no more, or there was an error: then no further event will come, and nothing clears readable.
  bool ended = false;

  // What is sent goes to the backend even if it could be sent at once, since others send, too, and it is cheaper together.
  bool sends_together = false;

  intrusive_queue<io_operation> readers;
  intrusive_queue<io_operation> writers;

  // Whether bytes were received or sent since somebody cleared it, and for how many looks in a row they were not: for whoever
  // ends connections that are idle.
  bool active = true;
  std::uint8_t idle_looks = 0;

  // The backend's own: where it registered the descriptor, and under which index.
  backend* registered_with = nullptr;
  std::uint32_t index = 0;

  const destination leads_to;
};

// Tries the operation without waiting; true if it is complete. Defined per system.
bool attempt(io_operation& op) noexcept;

inline bool is_worth_an_attempt(const descriptor& d, io_kind kind) noexcept {
  return waits_to_read(kind) ? d.readable : d.writable && !d.sends_together;
}

// Worth an attempt, and complete.
inline bool attempt_if_ready(io_operation& op) noexcept {
  if (op.on != nullptr && !is_worth_an_attempt(*op.on, op.kind)) return false;
  return attempt(op);
}

}  // namespace cordage::detail
