// What the error of a result is where there is an operating system: std::error_code, with a category of our own.
#pragma once

#include <system_error>

#include <cordage/base/errc.hpp>

namespace cordage {

using error = std::error_code;

// The category "cordage". Its conditions equal those of std::errc where there is one (errc::stopped equals
// std::errc::operation_canceled, errc::timed_out equals std::errc::timed_out, ...).
const std::error_category& category() noexcept;

inline std::error_code make_error_code(errc code) noexcept { return {static_cast<int>(code), category()}; }

}  // namespace cordage

template <>
struct std::is_error_code_enum<cordage::errc> : std::true_type {};
