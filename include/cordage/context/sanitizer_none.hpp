// No sanitizer: nothing to tell. See sanitizer.hpp.
#pragma once

#include <cstddef>

namespace cordage::detail {

class sanitizer_fiber {
 public:
  static void clean(void*, std::size_t) noexcept {}
  void begin(void*, std::size_t) noexcept {}
  void end() noexcept {}
  void before_enter(sanitizer_fiber&) noexcept {}
  void after_enter(sanitizer_fiber&) noexcept {}
  void before_leave(sanitizer_fiber&) noexcept {}
  void before_last_leave() noexcept {}
  void after_leave() noexcept {}
};

}  // namespace cordage::detail
