// The exception state of the Itanium C++ ABI (libstdc++, libc++abi).
//
// Source: Itanium C++ ABI, section 2.2.2: __cxa_eh_globals begins with the stack of caught exceptions and the count
// of uncaught ones; __cxa_get_globals gives the thread's.
#pragma once

#include <cxxabi.h>

#include <cstdint>
#include <utility>

#include <cordage/base/config.hpp>

namespace cordage::detail {

class exception_state {
 public:
  void attach_to_this_thread() noexcept { thread_ = reinterpret_cast<globals*>(abi::__cxa_get_globals()); }

  // The resumer's side is empty: executors see to that (exception_free). The fiber's nearly always is.
  CORDAGE_ALWAYS_INLINE void enter() noexcept {
    if (saved_any_) [[unlikely]] restore();
  }
  CORDAGE_ALWAYS_INLINE void leave() noexcept {
    if (any(*thread_)) [[unlikely]] save();
  }

 private:
  friend class exception_free;
  struct globals {
    void* caught;
    unsigned int uncaught;
  };
  static bool any(const globals& g) noexcept {
    return (reinterpret_cast<std::uintptr_t>(g.caught) | g.uncaught) != 0;
  }
  void save() noexcept {
    saved_ = std::exchange(*thread_, {});
    saved_any_ = true;
  }
  void restore() noexcept {
    *thread_ = saved_;
    saved_any_ = false;
  }

  globals* thread_ = nullptr;  // a fiber never changes its thread, so the pointer is looked up once
  globals saved_;
  bool saved_any_ = false;
};

// While it lives, this thread has no exception of whoever made it, who may well be inside a catch block.
class exception_free {
 public:
  exception_free() noexcept {
    state_.attach_to_this_thread();
    state_.leave();
  }
  exception_free(const exception_free&) = delete;
  exception_free& operator=(const exception_free&) = delete;
  ~exception_free() { state_.enter(); }

 private:
  exception_state state_;
};

}  // namespace cordage::detail
