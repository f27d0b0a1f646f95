// ThreadSanitizer sees each stack as a fiber of its own. See sanitizer.hpp.
#pragma once

#include <sanitizer/tsan_interface.h>

#include <cstddef>

#include <cordage/base/config.hpp>

namespace cordage::detail {

class sanitizer_fiber {
 public:
  static void clean(void*, std::size_t) noexcept {}
  void begin(void*, std::size_t) noexcept { fiber_ = __tsan_create_fiber(0); }
  void end() noexcept { __tsan_destroy_fiber(fiber_); }

  CORDAGE_ALWAYS_INLINE void before_enter(sanitizer_fiber& inner) noexcept {
    outside_ = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(inner.fiber_, 0);
  }
  void after_enter(sanitizer_fiber&) noexcept {}
  CORDAGE_ALWAYS_INLINE void before_leave(sanitizer_fiber&) noexcept { __tsan_switch_to_fiber(outside_, 0); }
  CORDAGE_ALWAYS_INLINE void before_last_leave() noexcept { __tsan_switch_to_fiber(outside_, 0); }
  void after_leave() noexcept {}

 private:
  void* fiber_ = nullptr;
  void* outside_ = nullptr;
};

}  // namespace cordage::detail
