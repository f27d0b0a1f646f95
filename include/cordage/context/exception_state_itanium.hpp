// The exception state of the Itanium C++ ABI (libstdc++, libc++abi).
//
// Source: Itanium C++ ABI, section 2.2.2: __cxa_eh_globals begins with the stack of caught exceptions and the count
// of uncaught ones; __cxa_get_globals gives the thread's.
#pragma once

#include <cxxabi.h>

#include <utility>

#include <cordage/base/config.hpp>

namespace cordage::detail {

class exception_state {
 public:
  void attach_to_this_thread() noexcept { thread_ = reinterpret_cast<globals*>(abi::__cxa_get_globals()); }

  // Nearly always both sides are empty, and then nothing is written. True if they were not.
  CORDAGE_ALWAYS_INLINE bool enter() noexcept {
    if (empty(*thread_) && empty(saved_)) [[likely]] return false;
    exchange();
    return true;
  }

  // With what enter answered.
  CORDAGE_ALWAYS_INLINE void leave(bool exchanged) noexcept {
    if (exchanged || !empty(*thread_)) [[unlikely]] exchange();
  }

 private:
  struct globals {
    void* caught = nullptr;
    unsigned int uncaught = 0;
  };
  static bool empty(const globals& g) noexcept { return g.caught == nullptr && g.uncaught == 0; }
  void exchange() noexcept {
    std::swap(thread_->caught, saved_.caught);
    std::swap(thread_->uncaught, saved_.uncaught);
  }

  globals* thread_ = nullptr;  // a fiber never changes its thread, so the pointer is looked up once
  globals saved_;
};

}  // namespace cordage::detail
