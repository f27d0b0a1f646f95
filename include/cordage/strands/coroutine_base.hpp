// The control block of a stackful coroutine, whatever it yields, and the way on and off its stack.
#pragma once

#include <exception>
#include <utility>

#include <cordage/base/config.hpp>
#include <cordage/base/fatal.hpp>
#include <cordage/context/stackful.hpp>

namespace cordage {

// Lua's: suspended, not begun or at a yield; running; normal, it has resumed another one; dead, it has ended.
enum class coroutine_status : unsigned char { suspended, running, normal, dead };

}  // namespace cordage

namespace cordage::detail {

// One address per type.
template <class Y>
inline constexpr char type_tag = 0;

class coroutine_base : public stackful {
 public:
  coroutine_base(stack& on_stack, void* frames_top, std::string_view name, const void* yields) noexcept;
  coroutine_base(const coroutine_base&) = delete;
  coroutine_base& operator=(const coroutine_base&) = delete;
  virtual ~coroutine_base() = default;

  // The innermost coroutine that runs on this thread, null outside of any.
  static coroutine_base* current() noexcept { return static_cast<coroutine_base*>(current_coroutine_); }

  coroutine_status status() const noexcept {
    if (state_ == state::running) return current_coroutine_ == this ? coroutine_status::running : coroutine_status::normal;
    return state_ == state::dead ? coroutine_status::dead : coroutine_status::suspended;
  }

  // Where it is to go: what it yields, as long as it is suspended there; null when it has ended. An exception that
  // ended it is thrown, and so is status_error where it is not suspended.
  CORDAGE_ALWAYS_INLINE void* resume() {
    if (state_ != state::suspended) [[unlikely]] begin_or_refuse();
    expects(exceptions_.attached_to_this_thread(), "a coroutine was resumed on another thread than it had begun on");
    enter();
    if (state_ == state::dead) [[unlikely]] return ended();
    return yielded_;
  }

  // On the coroutine. Comes back when it is resumed.
  CORDAGE_ALWAYS_INLINE void yield(void* value) {
    if (unwinding_) [[unlikely]] return;
    yielded_ = value;
    state_ = state::suspended;
    sanitizer_.before_leave(sanitizer_);
    switch_context(self_, *outside_);
    sanitizer_.after_enter(sanitizer_);
    if (state_ == state::to_be_unwound) [[unlikely]] unwind();
  }

  bool yields(const void* type) const noexcept { return yields_ == type; }

  // Unwinds its stack if it is suspended there, then gives the stack back.
  void end_and_destroy() noexcept;

 protected:
  virtual void body() = 0;
  virtual void destroy() noexcept = 0;

 private:
  enum class state : unsigned char { suspended, running, dead, not_begun, to_be_unwound };

  CORDAGE_ALWAYS_INLINE void enter() noexcept {
    machine_context outside;
    outside_ = &outside;
    stackful* const resumed_by = std::exchange(current_coroutine_, this);
    if (state_ != state::to_be_unwound) state_ = state::running;
    exceptions_.exchange(saved_exceptions_);
    sanitizer_.before_enter(sanitizer_);
    switch_context(outside, self_);
    after_switch(this)->left();
    current_coroutine_ = resumed_by;
  }
  CORDAGE_ALWAYS_INLINE void left() noexcept {
    sanitizer_.after_leave();
    exceptions_.exchange(saved_exceptions_);
    outside_ = &nowhere_;
  }

  static void entry(void* self);
  CORDAGE_RARELY_CALLED void begin_or_refuse();
  CORDAGE_RARELY_CALLED void* ended();
  [[noreturn]] CORDAGE_RARELY_CALLED void unwind();

  state state_ = state::not_begun;
  void* yielded_ = nullptr;
  const void* const yields_;   // the tag of the type
  std::exception_ptr failure_;
};

}  // namespace cordage::detail
