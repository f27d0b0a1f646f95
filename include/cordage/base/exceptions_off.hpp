// The helpers of base/exceptions.hpp under -fno-exceptions: nothing can be caught, and what would be thrown is fatal.
#pragma once

#include <concepts>
#include <exception>
#include <string_view>
#include <utility>

#include <cordage/base/config.hpp>
#include <cordage/base/fatal.hpp>

namespace cordage::detail {

template <class Body, class OnException>
void catching(Body&& body, OnException&&) {
  std::forward<Body>(body)();
}

template <class Special, class Body, class OnSpecial, class OnException>
void catching_special(Body&& body, OnSpecial&&, OnException&&) {
  std::forward<Body>(body)();
}

// What would be thrown, and its own message, which begins with "cordage: " where it says all by itself.
[[noreturn]] inline void fatal_exception(std::string_view what, std::string_view message) noexcept {
  constexpr std::string_view ours = "cordage: ";
  if (message.starts_with(ours)) fatal({message.substr(ours.size())});
  fatal({what, ": ", message});
}

[[noreturn]] inline void rethrow_current() { fatal("an exception was caught in a program without exceptions"); }

// The exception tells more than `what`, which code there is and what to do, and nobody else will ever look at it. Without
// an operating system it is not even made: the standard ones would pull in strings.
template <class Exception, class... Args>
[[noreturn]] void throw_exception(const char* what, [[maybe_unused]] Args&&... args) {
  if constexpr (config::hosted && std::derived_from<Exception, std::exception>) {
    const Exception exception(std::forward<Args>(args)...);
    fatal_exception(what, exception.what());
  } else {
    fatal(what);
  }
}

}  // namespace cordage::detail
