#include <cordage/sync/guarded_core.hpp>

#include <cordage/strands/executor.hpp>

namespace cordage::detail {

bool guarded_core::wait(guarded_operation& by, resumable& node) noexcept {
  const bool got_it = try_lock(by);
  if (got_it && (by.holds_ == nullptr || by.holds_(by)) && race::claim(by.racing)) return false;
  bool is_free = got_it;
  {
    const spin_guard held(lock_);
    by.wait_in(waiting_, node);
    if (!got_it && !locked_) locked_ = is_free = true;  // it was unlocked since we have tried
  }
  if (is_free) unlock();
  return true;
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

void guarded_core::hand_on_and_unlock() noexcept {
  intrusive_list<place_in_line> told;
  place_in_line* next = nullptr;
  for (place_in_line* each = waiting_.first(); each != nullptr && next == nullptr;) {
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
    if (holds || one.left_) told.push_back(one);
  }
  locked_ = next != nullptr;
  holder_ = locked_ ? next->who : nullptr;
  lock_.unlock();
  wake_all(told);
}

}  // namespace cordage::detail
