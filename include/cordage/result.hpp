// result<T>: what every operation that can fail completes with, a value or an error.
//
// Any thread. A result owns its value. Errors are expected outcomes; broken promises of the caller are not results
// but assertions or std::logic_error. See checked.hpp for `!op`, "the value, or my caller's problem".
#pragma once

#include <cordage/base/config.hpp>

#include <expected>
#include <functional>
#include <type_traits>
#include <utility>

#include CORDAGE_ERROR_HEADER

namespace cordage {

template <class T = void>
using result = std::expected<T, error>;

using std::unexpected;

namespace detail {

template <class T>
inline constexpr bool is_expected = false;
template <class T, class E>
inline constexpr bool is_expected<std::expected<T, E>> = true;

// An expected may have an error of another type. It gives errors to code that passes errors on if that type converts to
// error, and takes them if error converts to that type.
template <class T>
inline constexpr bool gives_error = false;
template <class T, class E>
inline constexpr bool gives_error<std::expected<T, E>> = std::is_convertible_v<E, error>;
template <class T>
inline constexpr bool takes_error = false;
template <class T, class E>
inline constexpr bool takes_error<std::expected<T, E>> = std::is_convertible_v<error, E>;

// An error of whatever kind as the error of a result: fail(errc::closed), fail(std::error_code{...}).
template <class Code>
[[nodiscard]] auto fail(Code code) noexcept {
  return std::unexpected<error>(error(code));
}

// An error of ours as an expected that takes it.
template <class Expected>
  requires takes_error<Expected>
[[nodiscard]] Expected failed_as(error code) {
  typename Expected::error_type converted = code;
  return Expected(std::unexpect, std::move(converted));
}

// What gives a T as something that may also have an error of ours: T itself where it can.
template <class T>
struct made_result {
  using type = result<T>;
};
template <class T>
  requires takes_error<T>
struct made_result<T> {
  using type = T;
};
template <class T>
struct made_result<T&> {
  using type = result<std::reference_wrapper<T>>;
};
template <class T>
struct made_result<T&&> : made_result<T> {};
template <class T>
using as_result_of = typename made_result<T>::type;

}  // namespace detail
}  // namespace cordage
