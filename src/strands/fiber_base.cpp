#include <cordage/base/fatal.hpp>
#include <cordage/strands/fiber_base.hpp>

namespace cordage::detail {

fiber_base::fiber_base(stack& on_stack, void* frames_top, std::string_view name) noexcept
    : stackful(stackful_kind::fiber, on_stack, frames_top, name, entry, nullptr) {
  run = begin;
}

fiber_base::~fiber_base() {
  expects(!begun_ || finished_, "a fiber was destroyed while it was suspended; await it, or stop its strand first");
  report_swallowed_unwinding();
  if (begun_) sanitizer_.end();
}

constinit thread_local fiber_base* fiber_base::current_ = nullptr;

// From an executor's loop, which never runs on a fiber.
CORDAGE_ALWAYS_INLINE void fiber_base::enter(bool first) noexcept {
  machine_context outside;
  outside_ = &outside;
  current_ = this;
  exceptions_.enter(saved_exceptions_);
  sanitizer_.before_enter(inner_sanitizer());
  if (first) {
    switch_to_entry(outside, no_message());
  } else {
    switch_context(outside, self_, no_message());
  }
  computed_here(this)->left();
}

CORDAGE_ALWAYS_INLINE void fiber_base::left() noexcept {
  sanitizer_.after_leave();
  exceptions_.leave(saved_exceptions_);
  current_ = nullptr;
  outside_ = nullptr;
}

// The executor's side. When the fiber has left its stack to wait, the operation is started here.
CORDAGE_ALWAYS_INLINE void fiber_base::take_its_turn(bool first) noexcept {
  home->enter(*on);
  enter(first);
  if (!type->start(*this)) [[unlikely]] go_straight_on();
}

// The operation was complete at once: the fiber is sent straight back, as long as the budget of its turn lasts. Apart from
// the turn, which would keep in memory what a loop needs again.
[[gnu::noinline]] void fiber_base::go_straight_on() noexcept {
  do {
    if (!home->spend()) [[unlikely]] return wake(*this);
    enter(false);
  } while (!type->start(*this));
}

void fiber_base::begin(resumable& node) {
  auto& fiber = static_cast<fiber_base&>(node);
  fiber.begun_ = true;
  fiber.stackful::begin();
  fiber.run = switch_in;
  fiber.take_its_turn(true);
}

void fiber_base::switch_in(resumable& node) { static_cast<fiber_base&>(node).take_its_turn(false); }

fiber_base* fiber_base::waiting_with(resumable& node) noexcept {
  return node.run == switch_in ? static_cast<fiber_base*>(&node) : nullptr;
}

// What a fiber that has left its stack for good waits for.
bool fiber_base::finish(wait& w) noexcept {
  static_cast<fiber_base&>(w).ended();
  return true;
}

// What a fiber waits for whose turn's budget is spent: its next turn.
bool fiber_base::queue(wait& w) noexcept {
  wake(w);
  return true;
}

void fiber_base::stop_in_wait(wait& w) noexcept {
  auto& fiber = static_cast<fiber_base&>(w);
  fiber.stopped_ = true;
  switch_in(fiber);
}

void fiber_base::entry(void*) {
  static constexpr wait_type finished{nullptr, nullptr, finish, "nothing"};
  fiber_base& fiber = *current_;
  fiber.sanitizer_.after_enter(fiber.sanitizer_);
  fiber.body();
  fiber.finished_ = true;
  fiber.type = &finished;
  fiber.sanitizer_.before_last_leave();
  leave_for_good(*fiber.outside_, nullptr);
}

void fiber_base::take_turn() noexcept {
  static constexpr wait_type turn{nullptr, nullptr, queue, "its turn"};
  type = &turn;
  leave();
}

void fiber_base::unwind() {
  stopped_ = false;
  if (!being_unwound_) {
    on->raise(unwinding_);
    coroutine_base::mute_running(true);  // or a destructor's yield would go on where it was resumed
    unwinding_over_ = [](stackful& over) noexcept {
      auto& fiber = static_cast<fiber_base&>(over);
      fiber.on->lower(fiber.unwinding_);
      coroutine_base::mute_running(false);  // there are some where it was swallowed
    };
  }
  throw_unwinding();
}

}  // namespace cordage::detail
