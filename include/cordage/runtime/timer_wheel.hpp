// A hierarchical timing wheel: starting and cancelling a timer take constant time, however many there are.
//
// Belongs to one worker. Time is cut into ticks of 65.536 microseconds; a timer fires in the first tick that begins
// at or after its deadline, never before. Level 0 has a slot per tick; a slot of each further level is as long as the
// whole level below it. A timer sits at the level of the highest bits in which its tick differs from the current one,
// and moves down when its slot is reached: at most once per level.
//
// With a virtual clock (virtual_clock.hpp) a tick is one nanosecond, so that timers fire at their deadlines exactly and
// in their order; time is then moved by jump, which never skips one.
//
// Source: Varghese and Lauck, Hashed and Hierarchical Timing Wheels, SOSP 1987, scheme 7.
#pragma once

#include <cstddef>
#include <cstdint>

#include <cordage/base/intrusive_list.hpp>
#include <cordage/strands/clock.hpp>
#include <cordage/virtual_clock.hpp>

namespace cordage::detail {

class timer_wheel final : public clock {
 public:
  // The virtual clock outlives the wheel; null for the steady clock of the system.
  explicit timer_wheel(virtual_clock* replaced_by = nullptr) noexcept;

  time_point now() noexcept override;
  void start(timer& t) noexcept override;
  bool cancel(timer& t) noexcept override;

  // When advance will next have something to do; time_point::max() without timers. Not later than the nearest deadline
  // plus one tick.
  time_point next() noexcept;

  // Fires what is due at `at`.
  void advance(time_point at) noexcept;

  // How many timers there are; walks through all of them.
  std::size_t count() noexcept;

  bool is_virtual() const noexcept { return virtual_ != nullptr; }

  // Of a virtual clock: moves it to the nearest deadline and fires what is due then. False without timers.
  bool jump() noexcept;

 private:
  using tick = std::uint64_t;
  static constexpr unsigned slot_bits = 6;
  static constexpr unsigned slots = 1U << slot_bits;
  static constexpr unsigned levels = (63 + slot_bits - 1) / slot_bits;  // enough for ticks of a nanosecond

  struct position {
    unsigned level;
    unsigned slot;
    tick at;  // when it is reached
  };

  void place(timer& t) noexcept;
  bool find_next(position& found) noexcept;
  bool reach(const position& where) noexcept;

  virtual_clock* const virtual_;
  const unsigned tick_bits_;  // nanoseconds per tick, as a power of two
  tick current_;
  std::uint64_t occupied_[levels] = {};  // a bit per slot; may be set for a slot that cancelling has emptied
  intrusive_list<timer> timers_[levels][slots];
  intrusive_list<timer> never_;  // those at the end of time, which does not come
};

}  // namespace cordage::detail
