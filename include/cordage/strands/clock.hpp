// The contract of clocks: what time it is, and waking a node when a time has come.
//
// The runtime's own is the steady clock, or a virtual one in tests, with a timer wheel per worker
// (runtime/timer_wheel.hpp). All functions are called on the executor that gave the clock.
#pragma once

#include <chrono>

#include <cordage/base/intrusive_list.hpp>
#include <cordage/context/resumable.hpp>

namespace cordage::detail {

using time_point = std::chrono::time_point<std::chrono::steady_clock, std::chrono::nanoseconds>;

// The end of time where there is no such time.
inline time_point later(time_point now, std::chrono::nanoseconds by) noexcept {
  return by > time_point::max() - now ? time_point::max() : now + by;
}

// Lives where the waiter waits. It is started when it is linked, and withdraws itself when it is destroyed.
struct timer : list_hook<timer> {
  time_point deadline{};
  resumable* waiter = nullptr;
};

class clock {
 public:
  virtual time_point now() noexcept = 0;
  // Wakes t.waiter once t.deadline has come, never before.
  virtual void start(timer& t) noexcept = 0;
  // False if the timer has fired already.
  virtual bool cancel(timer& t) noexcept = 0;

 protected:
  ~clock() = default;
};

}  // namespace cordage::detail
