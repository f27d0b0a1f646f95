// context/throw_if_caught.hpp on the Itanium C++ ABI (libstdc++, libc++abi).
//
// Source: Itanium C++ ABI, section 1.3 (_Unwind_RaiseException comes back where its first phase finds no handler), section
// 2.2.1 (an exception's header ends with its _Unwind_Exception, and the object follows) and section 2.4.3 (what `throw`
// does: it counts the exception as uncaught, raises it, and terminates where that comes back).
#pragma once

#include <unwind.h>

#include <cstring>
#include <exception>
#include <utility>

#include <cordage/context/exception_globals_itanium.hpp>

namespace cordage::detail {

// The object that an exception_ptr points to, with the reference that it held.
inline void* released(std::exception_ptr exception) noexcept {
  void* object = nullptr;
  static_assert(sizeof exception == sizeof object);
  std::memcpy(&object, static_cast<const void*>(&exception), sizeof object);
  union never_destroyed {
    explicit never_destroyed(std::exception_ptr&& from) noexcept : pointer(std::move(from)) {}
    ~never_destroyed() {}
    std::exception_ptr pointer;
  };
  [[maybe_unused]] const never_destroyed reference(std::move(exception));
  return object;
}

// rethrow_exception would throw another exception, one that refers to this, and terminate where nobody catches it. Nobody
// else has a pointer to this one, so it can be thrown itself.
template <class Exception>
void throw_if_caught(const char*, Exception&& exception) {
  void* const object = released(std::make_exception_ptr(std::forward<Exception>(exception)));
  ++exception_globals::of_this_thread().uncaught;
  _Unwind_RaiseException(static_cast<_Unwind_Exception*>(object) - 1);
}

inline const void* where_unwinding_ends() noexcept {
  const void* last = nullptr;
  const auto note = [](_Unwind_Context* frame, void* into) {
    // It goes on behind a call, and that may be the last instruction of its function.
    *static_cast<const void**>(into) = reinterpret_cast<const void*>(_Unwind_GetIP(frame) - 1);
    return _URC_NO_REASON;
  };
  _Unwind_Backtrace(note, &last);
  return last;
}

}  // namespace cordage::detail
