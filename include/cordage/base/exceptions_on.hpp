// The helpers of base/exceptions.hpp where exceptions exist.
#pragma once

#include <exception>
#include <utility>

namespace cordage::detail {

// Calls body; an exception of any type is handed to on_exception as an exception_ptr.
template <class Body, class OnException>
void catching(Body&& body, OnException&& on_exception) {
  try {
    std::forward<Body>(body)();
  } catch (...) {
    std::forward<OnException>(on_exception)(std::current_exception());
  }
}

// The same, but an exception of type Special goes to on_special, inside the catch block, and no further.
template <class Special, class Body, class OnSpecial, class OnException>
void catching_special(Body&& body, OnSpecial&& on_special, OnException&& on_exception) {
  try {
    std::forward<Body>(body)();
  } catch (Special& special) {
    std::forward<OnSpecial>(on_special)(special);
  } catch (...) {
    std::forward<OnException>(on_exception)(std::current_exception());
  }
}

// In a catch block: throws on what was caught.
[[noreturn]] inline void rethrow_current() { throw; }

template <class Exception, class... Args>
[[noreturn]] void throw_exception(const char*, Args&&... args) {
  throw Exception(std::forward<Args>(args)...);
}

}  // namespace cordage::detail
