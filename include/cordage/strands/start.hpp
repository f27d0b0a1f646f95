// The one rule for starting things: a callable that returns a task or an async runs stackless, any other runs on a
// fiber. A callable whose result is another operation is refused, or `spawn([]{ return sleep_for(1s); })` would never
// sleep.
#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>

#include <cordage/base/closure.hpp>
#include <cordage/base/config.hpp>
#include <cordage/strands/awaiter.hpp>

namespace cordage::detail {

template <class T>
struct unwrapped_reference {
  using type = T;
};
template <class T>
struct unwrapped_reference<std::reference_wrapper<T>> {
  using type = T&;
};

// How a stored argument is passed: std::ref as the reference, anything else moved out of the strand.
template <class Arg>
constexpr decltype(auto) pass(Arg& stored) noexcept {
  if constexpr (requires { typename Arg::type; requires std::is_same_v<Arg, std::reference_wrapper<typename Arg::type>>; }) {
    return static_cast<typename Arg::type&>(stored);
  } else {
    return static_cast<Arg&&>(stored);
  }
}

// What calling a stored F with stored Args gives.
template <class F, class... Args>
using call_result = decltype(std::invoke(std::declval<std::decay_t<F>&>(), pass(std::declval<std::decay_t<Args>&>())...));

// A callable with its arguments, stored by value. It is called once, and lives as long as what the call started: a
// lambda that is a coroutine may use its captures.
template <class F, class... Args>
class stored_call {
 public:
  template <class G, class... As>
  explicit stored_call(G&& f, As&&... args) : f_(std::forward<G>(f)), args_(std::forward<As>(args)...) {}

  CORDAGE_COROUTINE_WRAPPER decltype(auto) operator()() { return call(std::index_sequence_for<Args...>()); }

 private:
  template <std::size_t... I>
  CORDAGE_COROUTINE_WRAPPER decltype(auto) call(std::index_sequence<I...>) {
    if constexpr (std::is_member_pointer_v<F>) {
      return std::invoke(f_, pass(std::get<I>(args_))...);
    } else {
      return f_(pass(std::get<I>(args_))...);
    }
  }

  F f_;
  std::tuple<Args...> args_;
};

template <class F, class... Args>
using stored_call_of = stored_call<std::decay_t<F>, std::decay_t<Args>...>;

// The value of what was started: of the task that the callable returned, or what the callable itself returned.
template <class R>
struct started_value {
  static_assert(!awaitable_here<R> && !is_checked<R>,
                "this callable returns an operation, which would never be waited for: pass the operation itself, or "
                "await it in the callable");
  using type = R;
};
template <task_like R>
struct started_value<R> {
  using type = typename R::promise_type::value_type;
};

template <class F, class... Args>
using started_value_of = typename started_value<call_result<F, Args...>>::type;

template <class F, class... Args>
inline constexpr bool runs_stackless = task_like<call_result<F, Args...>>;

// Declared only: what a task gets from `co_await x`.
template <class X>
  requires awaitable_here<X>
auto value_when_awaited(X&&) -> awaited_value<X>;
template <class X>
auto value_when_awaited(checked_awaitable<X>&&) -> typename await_result<X>::value_type;

template <class X>
concept awaitable_or_checked = requires(X&& x) { detail::value_when_awaited(std::forward<X>(x)); };

// What gives a result when awaited, which nobody should drop by accident.
template <class X>
concept result_when_awaited = awaitable_or_checked<X> && is_expected<decltype(detail::value_when_awaited(std::declval<X>()))>;

// What can be stored in a strand of its own and awaited there.
template <class X>
concept spawnable = awaitable_or_checked<std::decay_t<X>> && std::constructible_from<std::decay_t<X>, X>;

template <class F, class... Args>
concept startable = std::invocable<std::decay_t<F>&, decltype(pass(std::declval<std::decay_t<Args>&>()))...>;

// Overloads for this only explain it.
template <class F, class... Args>
concept neither_startable_nor_awaitable = !startable<F, Args...> && !(sizeof...(Args) == 0 && spawnable<F>);

template <class F>
consteval void explain_unstartable() {
  static_assert(!std::is_same_v<F, F>,
                "spawn: this cannot be called with these arguments, nor can it be awaited. Arguments are kept by value "
                "and given as rvalues; std::ref(x) passes a reference");
}

}  // namespace cordage::detail
