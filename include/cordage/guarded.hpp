// guarded<T>: a value that one strand at a time may touch, and that others wait for to become something.
//
//   guarded<std::deque<job>> jobs;
//   {
//     auto held = co_await jobs.lock();
//     held->push_back(next);
//   }                                            // unlocked; whoever waits for what is true now gets it
//   auto held = co_await jobs.wait_until([](const std::deque<job>& q) { return !q.empty(); });
//
// What a condition variable is for, without the notification that one forgets: conditions are looked at whenever the value
// is unlocked, by who unlocks it. The lock goes to the one that waits longest of those whose condition holds.
//
// Any thread may use it, and none ever blocks. Not recursive.
#pragma once

#include <concepts>
#include <type_traits>
#include <utility>

#include <cordage/base/closure.hpp>
#include <cordage/base/fatal.hpp>
#include <cordage/sync/guarded_core.hpp>

namespace cordage {

template <class T>
class guarded {
 public:
  template <class... Args>
    requires std::constructible_from<T, Args&&...>
  explicit guarded(Args&&... args) : value_(std::forward<Args>(args)...) {}
  guarded(const guarded&) = delete;
  guarded& operator=(const guarded&) = delete;
  // Nobody may wait for it; asserted, with a name.
  ~guarded() = default;

  // The value, for as long as this lives. Unlocks when it is destroyed, or by unlock(), on any thread. Move-only.
  class [[nodiscard]] access {
   public:
    access(access&& other) noexcept : to_(std::exchange(other.to_, nullptr)) {}
    access& operator=(access&& other) noexcept {
      access taken(std::move(other));
      std::swap(to_, taken.to_);
      return *this;
    }
    ~access() {
      if (to_ != nullptr) to_->core_.unlock();
    }

    T& operator*() const noexcept { return to_->value_; }
    T* operator->() const noexcept { return &to_->value_; }

    // Before the end of the block.
    void unlock() noexcept {
      detail::expects(to_ != nullptr, "the access to a guarded value was unlocked twice, or after it was moved from");
      std::exchange(to_, nullptr)->core_.unlock();
    }

   private:
    friend guarded;
    explicit access(guarded& to) noexcept : to_(&to) {}

    guarded* to_;
  };

  // Completes with access. Stop withdraws the wait; who has got access while being stopped gives it back.
  [[nodiscard]] auto lock() noexcept { return lock_operation(*this); }

  // The same when condition(value) is true, also at once. The condition, which is kept, is called while the value is
  // locked, by whoever unlocks it, on any thread: it must not throw, and is there to look, not to wait.
  template <class Condition>
    requires std::predicate<std::decay_t<Condition>&, const T&>
  [[nodiscard]] auto wait_until(Condition&& condition) {
    detail::require_safe_closure<Condition>();
    return condition_operation<std::decay_t<Condition>>(*this, std::forward<Condition>(condition));
  }

 private:
  class lock_operation : public detail::guarded_operation {
   public:
    static constexpr const char* name = "guarded.lock";

    explicit lock_operation(guarded& of) noexcept : guarded_operation(of.core_, nullptr), of_(&of) {}
    access get() const noexcept { return access(*of_); }

   private:
    guarded* of_;
  };

  template <class Condition>
  class condition_operation : public detail::guarded_operation {
   public:
    static constexpr const char* name = "guarded.wait_until";

    template <class C>
    condition_operation(guarded& of, C&& condition)
        : guarded_operation(of.core_, holds), of_(&of), condition_(std::forward<C>(condition)) {}
    access get() const noexcept { return access(*of_); }

   private:
    static bool holds(detail::guarded_operation& self) noexcept {
      auto& waits = static_cast<condition_operation&>(self);
      return waits.condition_(std::as_const(waits.of_->value_));
    }

    guarded* of_;
    Condition condition_;
  };

  detail::guarded_core core_;
  T value_;
};

template <class T>
guarded(T) -> guarded<T>;

}  // namespace cordage
