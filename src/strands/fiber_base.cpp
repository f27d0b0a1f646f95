#include <algorithm>

#include <cordage/base/fatal.hpp>
#include <cordage/strands/fiber_base.hpp>

namespace cordage::detail {

constinit thread_local fiber_base* fiber_base::current_ = nullptr;

fiber_base::fiber_base(const stack& on_stack, void* frames_top, std::string_view name) noexcept
    : frames_top_(frames_top), stack_(on_stack) {
  if (name.empty()) name = "unnamed";
  name_length_ = static_cast<unsigned char>(std::min(name.size(), sizeof name_));
  std::copy_n(name.data(), name_length_, name_);
  run = begin;
}

fiber_base::~fiber_base() {
  expects(!begun_ || finished_, "a fiber was destroyed while it was suspended; await it, or stop its strand first");
  if (begun_) sanitizer_.end();
}

// From an executor's loop, which never runs on a fiber.
CORDAGE_ALWAYS_INLINE void fiber_base::enter() noexcept {
  machine_context outside;
  outside_ = &outside;
  current_ = this;
  exceptions_.enter();
  sanitizer_.before_enter();
  switch_context(outside, self_, this);
  sanitizer_.after_leave();
  exceptions_.leave();
  current_ = nullptr;
}

// The first time.
void fiber_base::begin(resumable& node) {
  auto& fiber = static_cast<fiber_base&>(node);
  fiber.begun_ = true;
  fiber.exceptions_.attach_to_this_thread();
  auto* const top = static_cast<std::byte*>(fiber.frames_top_);
  fiber.sanitizer_.begin(fiber.stack_.low, static_cast<std::size_t>(top - fiber.stack_.low));
  prepare(fiber.self_, top, entry);
  fiber.run = switch_in;
  switch_in(fiber);
}

// The executor's side. When the fiber has left its stack to wait, the operation is started here; one that completes
// at once sends the fiber straight back.
void fiber_base::switch_in(resumable& node) {
  auto& fiber = static_cast<fiber_base&>(node);
  do {
    fiber.enter();
  } while (!fiber.type->start(fiber));
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

void fiber_base::entry(void* self) {
  static constexpr wait_type finished{nullptr, nullptr, finish};
  auto& fiber = *static_cast<fiber_base*>(self);
  fiber.sanitizer_.after_enter();
  fiber.body();
  fiber.finished_ = true;
  fiber.type = &finished;
  fiber.sanitizer_.before_last_leave();
  switch_context(fiber.self_, *fiber.outside_, &fiber);
  fatal("a fiber was entered after its end");
}

void fiber_base::stop_here() {
  if (!unwinding_) unwind();
}

// Rarely run, and so by the opaque switch.
void fiber_base::take_turn() noexcept {
  static constexpr wait_type turn{nullptr, nullptr, queue};
  type = &turn;
  sanitizer_.before_leave();
  cordage_switch_opaque(this, &self_, outside_);
  sanitizer_.after_enter();
}

void fiber_base::unwind() {
  stopped_ = false;
  unwinding_ = true;
  throw_exception<fiber_unwind>("a fiber was stopped, and without exceptions it cannot be unwound", *this);
}

fiber_unwind::~fiber_unwind() {
  if (whose_ == nullptr) return;
  whose_->unwinding_ = false;
  complain({"fiber \"", whose_->name(), "\" swallowed a stop: its catch (...) has to throw it on; it will stop again at "
                                        "its next wait"});
}

}  // namespace cordage::detail
