// The control block of a fiber and its way on and off its stack.
//
// It lives in the topmost lines of the fiber's own stack, above the frames of the fiber. A fiber never leaves the
// thread on which it started: compilers keep the addresses of thread-locals across a switch.
#pragma once

#include <exception>
#include <string_view>
#include <utility>

#include <cordage/base/config.hpp>
#include <cordage/context/operation.hpp>
#include <cordage/context/stackful.hpp>
#include <cordage/strands/coroutine_base.hpp>
#include <cordage/strands/strand.hpp>
#include <cordage/strands/waiting_node.hpp>

namespace cordage::detail {

// What a turn of a fiber touches, in one cache line together with the pointer to its functions; the next line is the
// beginning of stackful.
struct fiber_wait : wait {
  void* operation = nullptr;
  coroutine_base* coroutine = nullptr;  // the innermost one on the fiber in which it waits; null without one
  strand* on = nullptr;
};

class alignas(64) fiber_base : public fiber_wait, public stackful {
 public:
  fiber_base(stack& on_stack, void* frames_top, std::string_view name) noexcept;
  fiber_base(const fiber_base&) = delete;
  fiber_base& operator=(const fiber_base&) = delete;
  virtual ~fiber_base();

  // The fiber that runs on this thread right now, itself or in a coroutine that it resumed; null outside of any.
  static fiber_base* current() noexcept { return current_; }

  strand& its_strand() const noexcept { return *on; }
  bool begun() const noexcept { return begun_; }

  // For whoever looks. Who waits for it, where it is no strand of its own.
  virtual waiting_node awaited_by() noexcept { return {}; }
  // The fiber that waits with a node; null where it is somebody else's.
  static fiber_base* waiting_with(resumable& node) noexcept;

  // Queues its first run, as part of the given strand, which outlives it.
  void launch(strand& as) noexcept {
    on = &as;
    home = as.home;
    home->schedule(*this);
  }

  // Called by code on this fiber before each wait: throws if the strand has been stopped.
  CORDAGE_ALWAYS_INLINE void before_wait() {
    if (must_stop()) [[unlikely]] unwind();
  }

  // Asked instead where nothing can be thrown.
  CORDAGE_ALWAYS_INLINE bool must_stop() const noexcept { return home->any_stopping() && on->stopping(); }

  // Called when an operation was ready: gives others a turn when the budget of this one is spent.
  CORDAGE_ALWAYS_INLINE void after_ready() {
    if (!home->spend()) [[unlikely]] take_turn();
  }

  // Leaves the stack; the operation is started on the other side, once it has really been left. Comes back when it
  // is complete.
  template <class Op>
  CORDAGE_ALWAYS_INLINE void wait_for(Op& op) {
    operation = &op;
    type = &wait_type_of<Op>;
    leave();
    if constexpr (can_be_withdrawn<Op>) {
      on->waiting_on = nullptr;
      if constexpr (config::exceptions) {
        if (stopped_) [[unlikely]] unwind();
      }
    }
  }

  // After wait_for, where nothing can be thrown: whether the wait was ended by a stop. Asked once.
  bool wait_was_stopped() noexcept { return std::exchange(stopped_, false); }

  // Throws stack_unwind, which ends at the beginning of the fiber. Not declared noreturn, see coroutine_base::unwind.
  CORDAGE_RARELY_THROWS void unwind();

 protected:
  // The fiber's function; runs on its stack and does not throw.
  virtual void body() noexcept = 0;
  // After body, outside of the stack. May destroy the fiber and give back its stack.
  virtual void ended() noexcept = 0;

 private:
  template <class Op>
  static const wait_type wait_type_of;
  template <class Op>
  static cancel_result cancel(wait& w) noexcept {
    return static_cast<Op*>(static_cast<fiber_base&>(w).operation)->cancel();
  }
  // True: the operation is under way, and the fiber may be running again.
  template <class Op>
  static bool start(wait& w) noexcept {
    auto& fiber = static_cast<fiber_base&>(w);
    Op& op = *static_cast<Op*>(fiber.operation);
    if constexpr (!can_be_withdrawn<Op>) return op.start(w);
    strand& s = *fiber.on;
    s.waiting_on = &fiber;
    if (op.start(w)) return true;
    s.waiting_on = nullptr;
    return false;
  }

  template <class Op>
  static void shown(wait& w, onlooker& to) {
    auto& fiber = static_cast<fiber_base&>(w);
    to.waits({.fiber = &fiber});
    detail::show(*static_cast<Op*>(fiber.operation), to);
  }

  static void begin(resumable& node);
  static void switch_in(resumable& node);
  static bool finish(wait& w) noexcept;
  static bool queue(wait& w) noexcept;
  static void stop_in_wait(wait& w) noexcept;
  static void entry(void* self);
  CORDAGE_ALWAYS_INLINE void enter(bool first) noexcept;
  CORDAGE_ALWAYS_INLINE void take_its_turn(bool first) noexcept;
  void go_straight_on() noexcept;
  CORDAGE_ALWAYS_INLINE void left() noexcept;
  void take_turn() noexcept;

  CORDAGE_ALWAYS_INLINE void leave() noexcept {
    if (coroutine_base::last_resumed() != nullptr) [[unlikely]] coroutine = coroutine_base::forget_current();
    sanitizer_.before_leave(inner_sanitizer());
    switch_context(self_, *outside_, no_message());
    sanitizer_.after_enter(inner_sanitizer());
    if (coroutine != nullptr) [[unlikely]] coroutine_base::remember(std::exchange(coroutine, nullptr));
  }
  sanitizer_fiber& inner_sanitizer() noexcept { return coroutine != nullptr ? sanitizer_of(*coroutine) : sanitizer_; }

  bool begun_ = false;
  bool finished_ = false;
  bool stopped_ = false;  // the wait ended by a stop; set before the fiber is entered
  stop_shield unwinding_;  // what waits in destructors are shielded by

  // Not inline as other thread-locals are: a fiber's turn of the queue would take a cycle more.
  static constinit thread_local fiber_base* current_;
};

template <class Op>
constinit inline const wait_type fiber_base::wait_type_of{cancel<Op>, stop_in_wait, start<Op>, operation_name<Op>,
                                                                  shown<Op>};

}  // namespace cordage::detail
