// The control block of a stackful coroutine, whatever it yields and whatever it calls, and the way on and off its stack.
#pragma once

#include <exception>
#include <utility>

#include <cordage/base/config.hpp>
#include <cordage/base/exceptions.hpp>
#include <cordage/base/fatal.hpp>
#include <cordage/context/stackful.hpp>

namespace cordage {

// Lua's: suspended, not begun or at a yield; running; normal, it has resumed another one; dead, it has ended.
enum class coroutine_status : unsigned char { suspended, running, normal, dead };

}  // namespace cordage

namespace cordage::detail {

// One address per type. The next byte is nobody's: see coroutine_base::yields_.
template <class Y>
alignas(2) inline constexpr char type_tag = 0;

class coroutine_base : public stackful {
 public:
  coroutine_base(const coroutine_base&) = delete;
  coroutine_base& operator=(const coroutine_base&) = delete;

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
  // A round trip lasts as long as the longest chain of loads that wait for stores, and a cycle for most stores. So the
  // context of the resumer lies here and not on its stack, what is yielded travels in a register, whether the coroutine
  // runs is read off resumer_, and last_resumed_ is written only where it changes. Where that is this coroutine, as
  // nearly always, addresses are computed from it, which is known early, and not from `this`, for which the resumer's
  // code has to load its stack pointer first: 24 cycles instead of 28 for each node of a recursive walk.
  CORDAGE_ALWAYS_INLINE void* resume() {
    if (resumer_.pc != nullptr) [[unlikely]] {
      if (!is(at_rest::not_begun)) return resume_rarely();
      begin();
      if (exceptions_.any_now()) [[unlikely]] return resume_rarely();
      become_current();
      sanitizer_.before_enter(sanitizer_);
      return left(switch_to_entry(resumer_, go_on(*this)), outer_is::perhaps);
    }
    coroutine_base* const last = last_resumed_;
    if (computed_here(last) != this) [[unlikely]] {
      // The compiler must not see that they are equal. Where they are, this is the coroutine's thread; only there, and once
      // that is checked, are its exceptions looked at.
      check_thread();
      if (exceptions_.any_now()) [[unlikely]] return resume_rarely();
      become_current();
      sanitizer_.before_enter(sanitizer_);
      return left(switch_context(resumer_, self_, go_on(*this)), outer_is::perhaps);
    }
    if (exceptions_.any_now()) [[unlikely]] return resume_rarely();
    coroutine_base& self = *computed_here(last);
    self.sanitizer_.before_enter(self.sanitizer_);
    return left(switch_context(self.resumer_, self.self_, go_on(self)), outer_is::none);
  }

  // On the coroutine. Comes back when it is resumed.
  CORDAGE_ALWAYS_INLINE void yield(void* value) {
    sanitizer_.before_leave(sanitizer_);
    const void* const message = switch_context(self_, resumer_, value);
    sanitizer_.after_enter(sanitizer_);
    if (message == nullptr) [[unlikely]] unwind();
  }

  // Whether it may yield this type now: it runs and is not being unwound.
  bool may_yield(const void* type) const noexcept { return yields_ == type && runs(); }

  // Where it may not: a coroutine that is being unwound yields nothing, and goes on being unwound where somebody had
  // swallowed that; nor does one through which a stop unwinds its fiber. False if that is not why.
  bool yield_while_unwound() {
    if (yields_ == nullptr && !being_unwound_) unwind();
    return yields_ == nullptr || is_muted();
  }

  // All that run on this fiber yield nothing from now on, until they are told otherwise.
  static void mute_running(bool muted) noexcept;

  // Unwinds its stack if it is suspended there, then gives the stack back.
  CORDAGE_ALWAYS_INLINE void end_and_destroy() noexcept {
    if (!is(at_rest::not_begun)) {
      if (!is(at_rest::dead)) [[unlikely]] end();
      sanitizer_.end();
    }
    destroy_(*this);
  }

 protected:
  // `entry` is what runs on its stack, and gets its coroutine_base. `destroy` destroys what is derived from this, and gives
  // the stack back.
  coroutine_base(stack& on_stack, void* frames_top, std::string_view name, const char* yields, void (*entry)(void*),
                 void (*destroy)(coroutine_base&) noexcept) noexcept
      : stackful(stackful_kind::coroutine, on_stack, frames_top, name, entry, &resumer_),
        yields_(yields),
        destroy_(destroy) {
    mark(at_rest::not_begun);
  }
  ~coroutine_base() {}

  // For entry: the beginning, the body and the end.
  template <class Body>
  [[noreturn]] CORDAGE_ALWAYS_INLINE void run(Body&& body) {
    sanitizer_.after_enter(sanitizer_);
    catching_special<stack_unwind>(
        body, [this](stack_unwind& by) { unwound(by); },
        [this](std::exception_ptr exception) { fail(std::move(exception), nullptr); });
    sanitizer_.before_last_leave();
    leave_for_good(resumer_, nullptr);
  }

 private:
  struct failure {
    std::exception_ptr exception;
    stack_unwind* of_other;  // what that points to, where it unwinds the stack on which the coroutine was resumed
  };

  // While it does not run, the pc of resumer_ is one of these; resume() simply goes there where it is at a yield, outside
  // of catch blocks.
  enum class at_rest : std::uintptr_t { at_yield, not_begun, in_catch, dead };

  bool is(at_rest how) const noexcept { return reinterpret_cast<std::uintptr_t>(resumer_.pc) == static_cast<std::uintptr_t>(how); }
  void mark(at_rest how) noexcept { resumer_.pc = reinterpret_cast<void*>(how); }

  // What a resumer tells; null tells to unwind. The entry gets it first.
  static void* go_on(coroutine_base& self) noexcept { return &self; }

  bool is_muted() const noexcept { return (reinterpret_cast<std::uintptr_t>(yields_) & 1U) != 0; }

  bool runs() const noexcept {
    return reinterpret_cast<std::uintptr_t>(resumer_.pc) > static_cast<std::uintptr_t>(at_rest::dead);
  }

  void check_thread() const noexcept {
    expects(exceptions_.attached_to_this_thread(), "a coroutine was resumed or destroyed on another thread than it had "
                                                   "begun on");
  }

  void become_current() noexcept {
    outer_ = current();
    last_resumed_ = this;
  }

  // There is none where this one was the last that was resumed.
  enum class outer_is : bool { none, perhaps };

  CORDAGE_ALWAYS_INLINE void* left(void* yielded, outer_is outer) {
    sanitizer_.after_leave();
    if (yielded == nullptr) [[unlikely]] {
      ended();
      return nullptr;
    }
    mark(at_rest::at_yield);
    if (exceptions_.any_now() | (outer == outer_is::perhaps && outer_ != nullptr)) [[unlikely]] left_rarely();
    return yielded;
  }

  void ended() {
    mark(at_rest::dead);
    last_resumed_ = outer_;
    if (failed()) [[unlikely]] rethrow();
  }
  // Whether it has ended by an exception; it goes on nowhere then. Asked once, when it has left for the last time: whoever asks
  // takes the exception.
  bool failed() const noexcept { return self_.pc == nullptr; }

  // Whenever somebody is in a catch block.
  CORDAGE_RARELY_THROWS void* resume_rarely();
  // The coroutine is, or is back in the one that has resumed it.
  CORDAGE_RARELY_CALLED void left_rarely() noexcept;
  // How the body may end.
  CORDAGE_RARELY_THROWS void unwound(stack_unwind& by) noexcept;
  CORDAGE_RARELY_THROWS void fail(std::exception_ptr exception, stack_unwind* of_other) noexcept;
  [[noreturn]] CORDAGE_RARELY_THROWS void rethrow();
  void* enter(void* message) noexcept;
  // Throws. Not declared noreturn: with such an exit in a recursive function that yields, clang saves all registers
  // before it looks whether the recursion ends.
  CORDAGE_RARELY_THROWS void unwind();
  CORDAGE_RARELY_CALLED void end() noexcept;
  [[noreturn]] void cannot_be_unwound() const noexcept;

  union {
    failure failure_;  // see failed()
  };
  coroutine_base* outer_;    // the coroutine that has resumed this one; where last_resumed_ is this one there is none
  machine_context resumer_;  // where it goes when it leaves; see at_rest
  const char* yields_;       // the tag of the type, or the byte behind it while it is muted; null while it is being unwound
  void (*const destroy_)(coroutine_base&) noexcept;

  static constinit inline thread_local coroutine_base* last_resumed_ = nullptr;
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
