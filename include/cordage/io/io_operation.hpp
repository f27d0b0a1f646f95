// What a backend is asked to do: one operation on one descriptor, described by data so that a readiness backend can
// attempt it and a completion backend can submit it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include <cordage/context/resumable.hpp>
#include <cordage/result.hpp>

namespace cordage::detail {

class descriptor;

enum class io_kind : std::uint8_t {
  receive,          // at least one byte, or the end, from a socket
  receive_exactly,  // all of the buffer from a socket
  read,             // at least one byte, or the end, from a pipe
  read_shared,      // the same from what other processes may use as well, and which therefore is not made non-blocking
  until_readable,   // that reading is worth an attempt; nothing is transferred
  send,             // at least one byte
  send_all,         // all of the buffer
  until_writable,
  accept,           // one connection
  connect,          // the end of a connection's establishment
};

// Which of a descriptor's two directions an operation waits for.
constexpr bool waits_to_read(io_kind kind) noexcept { return kind < io_kind::send || kind == io_kind::accept; }

// What users call it.
constexpr const char* public_name(io_kind kind) noexcept {
  switch (kind) {
    case io_kind::receive: return "read_some";
    case io_kind::receive_exactly: return "read_exactly";
    case io_kind::read: return "read";
    case io_kind::read_shared: return "read_some";
    case io_kind::until_readable: return "readable";
    case io_kind::send: return "write_some";
    case io_kind::send_all: return "write_all";
    case io_kind::until_writable: return "writable";
    case io_kind::accept: return "accept";
    case io_kind::connect: break;
  }
  return "connect";
}

// Owned by its caller, and stays where it is from submit to its completion.
struct io_operation {
  io_kind kind;
  bool pending = false;  // a backend holds it
  descriptor* on;        // null: the stream had been closed, the operation fails
  std::byte* buffer = nullptr;  // what sending reads is not written to; accept: for the peer's address, or null
  std::size_t length = 0;
  std::size_t transferred = 0;
  int accepted = -1;  // accept: the new descriptor
  error failure{};
  resumable* waiter = nullptr;   // woken at completion
  io_operation* next = nullptr;  // of the descriptor's queue

  io_operation(io_kind what, descriptor* where, std::byte* bytes = nullptr, std::size_t count = 0) noexcept
      : kind(what), on(where), buffer(bytes), length(count) {}
};

// How many bytes a system call is asked for next. Neither macOS nor io_uring counts further than an int.
inline std::size_t asked_for_next(const io_operation& op) noexcept {
  return std::min(op.length - op.transferred, std::size_t{1} << 30);
}

}  // namespace cordage::detail
