// The promise of task<T> and async<T>.
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <utility>

#include <cordage/strands/awaiter.hpp>
#include <cordage/strands/frame_recycler.hpp>
#include <cordage/strands/outcome.hpp>

namespace cordage::detail {

template <class T>
class task_promise_base : public promise_base {
 public:
  using value_type = T;

  final_awaiter final_suspend() const noexcept { return {}; }

  bool holds_error() noexcept {
    return value.state() == outcome_state::value && !value.value().has_value();
  }

  // What a task can wait for: operations, whatever gives one, and other tasks; each also behind a `!`.
  template <class X>
  auto await_transform(X&& x) {
    using plain = std::remove_cvref_t<X>;
    if constexpr (is_checked<plain>) {
      constexpr auto mode = takes_error<T> ? error_mode::propagate : error_mode::raise;
      return make_awaiter<mode>(static_cast<decltype(plain::what)&&>(x.what), *this);
    } else {
      constexpr bool is_bool = std::is_same_v<plain, bool>;
      static_assert(!is_bool, "co_await: this is a bool: `!` asks a result that is in hand whether it has no value. It means the "
                              "value, or my caller's problem, before an operation only");
      static_assert(is_bool || awaitable_here<X>, "co_await: this cannot be awaited; it is no task, async, fiber or operation "
                                                  "of cordage and has none of what the language asks of an awaitable");
      return make_awaiter<error_mode::give>(std::forward<X>(x), *this);
    }
  }

  value_slot<T> value;
};

template <class T>
class task_promise : public task_promise_base<T> {
 public:
  template <class U = T>
    requires std::is_constructible_v<T, U&&>
  void return_value(U&& given) {
    this->value.set_value(std::forward<U>(given));
  }
};

template <>
class task_promise<void> : public task_promise_base<void> {
 public:
  void return_void() noexcept { value.set_value(); }
};

// Runs a coroutine as an operation, where no coroutine awaits it: in a fiber, in a combinator. On the strand it is attached
// to.
class waiting_root : public root_link {
 public:
  void attach(strand& on) noexcept { on_ = &on; }

  // The coroutine's innermost wait is what a stop withdraws, not this one.
  static constexpr bool always_too_late = true;
  cancel_result cancel() noexcept { return cancel_result::too_late; }

  bool stopped() const noexcept { return how_ == frame_end::stopped; }

  // For whoever looks: who waits for the coroutine that begins at this root, as far as that can be told.
  static waiting_node waits_for(root_link& root) noexcept {
    if (root.ended != on_ended) return {};
    auto& self = static_cast<waiting_root&>(root);
    return {self.waiter_, self.waiter_kind_};
  }

  // For a waiter that is being destroyed, right before the coroutine's innermost wait is stopped.
  void forget_waiter() noexcept {
    ended = [](root_link&, frame_end) noexcept {};
  }

 protected:
  waiting_root() noexcept : root_link(on_ended) { child = nullptr; }
  ~waiting_root() = default;

  // The body runs inside of this until its first real wait. If it ends or yields before, the awaiter goes on without a hop.
  bool run_child(promise_base& promise, waiting_node by) noexcept {
    promise.start_as_root(*this, *on_);
    promise.enter();
    waiter_ = by.node;
    waiter_kind_ = by.kind;
    phase_ = phase::starting;
    child.resume();
    if (phase_ == phase::ended) return false;
    phase_ = phase::started;
    return true;
  }

 private:
  enum class phase : unsigned char { idle, starting, started, ended };

  static void on_ended(root_link& link, frame_end how) noexcept {
    auto& self = static_cast<waiting_root&>(link);
    self.how_ = how;
    const bool at_once = self.phase_ == phase::starting;
    self.phase_ = phase::ended;
    if (!at_once) wake(*self.waiter_);
  }

  strand* on_ = nullptr;
  // A waiting_node in parts: the kind and the phase are stored as one.
  resumable* waiter_ = nullptr;
  waiter_kind waiter_kind_ = waiter_kind::other;
  // Plain, since a strand's coroutines run where start runs: with one worker nothing can end in between.
  phase phase_ = phase::idle;
  frame_end how_ = frame_end::completed;
};

template <class Promise>
class task_operation : public waiting_root {
  using value_type = typename Promise::value_type;

 public:
  static constexpr const char* name = "a task";

  // An async has no frame where there was no memory for it.
  explicit task_operation(std::coroutine_handle<> frame) noexcept {
    child = frame;
    if constexpr (takes_error<value_type>) {
      if (!frame) std::construct_at(&failure, errc::out_of_memory);
    }
  }
  // Movable until it is started.
  task_operation(task_operation&& other) noexcept : task_operation(std::exchange(other.child, {})) {}
  task_operation& operator=(task_operation&&) = delete;
  ~task_operation() {
    if (!child) return;
    if (child_promise().value.state() == outcome_state::exception) std::destroy_at(&exception);
    child.destroy();
  }

  bool ready() const noexcept {
    if constexpr (takes_error<value_type>) return !child;
    return false;
  }
  bool start(waiting_node by) noexcept { return run_child(child_promise(), by); }

  value_type get() {
    if constexpr (takes_error<value_type>) {
      if (!child) return failed_as<value_type>(failure);
    }
    return take_from(*this, child_promise().value);
  }

 private:
  Promise& child_promise() noexcept { return promise_of<Promise>(child); }
};

}  // namespace cordage::detail
