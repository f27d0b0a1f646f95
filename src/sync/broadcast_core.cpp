#include <cordage/sync/broadcast_core.hpp>

#include <utility>

#include <cordage/base/fatal.hpp>

namespace cordage::detail {

broadcast_core::broadcast_core(std::size_t capacity)
    : capacity_(capacity), newest_(std::make_unique<broadcast_cell*[]>(capacity)) {
  expects(capacity != 0, "a broadcast that keeps no value: its receivers would get none");
}

// The next one for a receiver that has not lagged behind.
void broadcast_core::give(broadcast_place& to) noexcept {
  to.lagged = false;
  to.cell = kept(to.at->next++);
  // Relaxed: the place among the newest keeps it meanwhile.
  to.cell->references.fetch_add(1, memory_order_relaxed);
}

bool broadcast_core::receive(broadcast_place& by) noexcept {
  const bool is_there = by.at->next != sent_;
  if ((!is_there && !closed_) || !race::claim(by.racing)) return false;
  by.lagged = by.at->next < oldest();
  if (by.lagged) {
    by.at->missed += oldest() - by.at->next;
    by.at->next = oldest();
  } else if (is_there) {
    give(by);
  }
  return true;
}

void broadcast_core::wake_everybody_and_unlock() noexcept {
  intrusive_list<place_in_line> told;
  waiting_.for_each([&](place_in_line& each) {
    each.unlink();
    if (!each.enter_race()) return;
    if (!closed_) give(static_cast<broadcast_place&>(each));
    told.push_back(each);
  });
  lock_.unlock();
  wake_all(told);
}

broadcast_cell* broadcast_core::send(broadcast_cell& cell) noexcept {
  lock_.lock();
  if (closed_) {
    lock_.unlock();
    return &cell;
  }
  broadcast_cell* const displaced = std::exchange(kept(sent_), &cell);
  ++sent_;
  wake_everybody_and_unlock();
  return displaced;
}

void broadcast_core::close() noexcept {
  lock_.lock();
  closed_ = true;
  wake_everybody_and_unlock();
}

broadcast_cell* broadcast_core::take_left_over() noexcept {
  for (std::size_t i = 0; i < capacity_; ++i) {
    if (newest_[i] != nullptr) return std::exchange(newest_[i], nullptr);
  }
  return nullptr;
}

void broadcast_core::expect_nobody() noexcept {
  if (!waiting_.empty()) destroyed_under_waiters("broadcast", waiting_);
  expects(receivers_ == 0, "a broadcast was destroyed while there are receivers of it; who shares it has to keep it alive");
}

}  // namespace cordage::detail
