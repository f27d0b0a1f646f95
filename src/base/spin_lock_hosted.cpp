#include <cordage/base/spin_lock.hpp>

#include <thread>

namespace cordage::detail {

// Looks before it writes, so that those who wait do not take the line from each other; and gives its processor away
// soon, since the holder may have been put to sleep for it.
void spin_lock::lock_when_free() noexcept {
  constexpr int looks_before_yield = 64;
  for (int looks = 0;; ++looks) {
    // Relaxed: the exchange decides.
    if (!held_.load(memory_order_relaxed) && !held_.exchange(true, memory_order_acquire)) return;
    if (looks >= looks_before_yield) std::this_thread::yield();
  }
}

}  // namespace cordage::detail
