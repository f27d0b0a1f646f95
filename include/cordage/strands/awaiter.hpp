// How a coroutine of ours waits for an operation or for another coroutine.
//
// The wait: check stop; spend the strand's budget, and when it is gone queue the node once and ask again when it is
// run, so that operations that are always ready cannot starve other strands; else publish the wait and start the
// operation. Everything runs on the strand's executor.
#pragma once

#include <coroutine>
#include <optional>
#include <type_traits>
#include <utility>

#include <cordage/base/exceptions.hpp>
#include <cordage/base/fatal.hpp>
#include <cordage/checked.hpp>
#include <cordage/context/operation.hpp>
#include <cordage/strands/promise.hpp>

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

template <class Result>
auto value_or_raise(Result&& r) {
  if (!r) [[unlikely]] raise(r.error());
  return value_of(std::forward<Result>(r));
}

// A coroutine's wait for an operation.
struct task_wait : wait {
  std::coroutine_handle<> waiter;
  promise_base* promise = nullptr;

  static void stopped(wait& w) noexcept { unwind_stopped(*static_cast<task_wait&>(w).promise); }
};

// Op is a reference where an lvalue is awaited.
template <class Op, error_mode Mode>
class awaiter : task_wait {
  using operation_type = std::remove_reference_t<Op>;
  using result_type = decltype(std::declval<operation_type&>().get());
  static constexpr bool propagates = Mode == error_mode::propagate;

  // Whether a complete operation may still keep the coroutine from going on.
  static constexpr bool must_settle = propagates || may_stop<operation_type>;

 public:
  awaiter(Op&& op, promise_base& by) : op_(static_cast<Op&&>(op)) {
    promise = &by;
    if constexpr (requires { op_.attach(*by.on); }) op_.attach(*by.on);
  }
  awaiter(const awaiter&) = delete;
  awaiter& operator=(const awaiter&) = delete;

  bool await_ready() {
    strand& s = *promise->on;
    if (s.stopping() || --s.budget <= 0) [[unlikely]] return false;
    return op_.ready() && can_go_on();
  }

  bool await_suspend(std::coroutine_handle<> self) noexcept {
    strand& s = *promise->on;
    waiter = self;
    home = s.home;
    type = &this_type;
    if (s.stopping() || s.budget <= 0 || settled_badly()) [[unlikely]] return queue();
    run = completed;
    s.waiting_on = this;
    if (op_.start(*this)) return true;
    s.waiting_on = nullptr;
    return can_go_on() ? false : queue();
  }

  decltype(auto) await_resume() {
    if constexpr (propagates) {
      return value_of(std::move(*settled_));
    } else if constexpr (Mode == error_mode::raise) {
      return value_or_raise(op_.get());
    } else {
      return op_.get();
    }
  }

 private:
  // The operation is complete: true if the coroutine may be resumed.
  bool can_go_on() {
    if constexpr (may_stop<operation_type>) {
      if (op_.stopped()) return !(stopped_ = true);
    }
    if constexpr (propagates) {
      settled_.emplace(op_.get());
      return settled_->has_value();
    }
    return true;
  }

  bool settled_badly() const noexcept {
    if constexpr (propagates) {
      if (settled_ && !settled_->has_value()) return true;
    }
    return stopped_;
  }

  // Takes a turn of the queue before it is decided how to go on.
  bool queue() noexcept {
    run = turn;
    home->schedule(*this);
    return true;
  }

  static void turn(resumable& node) noexcept {
    auto& self = static_cast<awaiter&>(node);
    strand& s = *self.promise->on;
    s.going_on();
    if (self.settled_badly()) return self.end();
    if (s.stopping()) return unwind_stopped(*self.promise);
    if (!self.op_.ready()) {
      self.run = completed;
      s.waiting_on = &self;
      if (self.op_.start(self)) return;
      s.waiting_on = nullptr;
    }
    self.go_on();
  }

  static void completed(resumable& node) noexcept {
    auto& self = static_cast<awaiter&>(node);
    self.promise->on->going_on();
    self.go_on();
  }

  void go_on() noexcept {
    if constexpr (must_settle) {
      if (!can_go_on()) return end();
    }
    waiter.resume();
  }

  // Neither the coroutine nor this awaiter, which lives in its frame, exists any more when this returns.
  void end() noexcept {
    if constexpr (propagates) {
      if (!stopped_) return propagate(*promise, settled_->error()).resume();
    }
    unwind_stopped(*promise);
  }

  static cancel_result cancel(wait& w) noexcept { return static_cast<awaiter&>(w).op_.cancel(); }

  static constexpr wait_type this_type{cancel, task_wait::stopped, nullptr};

  struct nothing {};
  Op op_;
  [[no_unique_address]] std::conditional_t<propagates, std::optional<result_type>, nothing> settled_;
  bool stopped_ = false;
};

// A coroutine's wait for another one: symmetric transfer, no node. Child is the awaited promise's type.
template <class Child, error_mode Mode>
class task_awaiter : task_link {
  using value_type = typename Child::value_type;

 public:
  // Takes the frame over. Without one, `absent` is the error that its creation failed with.
  task_awaiter(std::coroutine_handle<> frame, error absent, promise_base& by) noexcept {
    child = frame;
    failure = absent;
    parent = &by;
    propagates = Mode == error_mode::propagate;
  }
  task_awaiter(const task_awaiter&) = delete;
  task_awaiter& operator=(const task_awaiter&) = delete;
  ~task_awaiter() {
    if (child) child.destroy();
  }

  bool await_ready() const noexcept {
    if constexpr (is_result<value_type> && Mode != error_mode::propagate) return !child;
    return false;
  }

  std::coroutine_handle<> await_suspend(std::coroutine_handle<> self) noexcept {
    if constexpr (is_result<value_type>) {
      if (!child) [[unlikely]] return propagate(*parent, failure);
    }
    if (parent->on->stopping()) [[unlikely]] {
      unwind_stopped(*parent);
      return std::noop_coroutine();
    }
    Child& promise = child_promise();
    promise.continuation = self;
    promise.link = this;
    promise.on = parent->on;
    return child;
  }

  decltype(auto) await_resume() {
    if constexpr (Mode == error_mode::propagate) {
      return value_of(child_promise().value.take());
    } else if constexpr (Mode == error_mode::raise) {
      return value_or_raise(taken());
    } else {
      return taken();
    }
  }

 private:
  Child& child_promise() noexcept { return std::coroutine_handle<Child>::from_address(child.address()).promise(); }

  value_type taken() {
    if constexpr (is_result<value_type>) {
      if (!child) [[unlikely]] return fail(failure);
    }
    return child_promise().value.take();
  }
};

// The coroutine types of ours: task, async.
template <class X>
concept task_like = requires(X& x) {
  typename X::promise_type::value_type;
  { x.release_frame() } -> std::same_as<std::coroutine_handle<>>;
  { x.creation_error() } -> std::same_as<error>;
};

template <error_mode Mode, class X>
auto make_awaiter(X&& x, promise_base& by) {
  using plain = std::remove_cvref_t<X>;
  if constexpr (task_like<plain>) {
    const error absent = x.creation_error();
    return task_awaiter<typename plain::promise_type, Mode>(x.release_frame(), absent, by);
  } else {
    using given = decltype(as_operation(std::forward<X>(x)));
    using kept = std::conditional_t<std::is_lvalue_reference_v<given>, given, std::remove_reference_t<given>>;
    return awaiter<kept, Mode>(as_operation(std::forward<X>(x)), by);
  }
}

template <class X>
concept awaitable_here = task_like<std::remove_cvref_t<X>> || operation_like<X>;

}  // namespace cordage::detail
