// One word that says whether something is complete, and who waits for that: the end of a strand, a future's value.
//
// Completed once, by one thread; waited for and abandoned by its other side, which may be on any thread, one at a time.
#pragma once

#include <cstdint>

#include <cordage/base/atomic.hpp>
#include <cordage/context/operation.hpp>

namespace cordage::detail {

class completion {
 public:
  bool done() const noexcept { return word_.load(memory_order_acquire) == done_word; }

  // False if it is complete already; otherwise the node is what complete() gives.
  bool wait(resumable& node) noexcept {
    std::uintptr_t expected = pending;
    return word_.compare_exchange_strong(expected, word_of(node), memory_order_acq_rel, memory_order_acquire);
  }

  cancel_result leave(resumable& node) noexcept {
    std::uintptr_t expected = word_of(node);
    return word_.compare_exchange_strong(expected, pending, memory_order_acq_rel, memory_order_acquire)
               ? cancel_result::withdrawn
               : cancel_result::too_late;
  }

  // Nobody will ask.
  void abandon() noexcept {
    std::uintptr_t expected = pending;
    word_.compare_exchange_strong(expected, abandoned, memory_order_acq_rel, memory_order_relaxed);
  }

  struct listener {
    resumable* waiter;  // to be woken; null where nobody waits
    bool gone;          // it was abandoned
  };
  listener complete() noexcept {
    const std::uintptr_t before = word_.exchange(done_word, memory_order_acq_rel);
    return {before > done_word ? reinterpret_cast<resumable*>(before) : nullptr, before == abandoned};
  }

 private:
  static std::uintptr_t word_of(resumable& node) noexcept { return reinterpret_cast<std::uintptr_t>(&node); }

  // Anything else is the node that waits. The waiting side writes pending, abandoned and nodes, the completing side
  // done_word. complete() releases the outcome to done() and to a failing wait(); wait() releases the node to complete().
  static constexpr std::uintptr_t pending = 0;
  static constexpr std::uintptr_t abandoned = 1;
  static constexpr std::uintptr_t done_word = 2;
  atomic<std::uintptr_t> word_{pending};
};

}  // namespace cordage::detail
