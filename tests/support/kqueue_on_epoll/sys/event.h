// kqueue(2) of macOS, as far as src/io/backends/kqueue_darwin.cpp uses it, by means of epoll: so that the tests execute
// that file on Linux. The two filters of a descriptor are registered apart, so that what happens in one direction is no event
// in the other.
//
// It differs from macOS, knowingly, in this:
// - Regular files and devices that are no terminals are refused with EPERM; macOS gives events for regular files, and
//   says EINVAL of such devices.
// - `data` and `fflags` of an event are 0: how much there is and which error it was, the system call that follows tells.
// - Every change has to say EV_CLEAR, as epoll's edges are all that there is. New bytes make an event where macOS has one
//   too; whether several make one or more is not the same.
// - A registration outlives the closing of a descriptor if a duplicate or a child keeps the file open.
// - A send buffer counts as having room when a third of it is free, on macOS when there are SO_SNDLOWAT bytes.
// - A duplicate of the queue is not one, so its number is never 0, 1 or 2, which the library moves away from.
// - The queue's parts are released when the next queue is made, not when it is closed.
#pragma once

#include <time.h>

#include <cstdint>

struct kevent {
  std::uintptr_t ident;
  std::int16_t filter;
  std::uint16_t flags;
  std::uint32_t fflags;
  std::intptr_t data;
  void* udata;
};

inline constexpr std::int16_t EVFILT_READ = -1;
inline constexpr std::int16_t EVFILT_WRITE = -2;
inline constexpr std::int16_t EVFILT_USER = -10;
inline constexpr std::uint16_t EV_ADD = 0x0001;
inline constexpr std::uint16_t EV_DELETE = 0x0002;
inline constexpr std::uint16_t EV_CLEAR = 0x0020;
inline constexpr std::uint16_t EV_RECEIPT = 0x0040;
inline constexpr std::uint16_t EV_ERROR = 0x4000;
inline constexpr std::uint16_t EV_EOF = 0x8000;
inline constexpr std::uint32_t NOTE_TRIGGER = 0x01000000;

inline void EV_SET(struct kevent* event, std::uintptr_t ident, std::int16_t filter, std::uint16_t flags,
                   std::uint32_t fflags, std::intptr_t data, void* udata) noexcept {
  *event = {ident, filter, flags, fflags, data, udata};
}

// One thread makes and waits; others, and signal handlers, may trigger user events.
int kqueue() noexcept;
int kevent(int queue, const struct kevent* changes, int change_count, struct kevent* events, int event_count,
           const timespec* timeout) noexcept;
