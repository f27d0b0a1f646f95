// How a coroutine of ours waits for an operation or for another coroutine.
//
// The wait: check stop; take what is ready, out of the turn's budget, and when that is gone let others have a turn
// first, so that operations that are always ready cannot starve other strands; else publish the wait and start the
// operation. Everything runs on the strand's executor.
#pragma once

#include <concepts>
#include <coroutine>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include <cordage/base/exceptions.hpp>
#include <cordage/base/fatal.hpp>
#include <cordage/checked.hpp>
#include <cordage/context/operation.hpp>
#include <cordage/strands/foreign.hpp>
#include <cordage/strands/promise.hpp>
#include <cordage/strands/waiting_node.hpp>

namespace cordage::detail {

// What becomes of an error: given to the awaiting code, passed on to its caller, or thrown.
enum class error_mode { give, propagate, raise };

[[noreturn]] inline void raise(error failure) {
  if constexpr (config::hosted) {
    throw_exception<std::system_error>("an error reached code that cannot take it", failure);
  } else {
    fatal("an error reached code that cannot take it");
  }
}

// The value of a result that is no error.
template <class Result>
typename std::remove_cvref_t<Result>::value_type value_of(Result&& r) {
  if constexpr (!std::is_void_v<typename std::remove_cvref_t<Result>::value_type>) return *std::forward<Result>(r);
}

// For an error of an operation that can say what it did.
template <class Op>
[[noreturn]] CORDAGE_RARELY_THROWS void raise(error failure, [[maybe_unused]] const Op& of) {
  if constexpr (requires { of.described(); }) {
    throw_exception<std::system_error>("an error reached code that cannot take it", failure, of.described());
  } else {
    raise(failure);
  }
}

template <class Result, class Op>
auto value_or_raise(Result&& r, const Op& of) {
  if (!r) [[unlikely]] raise(r.error(), of);
  return value_of(std::forward<Result>(r));
}

// What waits: a stop has to know of it only if it can withdraw the operation.
template <class Op>
using node_for = std::conditional_t<can_be_withdrawn<std::remove_reference_t<Op>>, wait, resumable>;

// A coroutine's wait for an operation. Op is a reference where an lvalue is awaited.
template <class Op, error_mode Mode>
class awaiter : coroutine_node<node_for<Op>> {
  using operation_type = std::remove_reference_t<Op>;
  using result_type = decltype(std::declval<operation_type&>().get());
  static constexpr bool propagates = Mode == error_mode::propagate;
  static constexpr bool leaves_result = Mode == error_mode::give && is_expected<std::remove_cvref_t<result_type>>;
  static constexpr bool withdrawable = can_be_withdrawn<operation_type>;

  // Whether a complete operation may still keep the coroutine from going on.
  static constexpr bool must_settle = propagates || may_stop<operation_type>;

 public:
  template <class X>
  awaiter(X&& awaited, [[maybe_unused]] promise_base& by) : op_(waited_for(std::forward<X>(awaited))) {
    if constexpr (requires { op_.attach(*by.on); }) op_.attach(*by.on);
  }
  awaiter(const awaiter&) = delete;
  awaiter& operator=(const awaiter&) = delete;

  // Everything is decided in one place, once.
  bool await_ready() const noexcept { return false; }

  bool await_suspend(std::coroutine_handle<> self) {
    promise_base& by = promise_of(self);
    if constexpr (!begins_although_stopped<operation_type>) {
      if (by.stopping()) [[unlikely]] return queue(self, stop);
    }
    if (!op_.ready() && start(self)) return true;
    if (!can_go_on()) [[unlikely]] return queue(self, end);
    return by.home->spend() ? false : queue(self, resume);
  }

  // A result that is given is to be looked at.
  [[nodiscard]] decltype(auto) await_resume()
    requires leaves_result
  {
    return op_.get();
  }
  decltype(auto) await_resume() {
    if constexpr (propagates) {
      return value_of(settled_.take());
    } else if constexpr (Mode == error_mode::raise) {
      return value_or_raise(op_.get(), op_);
    } else {
      return op_.get();
    }
  }

 private:
  // The operation is complete: true if the coroutine may be resumed.
  bool can_go_on() {
    if (was_stopped(op_)) return false;
    if constexpr (propagates) {
      run_into(settled_, [this]() -> decltype(auto) { return op_.get(); });
      return settled_.state() == outcome_state::exception || settled_.value().has_value();
    }
    return true;
  }

  // What is ready needs no node.
  void prepare_node(std::coroutine_handle<> self, void (*then)(resumable&)) noexcept {
    this->waiter_ = self;
    this->home = promise_of(self).home;
    this->run = then;
  }

  // True: the operation is under way, and neither it nor this awaiter may be touched any more.
  bool start(std::coroutine_handle<> self) {
    promise_base& by = promise_of(self);
    prepare_node(self, completed);
    if constexpr (withdrawable) {
      this->type = &type_of;
      by.on->waiting_on = this;
    }
    if (op_.start(static_cast<coroutine_node<node_for<Op>>&>(*this))) return true;
    if constexpr (withdrawable) by.on->waiting_on = nullptr;
    return false;
  }

  // Takes a turn of the queue first.
  bool queue(std::coroutine_handle<> self, void (*then)(resumable&)) noexcept {
    prepare_node(self, then);
    wake(*this);
    return true;
  }

  // What the executor runs: the operation has completed;
  static void completed(resumable& node) {
    auto& self = static_cast<awaiter&>(node);
    promise_base& by = promise_of(self.waiter_);
    by.enter();
    if constexpr (withdrawable) by.on->waiting_on = nullptr;
    if constexpr (must_settle) {
      if (!self.can_go_on()) return end(self);
    }
    self.waiter_.resume();
  }

  // the coroutine goes on with what has completed before;
  static void resume(resumable& node) {
    auto& self = static_cast<awaiter&>(node);
    promise_of(self.waiter_).enter();
    self.waiter_.resume();
  }

  // the strand was stopped before the operation was begun;
  static void stop(resumable& node) {
    promise_base& by = promise_of(static_cast<awaiter&>(node).waiter_);
    by.enter();
    unwind_stopped(by);
  }

  // the operation ended in a way that ends the coroutine. Its frame, where this awaiter lives, is gone afterwards.
  static void end(resumable& node) {
    auto& self = static_cast<awaiter&>(node);
    promise_base& by = promise_of(self.waiter_);
    by.enter();
    if constexpr (propagates) {
      if (self.settled_.state() == outcome_state::value) return propagate(by, self.settled_.value().error()).resume();
    }
    unwind_stopped(by);
  }

  // For the walk that stops the strand.
  static cancel_result cancel(wait& w) noexcept { return static_cast<awaiter&>(w).op_.cancel(); }
  static void stopped(wait& w) noexcept { unwind_stopped(promise_of(static_cast<awaiter&>(w).waiter_)); }
  static void shown(wait& w, onlooker& to) {
    auto& self = static_cast<awaiter&>(w);
    to.waits({.frame = self.waiter_, .promise = &promise_of(self.waiter_)});
    detail::show(self.op_, to);
  }
  static constexpr wait_type type_of{cancel, stopped, nullptr, operation_name<operation_type>, shown};

  Op op_;  // made in place, which GCC does not do where the place may be shared
  // What an error is looked for in before the coroutine is resumed; an exception waits there until it is.
  struct nothing {};
  [[no_unique_address]] std::conditional_t<propagates, outcome<result_type>, nothing> settled_;
};

// A coroutine's wait for another one: symmetric transfer, no node. Child is the awaited promise's type.
template <class Child, error_mode Mode>
class task_awaiter : task_link {
  using value_type = typename Child::value_type;

 public:
  // Takes the frame over. An async has none where there was no memory for it.
  explicit task_awaiter(std::coroutine_handle<> frame) noexcept {
    child = frame;
    if constexpr (is_expected<value_type>) {
      propagates = Mode == error_mode::propagate;
      if (!frame) [[unlikely]] std::construct_at(&failure, errc::out_of_memory);
    }
  }
  task_awaiter(const task_awaiter&) = delete;
  task_awaiter& operator=(const task_awaiter&) = delete;
  ~task_awaiter() {
    if (child) child.destroy();
  }

  bool await_ready() const noexcept {
    if constexpr (takes_error<value_type> && Mode != error_mode::propagate) return !child;
    return false;
  }

  std::coroutine_handle<> await_suspend(std::coroutine_handle<> self) noexcept {
    promise_base& by = promise_of(self);
    if constexpr (takes_error<value_type>) {
      if (!child) [[unlikely]] return propagate(by, failure);
    }
    if (by.stopping()) [[unlikely]] {
      unwind_stopped(by);
      return std::noop_coroutine();
    }
    continuation = self;
    const std::coroutine_handle<> frame = child;
    Child& promise = child_promise();
    promise.link = this;
    promise.on = by.on;
    promise.home = by.home;
    return frame;
  }

  [[nodiscard]] decltype(auto) await_resume()
    requires(Mode == error_mode::give && is_expected<value_type>)
  {
    return taken();
  }
  decltype(auto) await_resume() {
    if constexpr (Mode == error_mode::propagate) {
      return value_of(take_from(*this, child_promise().value));
    } else if constexpr (Mode == error_mode::raise) {
      return value_or_raise(taken(), *this);
    } else {
      return taken();
    }
  }

 private:
  Child& child_promise() noexcept { return promise_of<Child>(child); }

  value_type taken() {
    if constexpr (takes_error<value_type>) {
      if (!child) [[unlikely]] return failed_as<value_type>(failure);
    }
    return take_from(*this, child_promise().value);
  }
};

// The coroutine types of ours: task, async.
template <class X>
concept task_like = requires(X& x) {
  typename X::promise_type::value_type;
  { x.release_frame() } -> std::same_as<std::coroutine_handle<>>;
};

template <error_mode Mode, class X>
auto make_awaiter(X&& x, [[maybe_unused]] promise_base& by) {
  using plain = std::remove_cvref_t<X>;
  if constexpr (task_like<plain>) {
    return task_awaiter<typename plain::promise_type, Mode>(x.release_frame());
  } else {
    using kept = kept_of<decltype(waited_for(std::forward<X>(x)))>;
    return awaiter<kept, Mode>(std::forward<X>(x), by);
  }
}

}  // namespace cordage::detail
