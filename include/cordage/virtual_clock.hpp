// A clock that tests replace the real one with: time passes only while nothing else can be done, and then at once.
//
//   virtual_clock clock;
//   run(program(), {.clock = &clock});       // a program that sleeps for a year ends in a moment
//   EXPECT_EQ(clock.now().time_since_epoch(), 365 * 24h);
//
// Time stands still while a strand is ready to go on. When none is, and the backend, asked once more, has no event
// either, the clock jumps to the nearest deadline of a timer, exactly, and what waits for that goes on; timers of the
// same deadline fire in the order in which they were started. Nothing sleeps for real. Without timers the worker waits
// for events and other threads as ever. So a program in which nothing comes from outside takes the same course each
// time. What does come from outside is late by however far the clock has jumped before: a thread that takes a
// millisecond to answer loses against any sleep.
//
// A loop that is always ready, yield_now until some time has come, waits for ever: sleep in it.
#pragma once

#include <chrono>

#include <cordage/base/atomic.hpp>

namespace cordage {

namespace detail {
class timer_wheel;
}

// Outlives the runtime whose runtime_options name it; of one runtime at a time. It keeps its time from one to the next.
class virtual_clock {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  // The default, the beginning of time, is the same in every run. Not before that.
  explicit virtual_clock(time_point begins_at = {}) noexcept : now_(begins_at.time_since_epoch().count()) {}
  virtual_clock(const virtual_clock&) = delete;
  virtual_clock& operator=(const virtual_clock&) = delete;

  // Any thread.
  time_point now() const noexcept {
    return time_point(time_point::duration(now_.load(detail::memory_order_relaxed)));
  }

 private:
  friend class detail::timer_wheel;
  void set(time_point to) noexcept { now_.store(to.time_since_epoch().count(), detail::memory_order_relaxed); }

  // Nanoseconds, never fewer than before; written by the worker. Relaxed: it publishes nothing but itself.
  detail::atomic<time_point::rep> now_;
};

}  // namespace cordage
