// The control block of a fiber and its way on and off its stack.
//
// It lives in the topmost lines of the fiber's own stack, above the frames of the fiber. A fiber never leaves the
// thread on which it started: compilers keep the addresses of thread-locals across a switch.
#pragma once

#include <cstdint>
#include <exception>
#include <new>
#include <stdexcept>
#include <string_view>
#include <utility>

#include <cordage/base/config.hpp>
#include <cordage/base/exceptions.hpp>
#include <cordage/context/exception_state.hpp>
#include <cordage/context/operation.hpp>
#include <cordage/context/sanitizer.hpp>
#include <cordage/context/stack.hpp>
#include <cordage/context/switch.hpp>
#include <cordage/strands/strand.hpp>

namespace cordage::detail {

class fiber_base;

// What unwinds the stack of a stopped fiber. Code that catches it, by catch (...), must throw it on; its destructor
// tells when somebody did not.
class fiber_unwind {
 public:
  explicit fiber_unwind(fiber_base& whose) noexcept : whose_(&whose) {}
  fiber_unwind(fiber_unwind&& other) noexcept : whose_(std::exchange(other.whose_, nullptr)) {}
  fiber_unwind(const fiber_unwind& other) noexcept : whose_(std::exchange(other.whose_, nullptr)) {}
  fiber_unwind& operator=(const fiber_unwind&) = delete;
  ~fiber_unwind();

  // The unwinding has reached the beginning of the fiber.
  void arrived() noexcept { whose_ = nullptr; }

 private:
  mutable fiber_base* whose_;  // mutable: a copy takes over the duty to report
};

class alignas(64) fiber_base : public wait {
 public:
  fiber_base(const stack& on_stack, void* frames_top, std::string_view name) noexcept;
  fiber_base(const fiber_base&) = delete;
  fiber_base& operator=(const fiber_base&) = delete;
  virtual ~fiber_base();

  // The fiber that runs on this thread right now, null outside of any.
  static fiber_base* current() noexcept { return current_; }

  // As given in its options, cut to what fits the control block; "unnamed" without one.
  std::string_view name() const noexcept { return {name_, name_length_}; }
  strand& its_strand() const noexcept { return *on; }
  const stack& its_stack() const noexcept { return stack_; }

  // Queues its first run, as part of the given strand, which outlives it.
  void launch(strand& as) noexcept {
    on = &as;
    home = as.home;
    home->schedule(*this);
  }

  // Called by code on this fiber before each wait: throws if the strand has been stopped.
  CORDAGE_ALWAYS_INLINE void before_wait() {
    if (home->any_stopping() && on->stopping()) [[unlikely]] stop_here();
  }

  // Called when an operation was ready: gives others a turn when the budget of this one is spent.
  CORDAGE_ALWAYS_INLINE void after_ready() {
    if (!home->spend()) [[unlikely]] take_turn();
  }

  // Leaves the stack; the operation is started on the other side, once it has really been left. Comes back when it
  // is complete.
  template <class Op>
  CORDAGE_ALWAYS_INLINE void wait_for(Op& op) {
    operation_ = &op;
    type = &wait_type_of<Op>;
    sanitizer_.before_leave();
    switch_context(self_, *outside_, this);
    sanitizer_.after_enter();
    if constexpr (can_be_withdrawn<Op>) {
      on->waiting_on = nullptr;
      if (stopped_) [[unlikely]] unwind();
    }
  }

  // Throws fiber_unwind, which ends at the beginning of the fiber.
  [[noreturn]] void unwind();

 protected:
  // The fiber's function; runs on its stack and does not throw.
  virtual void body() noexcept = 0;
  // After body, outside of the stack. May destroy the fiber and give back its stack.
  virtual void ended() noexcept = 0;

  strand* on = nullptr;

 private:
  friend class fiber_unwind;

  template <class Op>
  static const wait_type wait_type_of;
  template <class Op>
  static cancel_result cancel(wait& w) noexcept {
    return static_cast<Op*>(static_cast<fiber_base&>(w).operation_)->cancel();
  }
  // True: the operation is under way, and the fiber may be running again.
  template <class Op>
  static bool start(wait& w) noexcept {
    auto& fiber = static_cast<fiber_base&>(w);
    Op& op = *static_cast<Op*>(fiber.operation_);
    if constexpr (!can_be_withdrawn<Op>) return op.start(w);
    strand& s = *fiber.on;
    s.waiting_on = &fiber;
    if (op.start(w)) return true;
    s.waiting_on = nullptr;
    return false;
  }

  static void begin(resumable& node);
  static void switch_in(resumable& node);
  static bool finish(wait& w) noexcept;
  static bool queue(wait& w) noexcept;
  static void stop_in_wait(wait& w) noexcept;
  static void entry(void* self);
  CORDAGE_ALWAYS_INLINE void enter() noexcept;
  void stop_here();
  void take_turn() noexcept;

  // What a turn touches comes first, in two cache lines with the node.
  void* operation_ = nullptr;
  machine_context* outside_ = nullptr;  // where the fiber goes when it leaves: on its resumer's stack
  machine_context self_{};
  exception_state exceptions_;
  bool stopped_ = false;    // the wait ended by a stop; set before the fiber is entered
  bool unwinding_ = false;  // a fiber_unwind is under way: waits in destructors do not stop again
  bool begun_ = false;
  bool finished_ = false;
  [[no_unique_address]] sanitizer_fiber sanitizer_;
  void* frames_top_;  // where its own frames begin, just below this control block
  stack stack_;
  char name_[23];
  unsigned char name_length_;

  static constinit thread_local fiber_base* current_;
};

template <class Op>
constinit inline const wait_type fiber_base::wait_type_of{cancel<Op>, stop_in_wait, start<Op>};

// Makes a fiber's object at the top of a fresh stack.
template <class Fiber, class... Args>
Fiber* make_on_stack(std::size_t stack_size, std::string_view name, Args&&... args) {
  const stack taken = take_stack(stack_size);
  constexpr std::size_t alignment = alignof(Fiber) > 64 ? alignof(Fiber) : 64;
  auto place = reinterpret_cast<std::uintptr_t>(taken.top) - sizeof(Fiber);
  place -= place % alignment;
  // What remains has to be worth calling a stack.
  if (place < reinterpret_cast<std::uintptr_t>(taken.low) + taken.size() / 4) {
    give_back(taken);
    throw_exception<std::length_error>("a fiber's arguments do not fit on its stack",
                                       "cordage: a fiber's function and arguments take most of its stack; pass large "
                                       "ones by pointer or give fiber_options.stack_size");
  }
  sanitizer_fiber::clean(taken.low, taken.size());
  auto* const at = reinterpret_cast<void*>(place);
  Fiber* made = nullptr;
  catching([&] { made = ::new (at) Fiber(taken, at, name, std::forward<Args>(args)...); },
           [&](std::exception_ptr exception) {
             give_back(taken);
             std::rethrow_exception(std::move(exception));
           });
  return made;
}

// The reverse. Not on the fiber's own stack.
template <class Fiber>
void destroy_on_stack(Fiber* fiber) noexcept {
  const stack taken = fiber->its_stack();
  fiber->~Fiber();
  give_back(taken);
}

}  // namespace cordage::detail
