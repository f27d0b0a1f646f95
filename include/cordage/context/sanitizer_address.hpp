// AddressSanitizer keeps bounds and a "fake stack" per stack. See sanitizer.hpp.
#pragma once

#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>

#include <cstddef>

#include <cordage/base/config.hpp>

namespace cordage::detail {

class sanitizer_fiber {
 public:
  // A recycled stack still carries the poison of frames that never returned.
  static void clean(void* low, std::size_t size) noexcept { __asan_unpoison_memory_region(low, size); }
  void begin(void* low, std::size_t size) noexcept {
    low_ = low;
    size_ = size;
  }
  void end() noexcept {}

  CORDAGE_ALWAYS_INLINE void before_enter(sanitizer_fiber& inner) noexcept {
    __sanitizer_start_switch_fiber(&outside_fake_, inner.low_, inner.size_);
  }
  CORDAGE_ALWAYS_INLINE void after_enter(sanitizer_fiber& inner) noexcept {
    __sanitizer_finish_switch_fiber(inner.fake_, &outside_low_, &outside_size_);
  }
  CORDAGE_ALWAYS_INLINE void before_leave(sanitizer_fiber& inner) noexcept {
    __sanitizer_start_switch_fiber(&inner.fake_, outside_low_, outside_size_);
  }
  CORDAGE_ALWAYS_INLINE void before_last_leave() noexcept {
    __sanitizer_start_switch_fiber(nullptr, outside_low_, outside_size_);
  }
  CORDAGE_ALWAYS_INLINE void after_leave() noexcept { __sanitizer_finish_switch_fiber(outside_fake_, nullptr, nullptr); }

 private:
  void* low_ = nullptr;
  std::size_t size_ = 0;
  void* fake_ = nullptr;
  const void* outside_low_ = nullptr;
  std::size_t outside_size_ = 0;
  void* outside_fake_ = nullptr;
};

}  // namespace cordage::detail
