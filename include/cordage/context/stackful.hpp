// What runs on a stack of its own: what fibers and coroutines have in common. It lives at the top of that stack, above
// its own frames.
//
// One thread: whoever has begun to run stays on the thread where it began, since compilers keep the addresses of
// thread-locals across a switch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <new>
#include <stdexcept>
#include <string_view>
#include <utility>

#include <cordage/base/config.hpp>
#include <cordage/base/exceptions.hpp>
#include <cordage/context/exception_state.hpp>
#include <cordage/context/sanitizer.hpp>
#include <cordage/context/stack.hpp>
#include <cordage/context/switch.hpp>
#include <cordage/stack_options.hpp>

namespace cordage::detail {

// Every register is lost in a switch. The address of a member that is reached through this is computed there and then
// from the object's, and not long before and kept on the stack: nothing is spilled for it, and no load waits for the stack
// pointer, which the switch itself has to load.
template <class T>
CORDAGE_ALWAYS_INLINE T* computed_here(T* object) noexcept {
  asm("" : "+r"(object));
  return object;
}

class stack_unwind;

enum class stackful_kind : unsigned char { fiber, coroutine };

class stackful {
 public:
  stackful_kind kind() const noexcept { return kind_; }
  // As given in its options, cut to what fits; "unnamed" without one.
  std::string_view name() const noexcept { return named_ ? its_stack().name.view() : "unnamed"; }
  bool is_named() const noexcept { return named_; }
  bool being_unwound() const noexcept { return being_unwound_; }
  stack& its_stack() const noexcept {
    return *reinterpret_cast<stack*>(reinterpret_cast<std::uintptr_t>(this) + bytes_to_stack_);
  }
  // Where it goes on when it is entered; while it does not run, and has begun.
  const void* goes_on_at() const noexcept { return self_.pc; }

 protected:
  // `entry` will be called on the stack with the first message, and never returns.
  stackful(stackful_kind kind, stack& on, void* frames_top, std::string_view name, void (*entry)(void*),
           machine_context* outside) noexcept
      : outside_(outside), kind_(kind), bytes_to_stack_(bytes_to(on)) {
    self_.sp = frames_top;
    self_.pc = reinterpret_cast<void*>(entry);
    on.occupant = this;
    if (!name.empty()) [[unlikely]] set_name(name);
  }
  stackful(const stackful&) = delete;
  stackful& operator=(const stackful&) = delete;
  ~stackful() = default;

  // Before it is first entered, on the thread where it will stay.
  CORDAGE_ALWAYS_INLINE void begin() noexcept {
    if (!exceptions_.attach_if_known()) [[unlikely]] set_up_thread();
    sanitizer_.begin(its_stack().low, its_stack().size());
  }

  // The first switch there.
  CORDAGE_ALWAYS_INLINE void* switch_to_entry(machine_context& from, void* message) noexcept {
    return switch_to_new_stack(from, self_.sp, reinterpret_cast<void (*)(void*)>(self_.pc), {.outside = &outside_}, message);
  }

  friend class stack_unwind;

  // On its stack: throws stack_unwind. If code without unwind information hides the beginning from it, that is fatal, says so,
  // and has unwound nothing.
  void throw_unwinding();

  // The first on its thread.
  CORDAGE_RARELY_CALLED void set_up_thread() noexcept;

  [[noreturn]] void cannot_be_unwound_from_here() const noexcept;

  // At the end, where it may have been unwound: complains if what unwound it has not arrived.
  void report_swallowed_unwinding() noexcept;

  static sanitizer_fiber& sanitizer_of(stackful& other) noexcept { return other.sanitizer_; }

  stack_unwind* unwound_by() const noexcept { return being_unwound_ ? unwound_by_ : nullptr; }
  void set_unwound_by(stack_unwind* by) noexcept {
    unwound_by_ = by;
    being_unwound_ = by != nullptr;
  }

  // What a switch touches comes first. What a creation writes is little: a coroutine's short life consists of loads and stores,
  // of which a processor takes three at once.
  machine_context self_;      // where it goes on; before it has begun, where its frames will be, and its entry
  machine_context* outside_;  // where it goes when it leaves: its enterer's; for unwinders, see root_frame
  [[no_unique_address]] exception_state exceptions_;
  // These compilers know, and write as one word.
  const stackful_kind kind_;
  bool named_ = false;
  bool being_unwound_ = false;
  const std::uint32_t bytes_to_stack_;
  void (*unwinding_over_)(stackful&) noexcept;  // told when it is over; set by who begins it
  stack_unwind* unwound_by_;                    // what unwinds it, while being_unwound_
  exception_state::globals saved_exceptions_;
  [[no_unique_address]] sanitizer_fiber sanitizer_;

 private:
  std::uint32_t bytes_to(const stack& on) const noexcept {
    return static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(&on) - reinterpret_cast<std::uintptr_t>(this));
  }
  CORDAGE_RARELY_CALLED void set_name(std::string_view given) noexcept;
};

// What unwinds the stack of something that is to end. Code that catches it, by catch (...), must throw it on; its
// destructor tells when somebody did not.
class stack_unwind {
 public:
  explicit stack_unwind(stackful& whose) noexcept : whose_(&whose), outer_(whose.unwound_by()) { take_over(); }
  stack_unwind(stack_unwind&& other) noexcept : stack_unwind(static_cast<const stack_unwind&>(other)) {}
  stack_unwind(const stack_unwind& other) noexcept : whose_(std::exchange(other.whose_, nullptr)), outer_(other.outer_) {
    take_over();
  }
  stack_unwind& operator=(const stack_unwind&) = delete;
  ~stack_unwind() {
    if (whose_ != nullptr) swallowed();
  }

  // Whether it is to end there; if so it has arrived.
  bool arrives_at(stackful& there) noexcept {
    if (whose_ != &there) return false;
    over();
    return true;
  }

  bool under_way() const noexcept { return whose_ != nullptr; }
  // Where it is under way and was caught at the root of a stack that lies on the one it unwinds: goes on from whoever has
  // entered that root, as stackful::throw_unwinding does.
  void throw_on();

 private:
  friend class stackful;

  void take_over() noexcept {
    if (whose_ != nullptr) whose_->set_unwound_by(this);
  }
  void over() noexcept {
    stackful& of = *std::exchange(whose_, nullptr);
    of.set_unwound_by(outer_);
    if (outer_ == nullptr && of.unwinding_over_ != nullptr) of.unwinding_over_(of);
  }
  // It was not thrown on, but dropped, or kept beyond the end of what it unwinds.
  void swallowed() noexcept;

  mutable stackful* whose_;  // mutable: a copy takes over the duty to report
  stack_unwind* const outer_;  // what was unwinding it already: this one was thrown by a wait in a destructor, and ends there
};

// How much of a stack an object at its top takes, in whole lines.
template <class T>
inline constexpr std::size_t bytes_on_stack = (sizeof(T) + alignof(stack) - 1) / alignof(stack) * alignof(stack);

// Makes an object at the top of a fresh stack, which its constructor is given, and the top of what remains.
template <class T, class... Args>
T* make_on_stack(const stack_options& options, Args&&... args) {
  stack& taken = stack_pool::take(options.stack_size, options.allow_unguarded);
  auto place = reinterpret_cast<std::uintptr_t>(taken.top()) - bytes_on_stack<T>;
  if constexpr (alignof(T) > alignof(stack)) place -= place % alignof(T);
  // What remains has to be worth calling a stack, as it is of every stack where the object is small.
  if (bytes_on_stack<T> + alignof(T) > stack_pool::smallest_size / 2 &&
      place < reinterpret_cast<std::uintptr_t>(taken.low) + taken.size() / 4) [[unlikely]] {
    stack_pool::give_back(taken);
    throw_exception<std::length_error>("a fiber's arguments do not fit on its stack",
                                       "cordage: a fiber's function and arguments take most of its stack; pass large "
                                       "ones by pointer or give a larger stack_size");
  }
  sanitizer_fiber::clean(taken.low, taken.size());
  auto* const at = reinterpret_cast<void*>(place);
  T* made = nullptr;
  catching([&] { made = ::new (at) T(taken, at, options.name, std::forward<Args>(args)...); },
           [&](std::exception_ptr exception) {
             stack_pool::give_back(taken);
             std::rethrow_exception(std::move(exception));
           });
  return made;
}

// The reverse. Not on that stack.
template <class T>
void destroy_on_stack(T* made) noexcept {
  // Where the stack is follows from where the object is, mostly; the short life of a coroutine takes two cycles less so.
  stack& taken = alignof(T) > alignof(stack)
                     ? made->its_stack()
                     : *reinterpret_cast<stack*>(reinterpret_cast<std::byte*>(made) + bytes_on_stack<T>);
  made->~T();
  stack_pool::give_back(taken);
}

}  // namespace cordage::detail
