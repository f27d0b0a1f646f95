// A lock for the few words of a mutex or a channel that several threads may touch.
//
// It is held for some instructions at a time, never while code runs that is not the library's own, and never in a signal
// handler: so who finds it held waits for a moment, unless the holder was interrupted just then.
#pragma once

#include <cordage/base/atomic.hpp>
#include <cordage/base/config.hpp>

namespace cordage::detail {

class spin_lock {
 public:
  void lock() noexcept {
    // Acquire: partner of the release in unlock, so that who holds the lock sees all that was done under it.
    if (held_.exchange(true, memory_order_acquire)) [[unlikely]] lock_when_free();
  }
  void unlock() noexcept { held_.store(false, memory_order_release); }

 private:
  CORDAGE_RARELY_CALLED void lock_when_free() noexcept;

  atomic<bool> held_{false};  // written true by who gets it, false by that one
};

// Holds one from here to the end of the block.
class [[nodiscard]] spin_guard {
 public:
  explicit spin_guard(spin_lock& lock) noexcept : lock_(lock) { lock_.lock(); }
  spin_guard(const spin_guard&) = delete;
  spin_guard& operator=(const spin_guard&) = delete;
  ~spin_guard() { lock_.unlock(); }

 private:
  spin_lock& lock_;
};

}  // namespace cordage::detail
