// result<T>: what every operation that can fail completes with, a value or an error.
//
// Any thread. A result owns its value. Errors are expected outcomes; broken promises of the caller are not results
// but assertions or std::logic_error. See checked.hpp for `!op`, "the value, or my caller's problem".
#pragma once

#include <cordage/base/config.hpp>

#include <expected>
#include <type_traits>
#include <utility>

#include CORDAGE_ERROR_HEADER

namespace cordage {

template <class T = void>
using result = std::expected<T, error>;

using std::unexpected;

namespace detail {

template <class T>
inline constexpr bool is_result = false;
template <class T>
inline constexpr bool is_result<std::expected<T, error>> = true;

// An error of whatever kind as the error of a result: fail(errc::closed), fail(std::error_code{...}).
template <class Code>
[[nodiscard]] auto fail(Code code) noexcept {
  return std::unexpected<error>(error(code));
}

}  // namespace detail
}  // namespace cordage
