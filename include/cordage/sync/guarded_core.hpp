// A lock that goes to the first whose condition holds: guarded<T> without its value.
//
// Any thread. Conditions are code of others, so they are called without the spin lock, by who holds the value. One whose
// condition is being looked at stays in the line until that is done, also if it is to stop: cancel then answers that it is
// too late, and the looker ends the wait one way or the other.
#pragma once

#include <cordage/base/intrusive_list.hpp>
#include <cordage/base/spin_lock.hpp>
#include <cordage/context/operation.hpp>
#include <cordage/sync/waiting_line.hpp>

namespace cordage::detail {

class guarded_operation;

class guarded_core {
 public:
  guarded_core() noexcept = default;
  guarded_core(const guarded_core&) = delete;
  guarded_core& operator=(const guarded_core&) = delete;
  ~guarded_core() {
    if (!waiting_.empty()) [[unlikely]] destroyed_under_waiters("guarded value", waiting_);
  }

  // Without a condition. Nobody that waits is overtaken: while the value is not locked, none of their conditions holds.
  bool try_lock(const place_in_line& by) noexcept {
    const spin_guard held(lock_);
    if (locked_) return false;
    locked_ = true;
    holder_ = by.who;
    return true;
  }
  // False: the value is the operation's, and the node will not be woken.
  bool wait(guarded_operation& by, resumable& node) noexcept;
  cancel_result leave(guarded_operation& by) noexcept;
  void unlock() noexcept {
    lock_.lock();
    if (!waiting_.empty()) [[unlikely]] {
      hand_over_and_unlock(waiting_.first(), nullptr);
      return;
    }
    locked_ = false;
    holder_ = nullptr;
    lock_.unlock();
  }

  strand* holder() noexcept {
    const spin_guard held(lock_);
    return holder_;
  }

 private:
  bool hand_over_and_unlock(place_in_line* each, const place_in_line* self) noexcept;
  bool may_have(guarded_operation& one) noexcept;

  spin_lock lock_;
  bool locked_ = false;
  strand* holder_ = nullptr;  // for dumps; null where that is not known
  intrusive_list<place_in_line> waiting_;
};

// Movable until it is started.
class guarded_operation : place_in_line {
 public:
  void attach(strand& on) noexcept {
    begin_on(on);
    to_leave_ = left_ = false;
  }
  void on_behalf_of(strand& whom) noexcept { who = &whom; }
  void join(race& with) noexcept { racing = &with; }
  // A condition is looked at by start, a race decided there.
  bool ready() noexcept { return holds_ == nullptr && racing == nullptr && core_->try_lock(*this); }
  bool start(resumable& by) noexcept { return core_->wait(*this, by); }
  cancel_result cancel() noexcept { return core_->leave(*this); }
  bool stopped() const noexcept { return left_; }
  strand* held_by() const noexcept { return core_->holder(); }

 protected:
  using question = bool (*)(guarded_operation&) noexcept;  // null: it is enough that nobody has it

  guarded_operation(guarded_core& core, question when) noexcept : holds_(when), core_(&core) {}
  guarded_operation(guarded_operation&&) noexcept = default;
  ~guarded_operation() = default;

 private:
  friend guarded_core;

  question holds_;
  guarded_core* core_;  // keeps the flags away from a null: clang makes both so by stores that overlap, which delays its reader
  bool looked_at_ = false;  // by who unlocks; under the lock
  bool to_leave_ = false;   // a stop came meanwhile; under the lock
  bool left_ = false;       // because of that
};

}  // namespace cordage::detail
