#include <cordage/sync/race.hpp>

namespace cordage::detail {

// Acquire-release everywhere: who loses a race sees what the winner did before, as with a lock.
bool race::decide() noexcept {
  state expected = state::open;
  while (!word_.compare_exchange_weak(expected, state::decided, memory_order_acq_rel, memory_order_acquire)) {
    if (expected == state::decided) return false;
    expected = state::open;  // it is held, for some instructions
  }
  return true;
}

// Two that hold their own and ask for each other's let go and try again, so neither waits for ever.
race::outcome race::claim_with(race& other) noexcept {
  for (;;) {
    state expected = state::open;
    if (!word_.compare_exchange_weak(expected, state::held, memory_order_acq_rel, memory_order_acquire)) {
      if (expected == state::decided) return outcome::one_lost;
      continue;
    }
    expected = state::open;
    if (other.word_.compare_exchange_strong(expected, state::decided, memory_order_acq_rel, memory_order_acquire)) {
      word_.store(state::decided, memory_order_release);
      return outcome::won;
    }
    word_.store(state::open, memory_order_release);
    if (expected == state::decided) return outcome::other_lost;
  }
}

}  // namespace cordage::detail
