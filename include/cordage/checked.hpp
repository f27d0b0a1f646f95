// `!x`, in words checked(x): the value, or my caller's problem.
//
//   task<>  t: auto n = co_await !peer.read_some(buffer);      async<> a: the same
//   fiber:     auto n = await(!peer.read_some(buffer));
//
// For whatever completes with a result<T>, or another std::expected whose error converts to std::error_code. In a
// coroutine whose own value is a result, or an expected whose error std::error_code converts to, the error completes that
// coroutine, without exceptions: the statements after it do not run, the frame is destroyed, and so on outwards
// through callers that also said `!`. In any other task, and in a fiber, it is thrown as std::system_error.
//
// Deleted for result<bool>, where `!` would read as a negation: await it and look.
//
// Any thread; takes over a temporary, refers to an lvalue, which then has to outlive the wait.
#pragma once

#include <type_traits>
#include <utility>

#include <cordage/context/operation.hpp>
#include <cordage/result.hpp>

namespace cordage {

template <class X>
class [[nodiscard]] checked_awaitable {
 public:
  explicit checked_awaitable(X&& x) : what(static_cast<X&&>(x)) {}

  X what;  // a reference where an lvalue was checked
};

namespace detail {

template <class X>
concept gives_result = operation_like<X> && gives_error<await_result<X>>;

template <class X>
concept gives_result_of_bool = gives_result<X> && std::is_same_v<typename await_result<X>::value_type, bool>;

// Combinators, which tell their children.
template <class X>
concept becomes_checked = requires(X&& x) { std::forward<X>(x).when_checked(); };

template <class X>
concept reads_as_negation =
    gives_result_of_bool<X> || (becomes_checked<X> && gives_result_of_bool<decltype(std::declval<X>().when_checked())>);

template <class T>
inline constexpr bool is_checked = false;
template <class X>
inline constexpr bool is_checked<checked_awaitable<X>> = true;

}  // namespace detail

template <class X>
  requires(detail::gives_result<X> || detail::becomes_checked<X>)
[[nodiscard]] auto checked(X&& x) {
  if constexpr (detail::becomes_checked<X>) {
    using told = decltype(std::forward<X>(x).when_checked());
    return checked_awaitable<told>(std::forward<X>(x).when_checked());
  } else {
    return checked_awaitable<X>(std::forward<X>(x));
  }
}

template <class X>
  requires(detail::gives_result<X> || detail::becomes_checked<X>)
[[nodiscard]] auto operator!(X&& x) {
  return checked(std::forward<X>(x));
}

// "!flag" of a result<bool> reads as "flag is false", also of one that a combinator gives when it is checked: await it,
// then look at the error and at the value.
template <class X>
  requires detail::reads_as_negation<X>
void checked(X&& x) = delete;
template <class X>
  requires detail::reads_as_negation<X>
void operator!(X&& x) = delete;

namespace detail {
// Operations are found by argument-dependent look-up in the namespace they live in.
using cordage::operator!;
}  // namespace detail

}  // namespace cordage
