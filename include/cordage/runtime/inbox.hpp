// Nodes from other threads and from signal handlers, and with the same word the parking of the worker.
//
// push runs anywhere, a signal handler included: it is a loop around one compare-exchange that fails only when
// another push or the worker succeeded. The other functions belong to the worker.
#pragma once

#include <cordage/base/atomic.hpp>
#include <cordage/base/intrusive_queue.hpp>
#include <cordage/context/resumable.hpp>

namespace cordage::detail {

class inbox {
 public:
  // True: the worker is parked, and the caller is the one who has to unpark it.
  [[nodiscard]] bool push(resumable& node) noexcept {
    resumable* top = word_.load(memory_order_relaxed);
    do {
      node.next = top == parked() ? nullptr : top;
      // Release: publishes the node to take(). Nothing is read through the old top, so a failure needs no order.
    } while (!word_.compare_exchange_weak(top, &node, memory_order_release, memory_order_relaxed));
    return top == parked();
  }

  bool empty() const noexcept { return word_.load(memory_order_relaxed) == nullptr; }

  // Announces that the worker is about to park; false if something has arrived. There is no second look to forget:
  // a push after this sees the announcement in the very word it exchanges.
  bool announce_parking() noexcept {
    resumable* expected = nullptr;
    return word_.compare_exchange_strong(expected, parked(), memory_order_relaxed, memory_order_relaxed);
  }

  // Takes back the announcement, and moves what has arrived to the end of `into`, oldest first. False if nothing had.
  bool take(intrusive_queue<resumable>& into) noexcept {
    // Acquire: partner of the release in push, also in those pushes whose node lies below the newest: each push is a
    // read-modify-write and so continues the release sequence of the ones before.
    resumable* newest = word_.exchange(nullptr, memory_order_acquire);
    if (newest == parked() || newest == nullptr) return false;
    resumable* oldest = nullptr;
    while (newest != nullptr) {
      resumable* const next = newest->next;
      newest->next = oldest;
      oldest = newest;
      newest = next;
    }
    while (oldest != nullptr) {
      resumable* const next = oldest->next;
      into.push(*oldest);
      oldest = next;
    }
    return true;
  }

 private:
  resumable* parked() noexcept { return &parked_; }

  // null: the worker is awake and nothing waits (written by the worker). parked(): the worker is parked or about to
  // be (written by the worker). Anything else: the newest node of a list linked by next (written by whoever pushes).
  atomic<resumable*> word_{nullptr};
  resumable parked_;
};

}  // namespace cordage::detail
