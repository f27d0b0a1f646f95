#include <bit>

#include <cordage/runtime/timer_wheel.hpp>
#include <cordage/strands/executor.hpp>

namespace cordage::detail {
namespace {

std::uint64_t nanoseconds(time_point at) noexcept {
  const auto count = at.time_since_epoch().count();
  return count < 0 ? 0 : static_cast<std::uint64_t>(count);
}

}  // namespace

timer_wheel::timer_wheel(virtual_clock* replaced_by) noexcept
    : virtual_(replaced_by), tick_bits_(replaced_by == nullptr ? 16 : 0), current_(nanoseconds(now()) >> tick_bits_) {}

time_point timer_wheel::now() noexcept {
  return virtual_ == nullptr ? time_point(std::chrono::steady_clock::now()) : virtual_->now();
}

void timer_wheel::start(timer& t) noexcept {
  // Also what lies so near to it that its tick would begin after it.
  if (t.deadline > time_point::max() - std::chrono::nanoseconds(tick{1} << tick_bits_)) [[unlikely]]
    return never_.push_back(t);
  place(t);
}

// The slot's bit stays; find_next clears it when it looks.
bool timer_wheel::cancel(timer& t) noexcept {
  if (!t.linked()) return false;
  t.unlink();
  return true;
}

void timer_wheel::place(timer& t) noexcept {
  // The first tick that begins at or after the deadline; one that is past fires at the next opportunity.
  const tick due = (nanoseconds(t.deadline) + (tick{1} << tick_bits_) - 1) >> tick_bits_;
  const tick at = due > current_ ? due : current_ + 1;
  const tick differing = (at ^ current_) | (slots - 1);
  const unsigned level = (63U - static_cast<unsigned>(std::countl_zero(differing))) / slot_bits;
  const unsigned slot = static_cast<unsigned>(at >> (level * slot_bits)) & (slots - 1);
  occupied_[level] |= std::uint64_t{1} << slot;
  timers_[level][slot].push_back(t);
}

// The lowest level with a timer has the nearest one: its timers share more leading bits with the current tick than
// those of any level above, and within a level all slots in use lie ahead.
bool timer_wheel::find_next(position& found) noexcept {
  for (unsigned level = 0; level < levels; ++level) {
    while (occupied_[level] != 0) {
      const auto slot = static_cast<unsigned>(std::countr_zero(occupied_[level]));
      if (timers_[level][slot].empty()) {
        occupied_[level] &= occupied_[level] - 1;
        continue;
      }
      const unsigned shift = level * slot_bits;
      const tick above = (current_ >> shift) & ~tick{slots - 1};
      found = {level, slot, (above | slot) << shift};
      return true;
    }
  }
  return false;
}

time_point timer_wheel::next() noexcept {
  position nearest;
  if (!find_next(nearest)) return time_point::max();
  return time_point(std::chrono::nanoseconds(nearest.at << tick_bits_));
}

void timer_wheel::advance(time_point at) noexcept {
  const tick target = nanoseconds(at) >> tick_bits_;
  for (position nearest; find_next(nearest) && nearest.at <= target;) reach(nearest);
  if (target > current_) current_ = target;
}

std::size_t timer_wheel::count() noexcept {
  std::size_t found = 0;
  for (auto& level : timers_) {
    for (auto& slot : level) slot.for_each([&](timer&) { ++found; });
  }
  never_.for_each([&](timer&) { ++found; });
  return found;
}

// Timers that only move down are a step on the way, and the clock does not show it.
bool timer_wheel::jump() noexcept {
  for (position nearest; find_next(nearest);) {
    if (!reach(nearest)) continue;
    virtual_->set(time_point(std::chrono::nanoseconds(current_ << tick_bits_)));
    return true;
  }
  return false;
}

// Timers of level 0 fire; those of a level above move down, now that the time is near enough to tell them apart. A
// timer whose own tick is the one just reached is due as well. All of one tick are in one slot, in the order in which
// they were started. True if any fired.
bool timer_wheel::reach(const position& where) noexcept {
  current_ = where.at;
  occupied_[where.level] &= ~(std::uint64_t{1} << where.slot);
  bool fired = false;
  timers_[where.level][where.slot].for_each([&](timer& t) {
    t.unlink();
    const bool due = where.level == 0 || nanoseconds(t.deadline) <= (current_ << tick_bits_);
    if (due) {
      wake(*t.waiter);
      fired = true;
    } else {
      place(t);
    }
  });
  return fired;
}

}  // namespace cordage::detail
