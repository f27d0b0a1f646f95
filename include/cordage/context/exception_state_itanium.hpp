// The exception state of the Itanium C++ ABI (libstdc++, libc++abi).
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include <cordage/base/config.hpp>
#include <cordage/context/exception_globals_itanium.hpp>

namespace cordage::detail {

class exception_state {
 public:
  using globals = exception_globals;

  void attach_to_this_thread() noexcept { thread_ = of_this_thread_ = &globals::of_this_thread(); }
  // For those who only look, without making it known.
  void look_at_this_thread() noexcept { thread_ = &globals::of_this_thread(); }
  // The same as attach_to_this_thread, without a call, where it was done before on this thread.
  bool attach_if_known() noexcept {
    thread_ = of_this_thread_;
    return thread_ != nullptr;
  }

  bool attached_to_this_thread() const noexcept { return thread_ == of_this_thread_; }

  // Whether the thread has any exception in flight now, and whether one was saved.
  bool any_now() const noexcept { return any(*thread_); }
  bool any_saved() const noexcept { return saved_any_; }

  // Entering what has a state of its own, from where there is none: executors see to that (exception_free). A fiber's
  // nearly always is empty. `saved` holds what is not the thread's at the moment.
  CORDAGE_ALWAYS_INLINE void enter(globals& saved) noexcept {
    if (saved_any_) [[unlikely]] exchange_now(saved);
  }
  CORDAGE_ALWAYS_INLINE void leave(globals& saved) noexcept {
    if (any(*thread_)) [[unlikely]] exchange_now(saved);
  }
  // Either way, where both sides may have one.
  CORDAGE_ALWAYS_INLINE void exchange(globals& saved) noexcept {
    if (saved_any_ || any(*thread_)) [[unlikely]] exchange_now(saved);
  }

 private:
  friend class exception_free;
  // One load: of the pointer without its lowest two bytes, since nothing lies below 64 KiB, and the two lowest of the count.
  static bool any(const globals& g) noexcept {
    static_assert(std::endian::native == std::endian::little && sizeof(g.caught) == 8);
    std::uint64_t both;
    std::memcpy(&both, reinterpret_cast<const std::byte*>(&g) + 2, sizeof both);
    return both != 0;
  }
  void exchange_now(globals& saved) noexcept {
    const globals now = saved_any_ ? saved : globals{};
    saved = std::exchange(*thread_, now);
    saved_any_ = any(saved);
  }

  static constinit inline thread_local globals* of_this_thread_ = nullptr;  // looked up once per thread

  globals* thread_ = nullptr;  // a fiber never changes its thread
  bool saved_any_ = false;
};

// While it lives, this thread has no exception of whoever made it, who may well be inside a catch block.
class exception_free {
 public:
  exception_free() noexcept {
    state_.look_at_this_thread();
    state_.leave(saved_);
  }
  exception_free(const exception_free&) = delete;
  exception_free& operator=(const exception_free&) = delete;
  ~exception_free() { state_.enter(saved_); }

 private:
  exception_state state_;
  exception_state::globals saved_;
};

}  // namespace cordage::detail
