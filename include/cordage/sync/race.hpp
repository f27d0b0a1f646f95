// What lets one of several waits go first and the others not at all: the alternatives of a select.
//
// Whoever would complete such a wait, from any thread, claims its race before taking anything away. Where two that race
// meet, a send and a receive that are alternatives of two selects, both races are claimed or neither is: one is held for a
// moment while the other is asked, as in Reppy, Russo and Xiao, "Parallel Concurrent ML", ICFP 2009, but in the order of their
// addresses, so that nobody has to let go and try again.
#pragma once

#include <cordage/base/atomic.hpp>
#include <cordage/base/config.hpp>

namespace cordage::detail {

class race {
 public:
  enum class outcome : unsigned char {
    won,         // both were open, and are decided now
    one_lost,    // the first had been decided
    other_lost,  // the second had been decided
    itself,      // they are the same: two alternatives of one select do not serve each other
  };

  // Null stands for a wait that does not race.
  static bool claim(race* of) noexcept { return of == nullptr || of->decide(); }
  static bool is_lost(const race* of) noexcept {
    // Acquire: as where it is claimed.
    return of != nullptr && of->word_.load(memory_order_acquire) == state::decided;
  }
  static outcome claim_both(race* one, race* other) noexcept {
    if (one == nullptr) return claim(other) ? outcome::won : outcome::other_lost;
    if (other == nullptr) return claim(one) ? outcome::won : outcome::one_lost;
    if (one == other) return outcome::itself;
    return one->claim_with(*other);
  }

 private:
  enum class state : unsigned char { open, held, decided };

  bool become(state next) noexcept;
  CORDAGE_RARELY_CALLED bool decide() noexcept;
  CORDAGE_RARELY_CALLED outcome claim_with(race& other) noexcept;

  // open until somebody completes one of the waits. Written by whoever does; held only between the two halves of
  // claim_with, by who goes on to write it again.
  atomic<state> word_{state::open};
};

}  // namespace cordage::detail
