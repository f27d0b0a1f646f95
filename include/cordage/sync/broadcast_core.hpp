// A broadcast without the type of its values: the newest of them, and who waits for the next.
//
// Any thread. A value lies in a cell that all share who receive it; under the lock only addresses and counts change, so no
// code of the value's type runs there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include <cordage/base/atomic.hpp>
#include <cordage/base/intrusive_list.hpp>
#include <cordage/base/spin_lock.hpp>
#include <cordage/context/operation.hpp>
#include <cordage/sync/waiting_line.hpp>

namespace cordage::detail {

struct broadcast_cell {
  // How many refer to it: its place among the newest, and receivers that have not copied it yet. Acquire-release in
  // release(), so that the last one sees that the others are done.
  atomic<std::size_t> references{1};

  // True: nobody refers to it any more.
  [[nodiscard]] bool release() noexcept { return references.fetch_sub(1, memory_order_acq_rel) == 1; }
};

// Where a receiver is in the sequence of values; only changed under the lock.
struct broadcast_position {
  std::uint64_t next = 0;    // the number of the value that it receives next
  std::uint64_t missed = 0;  // how many it has missed so far
};

struct broadcast_place : place_in_line {
  broadcast_position* at = nullptr;
  broadcast_cell* cell = nullptr;  // received, with a reference; null: closed or lagged
  bool lagged = false;
};

class broadcast_core {
 public:
  // Keeps so many values. Throws std::bad_alloc.
  explicit broadcast_core(std::size_t capacity);
  broadcast_core(const broadcast_core&) = delete;
  broadcast_core& operator=(const broadcast_core&) = delete;
  ~broadcast_core() { expect_nobody(); }

  // For the next value.
  broadcast_position subscribe() noexcept {
    const spin_guard held(lock_);
    ++receivers_;
    return {.next = sent_};
  }
  void unsubscribe() noexcept {
    const spin_guard held(lock_);
    --receivers_;
  }
  std::size_t receivers() noexcept {
    const spin_guard held(lock_);
    return receivers_;
  }

  // Takes the cell over. Gives the one that it displaces, to be released, or null; the cell itself if it is closed.
  broadcast_cell* send(broadcast_cell& cell) noexcept;

  // Whether it is settled at once.
  bool try_receive(broadcast_place& by) noexcept {
    const spin_guard held(lock_);
    return receive(by);
  }
  // False: it is settled. Otherwise the node will be woken when it is.
  bool wait(broadcast_place& by, resumable& node) noexcept {
    const spin_guard held(lock_);
    if (receive(by)) return false;
    by.wait_in(waiting_, node);
    return true;
  }
  cancel_result leave(broadcast_place& by) noexcept {
    const spin_guard held(lock_);
    if (by.has_entered()) return cancel_result::too_late;
    if (by.state == place_state::waiting) by.unlink();
    return cancel_result::withdrawn;
  }

  void close() noexcept;

  // For the destructor of the broadcast: each value that is still kept, then null.
  broadcast_cell* take_left_over() noexcept;

 private:
  bool receive(broadcast_place& by) noexcept;
  void give(broadcast_place& to) noexcept;
  void wake_everybody_and_unlock() noexcept;
  void expect_nobody() noexcept;

  std::uint64_t oldest() const noexcept { return sent_ < capacity_ ? 0 : sent_ - capacity_; }
  broadcast_cell*& kept(std::uint64_t number) noexcept { return newest_[number % capacity_]; }

  spin_lock lock_;
  bool closed_ = false;
  const std::size_t capacity_;
  std::size_t receivers_ = 0;
  std::uint64_t sent_ = 0;                        // how many; also the number of the next one
  std::unique_ptr<broadcast_cell*[]> newest_;     // by number modulo capacity
  intrusive_list<place_in_line> waiting_;         // all of them for the number sent_
};

}  // namespace cordage::detail
