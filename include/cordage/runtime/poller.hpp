// What a worker sleeps in: the part of a backend (io/backend.hpp) that the runtime knows.
#pragma once

#include <memory>
#include <string_view>

#include <cordage/strands/clock.hpp>

namespace cordage {

// How I/O is done. `automatic`: on Linux io_uring, or epoll where the system refuses that (which it is, too, where io_uring is
// asked for, after a line on standard error); kqueue on macOS.
enum class backend_kind { automatic, epoll, io_uring, kqueue };

namespace detail {

// As CORDAGE_BACKEND and the programs' options have it.
constexpr std::string_view name_of(backend_kind kind) noexcept {
  switch (kind) {
    case backend_kind::automatic: break;
    case backend_kind::epoll: return "epoll";
    case backend_kind::io_uring: return "io_uring";
    case backend_kind::kqueue: return "kqueue";
  }
  return "auto";
}

class poller {
 public:
  virtual ~poller() = default;

  // Waits until something happened or the deadline has passed, time_point::min() meaning not at all and
  // time_point::max() for ever. Wakes the nodes of what completed; calls no `run`. The worker's thread.
  virtual void poll(time_point deadline) noexcept = 0;

  // Ends a poll that is waiting, or the next one. From anywhere, a signal handler included.
  virtual void unpark() noexcept = 0;

  // Whether any operation waits here for something to happen outside. The worker's thread; looks at every descriptor.
  virtual bool waits_for_events() const noexcept = 0;

  // As it stands in backend_kind.
  virtual std::string_view name() const noexcept = 0;

  // Whether the system has yet to be told of something that was begun, which a poll does.
  bool keeps_something_back() const noexcept { return keeps_something_back_; }

 protected:
  bool keeps_something_back_ = false;
};

// The layer above defines it, once per system (src/io/backends/select_*.cpp). Throws std::system_error when the system
// refuses, and std::invalid_argument where it has no such backend.
std::unique_ptr<poller> make_poller(backend_kind kind);

// For make_poller: throws that, and names what there is instead.
[[noreturn]] void no_such_backend(backend_kind asked, std::string_view there_is);

}  // namespace detail
}  // namespace cordage
