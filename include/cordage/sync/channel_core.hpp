// A channel without the type of its items: who waits at which end, and what lies between.
//
// Any thread. An item travels in a cell of its own: under the lock only the cell's address changes hands, so no code of
// the item's type runs there.
#pragma once

#include <cstddef>
#include <utility>

#include <cordage/base/intrusive_list.hpp>
#include <cordage/base/intrusive_queue.hpp>
#include <cordage/base/spin_lock.hpp>
#include <cordage/sync/waiting_line.hpp>

namespace cordage::detail {

struct channel_cell {
  channel_cell* next = nullptr;
};

// At either end. A sender comes with a cell and leaves without it, if the channel has taken it; a receiver leaves with one,
// unless the channel is closed and empty.
struct channel_end : place_in_line {
  explicit channel_end(channel_cell* with = nullptr) noexcept : cell(with) {}
  channel_end(channel_end&& other) noexcept
      : place_in_line(std::move(other)), cell(std::exchange(other.cell, nullptr)) {}

  channel_cell* cell;
};

class channel_core {
 public:
  explicit channel_core(std::size_t capacity) noexcept : capacity_(capacity) {}
  channel_core(const channel_core&) = delete;
  channel_core& operator=(const channel_core&) = delete;
  ~channel_core() { expect_nobody(); }

  // Whether it is settled at once: the channel has taken the cell, or, where the sender still has it, is closed.
  bool try_send(channel_end& by) noexcept {
    lock_.lock();
    const bool goes_in = size_ < capacity_ && !closed_ && receivers_.empty() && by.racing == nullptr;
    if (!goes_in) [[unlikely]] return send_and_unlock(by);
    put(by);
    lock_.unlock();
    return true;
  }
  // False: it is settled. Otherwise the node will be woken when it is.
  bool wait_to_send(channel_end& by, resumable& node) noexcept {
    lock_.lock();
    return !send_and_unlock(by, &node);
  }

  // The same for a receiver: one that is left without a cell finds the channel closed.
  bool try_receive(channel_end& by) noexcept {
    lock_.lock();
    const bool is_there = size_ != 0 && senders_.empty() && by.racing == nullptr;
    if (!is_there) [[unlikely]] return receive_and_unlock(by);
    by.cell = &take();
    lock_.unlock();
    return true;
  }
  bool wait_to_receive(channel_end& by, resumable& node) noexcept {
    lock_.lock();
    return !receive_and_unlock(by, &node);
  }

  cancel_result leave(channel_end& by) noexcept {
    const spin_guard held(lock_);
    if (by.has_entered()) return cancel_result::too_late;
    if (by.state == place_state::waiting) by.unlink();
    return cancel_result::withdrawn;
  }

  void close() noexcept;

  bool closed() noexcept {
    const spin_guard held(lock_);
    return closed_;
  }
  std::size_t size() noexcept {
    const spin_guard held(lock_);
    return size_;
  }
  std::size_t capacity() const noexcept { return capacity_; }

  // For the destructor of the channel: what was never received, one after the other, then null.
  channel_cell* take_left_over() noexcept { return cells_.empty() ? nullptr : &cells_.pop(); }

 private:
  using places = intrusive_list<place_in_line>;

  // Everything but an item that goes into the channel, or out of it, while nobody waits. With a node: waits if it must.
  bool send_and_unlock(channel_end& by, resumable* node = nullptr) noexcept;
  bool receive_and_unlock(channel_end& by, resumable* node = nullptr) noexcept;
  // Each serves one at the other end at most, whom it wakes when the lock is free again.
  bool send(channel_end& by, place_in_line*& served) noexcept;
  bool receive(channel_end& by, place_in_line*& served) noexcept;
  void unlock_and_wake(place_in_line* served) noexcept;

  void put(channel_end& from) noexcept {
    cells_.push(*std::exchange(from.cell, nullptr));
    ++size_;
  }
  channel_cell& take() noexcept {
    --size_;
    return cells_.pop();
  }

  // One that has lost its race already waits like any other, until its select withdraws it.
  static bool enter(channel_end& by) noexcept { return race::claim(by.racing); }

  // Who waits longest at the other end and has not lost a race meanwhile; both have entered then. Those that have lost are
  // no longer in the way: their selects withdraw them.
  static channel_end* partner_of(channel_end& by, places& waiting) noexcept;

  void expect_nobody() noexcept;

  spin_lock lock_;
  bool closed_ = false;
  const std::size_t capacity_;
  std::size_t size_ = 0;  // of cells_
  intrusive_queue<channel_cell> cells_;
  places senders_;    // while there is room: only such as have lost a race
  places receivers_;  // while there are cells: only such as have lost a race
};

}  // namespace cordage::detail
