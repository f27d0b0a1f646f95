#include <cordage/sync/race.hpp>

#include <functional>

namespace cordage::detail {

// Acquire-release everywhere: who loses a race sees what the winner did before, as with a lock.
bool race::become(state next) noexcept {
  state expected = state::open;
  while (!word_.compare_exchange_weak(expected, next, memory_order_acq_rel, memory_order_acquire)) {
    if (expected == state::decided) return false;
    expected = state::open;  // it is held, for some instructions
  }
  return true;
}

bool race::decide() noexcept { return become(state::decided); }

// The one at the lower address is held while the other is asked: so nobody waits in a circle.
race::outcome race::claim_with(race& other) noexcept {
  const bool this_first = std::less<race*>()(this, &other);
  race& first = this_first ? *this : other;
  race& second = this_first ? other : *this;
  if (!first.become(state::held)) return this_first ? outcome::one_lost : outcome::other_lost;
  const bool both = second.decide();
  first.word_.store(both ? state::decided : state::open, memory_order_release);
  if (both) return outcome::won;
  return this_first ? outcome::other_lost : outcome::one_lost;
}

}  // namespace cordage::detail
