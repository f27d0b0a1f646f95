// The helpers of base/exceptions.hpp under -fno-exceptions: nothing can be caught, and what would be thrown is fatal.
#pragma once

#include <exception>
#include <utility>

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

[[noreturn]] inline void rethrow_current() { fatal("an exception was caught in a program without exceptions"); }

template <class Exception, class... Args>
[[noreturn]] void throw_exception(const char* what, Args&&...) {
  fatal(what);
}

}  // namespace cordage::detail
