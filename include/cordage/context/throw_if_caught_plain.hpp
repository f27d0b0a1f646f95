// context/throw_if_caught.hpp where nothing is known of how exceptions are thrown, or there are none: never comes back.
#pragma once

#include <type_traits>
#include <utility>

#include <cordage/base/exceptions.hpp>

namespace cordage::detail {

template <class Exception>
[[noreturn]] void throw_if_caught(const char* what, Exception&& exception) {
  throw_exception<std::remove_cvref_t<Exception>>(what, std::forward<Exception>(exception));
}

inline const void* where_unwinding_ends() noexcept { return nullptr; }

}  // namespace cordage::detail
