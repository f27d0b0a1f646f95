// The barest coroutine: two contexts and a stack. What it throws ends the program.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include <cordage/base/config.hpp>
#include <cordage/context/sanitizer.hpp>
#include <cordage/context/switch.hpp>

#include CORDAGE_VALGRIND_HEADER

namespace support {

struct bare_coroutine {
  static constexpr std::size_t stack_bytes = 256 * 1024;

  cordage::detail::machine_context self, outside;
  cordage::detail::sanitizer_fiber sanitizer;
  std::unique_ptr<std::byte[]> memory{new std::byte[stack_bytes]};
  void (*body)(bare_coroutine&) = nullptr;
  long value = 0;
  bool begun = false;
  bool done = false;
  cordage::detail::machine_context* to_outside = &outside;

  explicit bare_coroutine(void (*what)(bare_coroutine&)) : body(what) {
    const auto top = reinterpret_cast<std::uintptr_t>(memory.get() + stack_bytes) & ~std::uintptr_t{63};
    sanitizer.begin(memory.get(), stack_bytes - 64);
    cordage::detail::announce_stack_to_valgrind(memory.get(), stack_bytes);
    self.sp = reinterpret_cast<void*>(top);
  }
  bare_coroutine(const bare_coroutine&) = delete;
  bare_coroutine& operator=(const bare_coroutine&) = delete;
  ~bare_coroutine() { sanitizer.end(); }

  static void entry(void* message) {
    auto& b = *static_cast<bare_coroutine*>(message);
    b.sanitizer.after_enter(b.sanitizer);
    b.body(b);
    b.done = true;
    b.sanitizer.before_last_leave();
    leave_for_good(b.outside, nullptr);
  }

  CORDAGE_ALWAYS_INLINE void begin() {
    begun = true;
    switch_to_new_stack(outside, self.sp, entry, {.outside = &to_outside}, this);
  }
  CORDAGE_ALWAYS_INLINE void resume() {
    sanitizer.before_enter(sanitizer);
    if (begun) {
      switch_context(outside, self, nullptr);
    } else {
      begin();
    }
    sanitizer.after_leave();
  }
  CORDAGE_ALWAYS_INLINE void yield() {
    sanitizer.before_leave(sanitizer);
    switch_context(self, outside, nullptr);
    sanitizer.after_enter(sanitizer);
  }
  [[gnu::noinline]] void resume_opaquely() {
    sanitizer.before_enter(sanitizer);
    if (begun) {
      cordage_switch_opaque(nullptr, &outside, &self);
    } else {
      begin();
    }
    sanitizer.after_leave();
  }
  [[gnu::noinline]] void yield_opaquely() {
    sanitizer.before_leave(sanitizer);
    cordage_switch_opaque(nullptr, &self, &outside);
    sanitizer.after_enter(sanitizer);
  }
};

}  // namespace support
