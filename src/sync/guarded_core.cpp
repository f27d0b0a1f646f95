#include <cordage/sync/guarded_core.hpp>

#include <cordage/strands/executor.hpp>

namespace cordage::detail {

// Nobody that waits is overtaken: while the value is not locked, no condition of theirs holds. Who begins to wait changes
// nothing about that, so only its own condition is looked at, and those of who came meanwhile.
bool guarded_core::wait(guarded_operation& by, resumable& node) noexcept {
  lock_.lock();
  by.wait_in(waiting_, node);
  if (locked_ || by.state == place_state::lost) {
    lock_.unlock();
    return true;
  }
  locked_ = true;
  holder_ = by.who;
  return !hand_over_and_unlock(&by, &by);
}

cancel_result guarded_core::leave(guarded_operation& by) noexcept {
  const spin_guard held(lock_);
  if (by.looked_at_) by.to_leave_ = true;
  if (by.looked_at_ || by.has_entered()) return cancel_result::too_late;
  if (by.state == place_state::waiting) by.unlink();
  return cancel_result::withdrawn;
}

// By who has the lock, and holds the spin lock, which is free while the condition is looked at.
bool guarded_core::may_have(guarded_operation& one) noexcept {
  if (one.holds_ == nullptr) return true;
  one.looked_at_ = true;
  lock_.unlock();
  const bool holds = one.holds_(one);
  lock_.lock();
  one.looked_at_ = false;
  return holds;
}

// By who has the lock, and holds the spin lock: to the first of those from `each` on whose condition holds. True if that is
// `self`, which is not woken.
bool guarded_core::hand_over_and_unlock(place_in_line* each, const place_in_line* self) noexcept {
  intrusive_list<place_in_line> told;
  place_in_line* next = nullptr;
  while (each != nullptr && next == nullptr) {
    auto& one = static_cast<guarded_operation&>(*each);
    const bool holds = may_have(one) && race::claim(one.racing);
    each = waiting_.after(one);  // others may have left while the condition was looked at
    if (holds) {
      one.unlink();
      one.state = place_state::entered;
      next = &one;
    } else if (one.to_leave_) {
      one.unlink();
      one.left_ = true;
    }
    if ((holds && next != self) || one.left_) told.push_back(one);
  }
  const bool is_self = next != nullptr && next == self;
  locked_ = next != nullptr;
  holder_ = locked_ ? next->who : nullptr;
  lock_.unlock();
  wake_all(told);
  return is_self;
}

}  // namespace cordage::detail
