// fiber<R>, await and this_fiber: the stackful strands.
//
//   int deep(cordage::tcp::stream& peer) { return parse(cordage::await(!peer.read_some(buffer))); }   // any depth
//   cordage::fiber f{deep, std::ref(peer)};
//   int value = co_await f;                         // in a task; in a fiber: await(f)
//
// A fiber is a function and its arguments on a stack of its own. Where a task says co_await, code on a fiber says
// await, from any depth of ordinary calls. A fiber stays on the thread where it started.
#pragma once

#include <concepts>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>

#include <cordage/checked.hpp>
#include <cordage/stack_options.hpp>
#include <cordage/strands/fiber_base.hpp>
#include <cordage/strands/outcome.hpp>
#include <cordage/strands/start.hpp>

namespace cordage {

// await was called where there is no fiber to suspend.
class not_in_fiber : public std::logic_error {
 public:
  not_in_fiber()
      : std::logic_error("cordage: await was called outside a fiber; a task waits with co_await, a plain thread with "
                         "sync_wait") {}
};

namespace detail {

// Throws. Not declared noreturn, see coroutine_base::unwind.
CORDAGE_RARELY_THROWS inline void refuse_to_await() {
  throw_exception<not_in_fiber>("await was called outside a fiber");
}

CORDAGE_ALWAYS_INLINE fiber_base& require_fiber() {
  fiber_base* const fiber = fiber_base::current();
  if (fiber == nullptr) [[unlikely]] refuse_to_await();
  return *fiber;
}

// Inline all the way, so that the compiler saves only what lives across the wait.
template <class Op>
CORDAGE_ALWAYS_INLINE decltype(auto) await_operation(fiber_base& fiber, Op& op) {
  if constexpr (requires { op.attach(fiber.its_strand()); }) op.attach(fiber.its_strand());
  if constexpr (!begins_although_stopped<Op>) fiber.before_wait();
  if (op.ready()) {
    fiber.after_ready();
  } else {
    fiber.wait_for(op);
  }
  if (was_stopped(op)) [[unlikely]] fiber.unwind();
  return op.get();
}

// What a wait gives where nothing can be thrown: a stop is an error. It stays one for all later waits; those take turns, so
// that a loop which overlooks the error does not keep other strands from going on.
template <class Given, class Op>
CORDAGE_ALWAYS_INLINE Given await_result_of(fiber_base& fiber, Op& op) {
  if constexpr (requires { op.attach(fiber.its_strand()); }) op.attach(fiber.its_strand());
  if (fiber.must_stop()) [[unlikely]] {
    fiber.after_ready();
    return failed_as<Given>(errc::stopped);
  }
  if (op.ready()) {
    fiber.after_ready();
  } else {
    fiber.wait_for(op);
  }
  if (fiber.wait_was_stopped() || was_stopped(op)) [[unlikely]] return failed_as<Given>(errc::stopped);
  using value = decltype(op.get());
  if constexpr (std::is_void_v<value>) {
    op.get();
    return {};
  } else if constexpr (std::is_same_v<std::remove_cvref_t<value>, Given>) {
    return op.get();
  } else {
    return Given(std::in_place, op.get());
  }
}

template <class X>
CORDAGE_ALWAYS_INLINE decltype(auto) await_here(X&& x) {
  fiber_base& fiber = require_fiber();
  auto&& op = waited_for(std::forward<X>(x));
  if constexpr (config::exceptions) {
    return await_operation(fiber, op);
  } else {
    return await_result_of<as_result_of<awaited_value<X>>>(fiber, op);
  }
}

}  // namespace detail

// Waits on the current fiber for whatever a task can co_await: an operation, a task, an async, a fiber, each also
// behind a `!`, and gives what it completes with; `!` throws std::system_error for an error.
//
// Resumes on this fiber's thread. When the strand is stopped the stack is unwound by an exception that is no
// std::exception: a catch (...) has to throw it on. Throws not_in_fiber outside of a fiber.
//
// Without exceptions it gives a result of what it gives otherwise, unless that takes an error itself, and does not take
// `!`. When the strand is stopped, this wait and all later ones give errc::stopped at once, and the fiber has to return;
// one that then returns errc::stopped itself ends as stopped.
template <class X>
  requires detail::awaitable_here<X>
CORDAGE_ALWAYS_INLINE decltype(auto) await(X&& x) {
  return detail::await_here(std::forward<X>(x));
}

// A result is to be looked at.
template <class X>
  requires(detail::awaitable_here<X> && (detail::is_expected<detail::awaited_value<X>> || !config::exceptions))
[[nodiscard]] CORDAGE_ALWAYS_INLINE auto await(X&& x) {
  return detail::await_here(std::forward<X>(x));
}

template <class X>
CORDAGE_ALWAYS_INLINE auto await(checked_awaitable<X>&& x) {
  static_assert(config::exceptions || !std::is_same_v<X, X>,
                "await: `!` would throw the error, and there are no exceptions here: await without it, and look at the result");
  detail::fiber_base& fiber = detail::require_fiber();
  auto&& op = detail::as_operation(std::forward<X>(x.what));
  return detail::value_or_raise(detail::await_operation(fiber, op), op);
}

template <class X>
  requires(!detail::awaitable_here<X> && !detail::is_checked<std::remove_cvref_t<X>>)
void await(X&&) {
  constexpr bool is_bool = std::is_same_v<std::remove_cvref_t<X>, bool>;
  static_assert(!is_bool, "await: this is a bool: `!` asks a result that is in hand whether it has no value. It means the value, "
                          "or my caller's problem, before an operation only");
  static_assert(is_bool, "await: this cannot be awaited; it is no task, async, fiber or operation of cordage and has none of "
                         "what the language asks of an awaitable");
}

using fiber_options = stack_options;

namespace detail {

// Without exceptions: a fiber that was stopped passes the error on which it was told so. To those who wait that is a stop,
// and no failure that somebody would have to answer for.
template <class Result>
bool hands_on_stop(const fiber_base& self, const Result& given) {
  return !given && self.its_strand().stopping() && error(given.error()) == errc::stopped;
}

// Runs a call on a fiber and keeps what becomes of it. A stop is an outcome like the others.
template <class R, class Call>
void run_on_fiber(fiber_base& self, outcome<R>& into, Call& call) noexcept {
  catching_special<stack_unwind>(
      [&] {
        if constexpr (std::is_void_v<R>) {
          call();
          into.set_value();
        } else {
          into.set_value(call());
        }
        if constexpr (!config::exceptions && gives_error<R>) {
          if (hands_on_stop(self, into.value())) into.set_stopped();
        }
      },
      [&](stack_unwind& unwound) {
        if (unwound.arrives_at(self)) {
          into.set_stopped();
        } else {
          into.set_exception(std::current_exception());
        }
      },
      [&](std::exception_ptr exception) {
        if constexpr (takes_error<R> && config::hosted) {
          catching_special<std::system_error>([&] { std::rethrow_exception(exception); },
                                              [&](std::system_error& e) { into.set_value(failed_as<R>(e.code())); },
                                              [&](std::exception_ptr other) { into.set_exception(std::move(other)); });
        } else {
          into.set_exception(std::move(exception));
        }
      });
}

// A fiber that is awaited: part of the strand that awaits it.
class waited_for_fiber : public fiber_base {
 public:
  using fiber_base::fiber_base;

  waiting_node awaited_by() noexcept override { return waiter; }

  waiting_node waiter;  // set when it is launched

 protected:
  void ended() noexcept override { wake(*waiter.node); }
};

template <class R>
class awaited_fiber : public waited_for_fiber {
 public:
  using waited_for_fiber::waited_for_fiber;

  outcome<R> value;

  // The right function to destroy it by depends on the stored call, which the owner does not know.
  void (*destroy)(awaited_fiber*) noexcept = nullptr;
};

template <class R, class Call>
class awaited_fiber_of final : public awaited_fiber<R> {
 public:
  template <class... Args>
  awaited_fiber_of(stack& on_stack, void* frames_top, std::string_view name, Args&&... args)
      : awaited_fiber<R>(on_stack, frames_top, name), call_(std::forward<Args>(args)...) {
    this->destroy = [](awaited_fiber<R>* self) noexcept { destroy_on_stack(static_cast<awaited_fiber_of*>(self)); };
  }

 private:
  void body() noexcept override { run_on_fiber(*this, this->value, call_); }

  Call call_;
};

template <class R>
struct fiber_deleter {
  void operator()(awaited_fiber<R>* fiber) const noexcept { fiber->destroy(fiber); }
};

template <class R>
using fiber_pointer = std::unique_ptr<awaited_fiber<R>, fiber_deleter<R>>;

// A fiber as something to wait for. It runs first from the executor's queue, so that no stack grows.
template <class R>
class fiber_operation {
 public:
  static constexpr const char* name = "a fiber";

  explicit fiber_operation(fiber_pointer<R> fiber) noexcept : fiber_(std::move(fiber)) {}

  void attach(strand& on) noexcept { on_ = &on; }
  bool ready() const noexcept { return false; }
  bool start(waiting_node by) noexcept {
    fiber_->waiter = by;
    fiber_->launch(*on_);
    return true;
  }
  // The fiber's innermost wait is what a stop withdraws; one that has not begun begins and stops at its first wait.
  static constexpr bool always_too_late = true;
  cancel_result cancel() noexcept { return cancel_result::too_late; }
  bool stopped() const noexcept { return fiber_->value.state() == outcome_state::stopped; }
  R get() { return fiber_->value.take(); }

 private:
  fiber_pointer<R> fiber_;
  strand* on_ = nullptr;
};

}  // namespace detail

// A function and its arguments, kept by value on the fiber's own stack; lazy, move-only, awaited once for what the
// function returns. Its exceptions are thrown at the await; where it returns a result, a std::system_error that
// escapes becomes the error. Runs on the strand that awaits it. Creating one throws std::system_error when there is
// no more memory for stacks. Any thread until it is awaited.
template <class R>
class [[nodiscard]] fiber {
 public:
  template <class F, class... Args>
    requires(detail::startable<F, Args...> && !std::same_as<std::remove_cvref_t<F>, fiber>)
  explicit fiber(F&& f, Args&&... args) : fiber(fiber_options{}, std::forward<F>(f), std::forward<Args>(args)...) {}

  template <class F, class... Args>
    requires detail::startable<F, Args...>
  fiber(const fiber_options& options, F&& f, Args&&... args) {
    using call = detail::stored_call_of<F, Args...>;
    static_assert(!detail::awaitable_here<R>, "this function returns a task or an operation: await that instead");
    fiber_.reset(detail::make_on_stack<detail::awaited_fiber_of<R, call>>(
        options, std::forward<F>(f), std::forward<Args>(args)...));
  }

  // False once it was moved from or awaited.
  bool valid() const noexcept { return fiber_ != nullptr; }

  auto as_operation() && noexcept {
    detail::expects(valid(), "a fiber was awaited that had been moved from or awaited before");
    return detail::fiber_operation<R>(std::move(fiber_));
  }
  auto as_operation() & noexcept { return std::move(*this).as_operation(); }

 private:
  detail::fiber_pointer<R> fiber_;
};

template <class F, class... Args>
explicit fiber(F&&, Args&&...) -> fiber<detail::call_result<F, Args...>>;
template <class F, class... Args>
fiber(fiber_options, F&&, Args&&...) -> fiber<detail::call_result<F, Args...>>;

namespace this_fiber {

// Whether the caller runs on a fiber, and so may await.
inline bool running() noexcept { return detail::fiber_base::current() != nullptr; }

// The name from its options, "unnamed" without one, empty outside of a fiber. Good while the fiber lives.
inline std::string_view name() noexcept {
  const detail::fiber_base* const fiber = detail::fiber_base::current();
  return fiber == nullptr ? std::string_view{} : fiber->name();
}

// How much of its stack has been touched, in bytes, rounded up to pages; counts pages that an earlier user of the recycled stack
// has touched. 0 outside of a fiber.
inline std::size_t stack_high_water() noexcept {
  const detail::fiber_base* const fiber = detail::fiber_base::current();
  return fiber == nullptr ? 0 : detail::touched_bytes(fiber->its_stack());
}

}  // namespace this_fiber
}  // namespace cordage
