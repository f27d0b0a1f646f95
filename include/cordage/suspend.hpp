// suspend: the bridge from any callback to something that can be awaited.
//
//   const result<int> status = co_await suspend<int>([&](suspension<int> waiter) {
//     c_library_start(request, [](void* p, int status) { suspension<int>::from(p).resume(status); }, waiter.release());
//   });
//
// on_suspend is called once, when the awaiting coroutine or fiber is completely suspended, on its executor, and is given the
// suspension: whoever holds it resumes the waiter, from any thread, or drops it. With a second function, on_stop, a stop
// waits until that has happened, which on_stop has to bring about: so that a C library lets go of buffers first.
#pragma once

#include <concepts>
#include <exception>
#include <functional>
#include <type_traits>
#include <utility>

#include <cordage/base/atomic.hpp>
#include <cordage/base/closure.hpp>
#include <cordage/base/exceptions.hpp>
#include <cordage/base/fatal.hpp>
#include <cordage/context/operation.hpp>
#include <cordage/result.hpp>
#include <cordage/strands/executor.hpp>
#include <cordage/strands/frame_memory.hpp>
#include <cordage/strands/outcome.hpp>

namespace cordage {

namespace detail {

// What a suspension and the wait share.
template <class T>
class suspension_state : public recycled_frame {
 public:
  // Before anybody else knows of it.
  void wait(resumable& waiter) noexcept { waiter_ = &waiter; }

  // By whoever ends the wait, whichever way. True: the caller is the first, and no other will.
  bool claim() noexcept { return !claimed_.exchange(true, memory_order_acq_rel); }

  // For who would end the wait: whether it is ended already.
  bool claimed() const noexcept { return claimed_.load(memory_order_relaxed); }

  // After a claim. Nothing of this may be touched afterwards but by who holds a reference.
  resumable& waiter() const noexcept { return *waiter_; }
  outcome<result<T>> value;  // pending: the suspension was dropped

  void release() noexcept {
    if (ends_.fetch_sub(1, memory_order_acq_rel) == 1) delete this;
  }

 private:
  resumable* waiter_ = nullptr;
  // Acquire-release: who loses sees what the winner did before; the value itself is published by the wake.
  atomic<bool> claimed_{false};
  atomic<int> ends_{2};  // the wait and the suspension
};

// What the two kinds of suspensions share. Move-only.
template <class T>
class suspension_base {
 public:
  explicit suspension_base(suspension_state<T>* of) noexcept : state_(of) {}
  suspension_base(suspension_base&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  suspension_base& operator=(suspension_base&& other) noexcept {
    suspension_base taken(std::move(other));
    std::swap(state_, taken.state_);
    return *this;
  }
  ~suspension_base() {
    if (state_ == nullptr) return;
    if (state_->claim()) wake(state_->waiter());
    state_->release();
  }

  // False once it was moved from or released.
  explicit operator bool() const noexcept { return state_ != nullptr; }

 protected:
  suspension_state<T>* state_;
};

}  // namespace detail

// Ends a wait. May be moved to and used on any thread; dropped, it ends the wait with errc::broken_promise.
template <class T = void>
class suspension : public detail::suspension_base<T> {
  using base = detail::suspension_base<T>;

 public:
  using base::base;

  // True: the waiter will get the value, and goes on at its home, never in here. False: it was resumed before, or stopped.
  // Any thread, also several at a time; not from a signal handler.
  template <class... Args>
    requires std::is_constructible_v<result<T>, std::in_place_t, Args&&...>
  bool resume(Args&&... args) noexcept {
    return complete([&](auto& value) { value.set_value(std::in_place, std::forward<Args>(args)...); });
  }
  bool resume(unexpected<error> failure) noexcept {
    return complete([&](auto& value) { value.set_value(failure); });
  }

  // For the void* of a C library: release gives what from takes back, once. A callback that may come several times for one
  // void* needs something that lasts: it must not be given this.
  [[nodiscard]] void* release() noexcept { return std::exchange(this->state_, nullptr); }
  [[nodiscard]] static suspension from(void* released) noexcept {
    return suspension(static_cast<detail::suspension_state<T>*>(released));
  }

 private:
  template <class Set>
  bool complete(Set&& set) noexcept {
    detail::expects(this->state_ != nullptr, "a suspension was resumed that had been moved from or released");
    if (!this->state_->claim()) return false;
    set(this->state_->value);
    detail::wake(this->state_->waiter());
    return true;
  }
};

// The same for signal and interrupt handlers: resume is one exchange and one push, and never locks, allocates or frees. It
// is not to be moved or destroyed in a handler.
class isr_suspension : public detail::suspension_base<void> {
 public:
  using suspension_base::suspension_base;

  bool resume() noexcept {
    detail::expects(state_ != nullptr, "a suspension was resumed that had been moved from");
    if (!state_->claim()) return false;
    state_->value.set_value();
    resumable& waiter = state_->waiter();
    waiter.home->post(waiter);
    return true;
  }
};

namespace detail {

struct no_on_stop {};

template <class T, class Suspension, class OnSuspend, class OnStop>
class suspend_operation {
  static constexpr bool has_on_stop = !std::is_same_v<OnStop, no_on_stop>;

 public:
  static constexpr const char* name = "suspend";

  template <class F, class G>
  suspend_operation(F&& on_suspend, G&& on_stop)
      : on_suspend_(std::forward<F>(on_suspend)), on_stop_(std::forward<G>(on_stop)) {}
  // Movable until it is started.
  suspend_operation(suspend_operation&& other)
      : on_suspend_(std::move(other.on_suspend_)), on_stop_(std::move(other.on_stop_)) {}
  ~suspend_operation() {
    if (state_ != nullptr) state_->release();
  }

  bool ready() {
    state_ = new suspension_state<T>;
    return false;
  }

  // An exception of on_suspend is thrown at the await, when the wait has been ended by the drop of the suspension.
  bool start(resumable& node) {
    state_->wait(node);
    Suspension handed_over(state_);
    catching(
        [&] {
          OnSuspend call = std::move(on_suspend_);  // the waiter may be gone before it returns
          call(std::move(handed_over));
        },
        [&](std::exception_ptr thrown) { thrown_ = std::move(thrown); });
    return true;
  }

  cancel_result cancel() noexcept {
    if constexpr (has_on_stop) {
      // What has been resumed or dropped before is not to be told any more: it may be gone.
      if (!stop_told_ && !state_->claimed()) {
        stop_told_ = true;
        on_stop_();
      }
      return cancel_result::too_late;
    } else {
      return state_->claim() ? cancel_result::withdrawn : cancel_result::too_late;
    }
  }

  bool stopped() const noexcept { return stop_told_ && thrown_ == nullptr && dropped(); }

  result<T> get() {
    if (thrown_ != nullptr) std::rethrow_exception(thrown_);
    if (dropped()) return fail(errc::broken_promise);
    return state_->value.take();
  }

 private:
  bool dropped() const noexcept { return state_->value.state() == outcome_state::pending; }

  OnSuspend on_suspend_;
  [[no_unique_address]] OnStop on_stop_;
  suspension_state<T>* state_ = nullptr;
  std::exception_ptr thrown_;
  bool stop_told_ = false;
};

}  // namespace detail

// Suspends, and calls on_suspend(suspension<T>). Completes with a result<T>: the value or error that it was resumed with,
// errc::broken_promise if the suspension was dropped. Stop ends the wait at once, and resuming comes too late then.
// on_suspend is kept in the operation, and is called on the strand's executor, outside of the coroutine or fiber.
template <class T = void, class OnSuspend>
  requires std::invocable<std::decay_t<OnSuspend>&, suspension<T>>
[[nodiscard]] auto suspend(OnSuspend&& on_suspend) {
  detail::require_safe_closure<OnSuspend>();
  return detail::suspend_operation<T, suspension<T>, std::decay_t<OnSuspend>, detail::no_on_stop>(
      std::forward<OnSuspend>(on_suspend), detail::no_on_stop{});
}

// The same, but stop calls on_stop(), once, on the strand's executor, with no lock held, unless the suspension has been
// resumed or dropped by then, and waits for the suspension: a value that it is resumed with is delivered, dropped it completes as stopped. on_stop must not throw.
template <class T = void, class OnSuspend, class OnStop>
  requires(std::invocable<std::decay_t<OnSuspend>&, suspension<T>> && std::invocable<std::decay_t<OnStop>&>)
[[nodiscard]] auto suspend(OnSuspend&& on_suspend, OnStop&& on_stop) {
  detail::require_safe_closure<OnSuspend>();
  detail::require_safe_closure<OnStop>();
  return detail::suspend_operation<T, suspension<T>, std::decay_t<OnSuspend>, std::decay_t<OnStop>>(
      std::forward<OnSuspend>(on_suspend), std::forward<OnStop>(on_stop));
}

// Suspends until a signal or interrupt handler resumes what on_suspend(isr_suspension) is given. Otherwise like suspend<>.
template <class OnSuspend>
  requires std::invocable<std::decay_t<OnSuspend>&, isr_suspension>
[[nodiscard]] auto suspend_for_isr(OnSuspend&& on_suspend) {
  detail::require_safe_closure<OnSuspend>();
  return detail::suspend_operation<void, isr_suspension, std::decay_t<OnSuspend>, detail::no_on_stop>(
      std::forward<OnSuspend>(on_suspend), detail::no_on_stop{});
}

}  // namespace cordage
