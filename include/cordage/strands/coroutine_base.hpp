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
  coroutine_base(stack& on_stack, void* frames_top, std::string_view name, const void* yields) noexcept
      : stackful(stackful_kind::coroutine, on_stack, frames_top, name, entry, this), yields_(yields) {
    outside_ = &resumer_;
    resumer_.pc = nullptr;
  }
  coroutine_base(const coroutine_base&) = delete;
  coroutine_base& operator=(const coroutine_base&) = delete;
  virtual ~coroutine_base() = default;

  // The innermost coroutine that runs on this thread, null outside of any.
  static coroutine_base* current() noexcept {
    coroutine_base* const last = last_resumed_;
    return last != nullptr && last->runs() ? last : nullptr;
  }
  // The one that was resumed last on this thread, on the fiber that runs there or on the thread's own stack. If it runs it
  // is the current one; it may have been suspended meanwhile.
  static coroutine_base* last_resumed() noexcept { return last_resumed_; }
  // For whoever goes on elsewhere on this thread and comes back later. Only one that runs is given: it cannot be gone by
  // then.
  static coroutine_base* forget_current() noexcept {
    coroutine_base* const left = current();
    last_resumed_ = nullptr;
    return left;
  }
  static void remember(coroutine_base* left) noexcept { last_resumed_ = left; }

  coroutine_status status() const noexcept;

  // Where it is to go: what it yields, as long as it is suspended there; null when it has ended. An exception that
  // ended it is thrown, and so is status_error where it is not suspended.
  //
  // A round trip lasts as long as the longest chain of loads that wait for stores, and one cycle for each store. So the
  // context of the resumer lies here and not on its stack, what is yielded travels in a register, whether the coroutine
  // runs is read off resumer_, and last_resumed_ is written only where it changes.
  CORDAGE_ALWAYS_INLINE void* resume() {
    if (special_ != special::no || runs()) [[unlikely]] {
      if (special_ != special::not_begun) return resume_rarely();
      begin();
      special_ = special::no;
    }
    // Where this thread has resumed it last, this is its thread.
    if (last_resumed_ != this) check_thread();
    if (exceptions_.any_now()) [[unlikely]] return resume_rarely();
    coroutine_base* const outer = last_resumed_ == this ? nullptr : become_current();
    coroutine_base& self = *computed_here(this);
    self.sanitizer_.before_enter(self.sanitizer_);
    void* const yielded = switch_context(self.resumer_, self.self_, go_on);
    return computed_here(this)->left(outer, yielded);
  }

  // On the coroutine. Comes back when it is resumed.
  CORDAGE_ALWAYS_INLINE void yield(void* value) {
    sanitizer_.before_leave(sanitizer_);
    const void* const message = switch_context(self_, resumer_, value);
    sanitizer_.after_enter(sanitizer_);
    if (message != go_on) [[unlikely]] unwind();
  }

  // Whether it may yield this type now: it runs and is not being unwound.
  bool may_yield(const void* type) const noexcept { return yields_ == type && runs(); }

  // Where it may not: a coroutine that is being unwound yields nothing, and goes on being unwound where somebody had
  // swallowed that. False if that is not why.
  bool yield_while_unwound() {
    if (yields_ != nullptr) return false;
    if (unwound_by_ == nullptr) unwind();
    return true;
  }

  // Unwinds its stack if it is suspended there, then gives the stack back.
  void end_and_destroy() noexcept {
    if (special_ != special::dead && special_ != special::not_begun) [[unlikely]] end();
    if (begun_) sanitizer_.end();
    destroy();
  }

 protected:
  virtual void body() = 0;
  virtual void destroy() noexcept = 0;

 private:
  // What keeps resume() from simply going there.
  enum class special : unsigned char { no, not_begun, in_catch, dead };

  // What a resumer tells; anything else tells to unwind.
  static constexpr void* go_on = nullptr;

  static void entry(void* self);

  bool runs() const noexcept { return resumer_.pc != nullptr; }

  void check_thread() const noexcept {
    expects(exceptions_.attached_to_this_thread(), "a coroutine was resumed or destroyed on another thread than it had "
                                                   "begun on");
  }

  // Gives the coroutine that resumes this one, null if none does.
  coroutine_base* become_current() noexcept {
    coroutine_base* const outer = current();
    last_resumed_ = this;
    return outer;
  }

  CORDAGE_ALWAYS_INLINE void* left(coroutine_base* outer, void* yielded) {
    sanitizer_.after_leave();
    if (exceptions_.any_now()) [[unlikely]] save_exceptions();
    resumer_.pc = nullptr;
    if (outer != nullptr) [[unlikely]] last_resumed_ = outer;
    if (yielded == nullptr) [[unlikely]] ended();
    return yielded;
  }

  void ended() {
    if (last_resumed_ == this) last_resumed_ = nullptr;
    if (failure_ != nullptr) [[unlikely]] rethrow();
  }

  // Whenever somebody is in a catch block.
  CORDAGE_RARELY_THROWS void* resume_rarely();
  CORDAGE_RARELY_CALLED void save_exceptions() noexcept;
  [[noreturn]] CORDAGE_RARELY_THROWS void rethrow();
  void* enter(void* message) noexcept;
  // Throws. Not declared noreturn: with such an exit in a recursive function that yields, clang saves all registers
  // before it looks whether the recursion ends.
  CORDAGE_RARELY_THROWS void unwind();
  CORDAGE_RARELY_CALLED void end() noexcept;

  machine_context resumer_;    // where it goes when it leaves; its pc is null unless the coroutine runs
  const void* yields_;         // the tag of the type; null while it is being unwound
  special special_ = special::not_begun;
  std::exception_ptr failure_;

  static constinit thread_local coroutine_base* last_resumed_;
};

// While it lives, this thread is in no coroutine, though whoever made it may be: for a loop that runs other strands.
class coroutine_free {
 public:
  coroutine_free() noexcept : outer_(coroutine_base::forget_current()) {}
  coroutine_free(const coroutine_free&) = delete;
  coroutine_free& operator=(const coroutine_free&) = delete;
  ~coroutine_free() { coroutine_base::remember(outer_); }

 private:
  coroutine_base* outer_;
};

}  // namespace cordage::detail
