#include <algorithm>

#include <cordage/base/fatal.hpp>
#include <cordage/strands/fiber_base.hpp>

namespace cordage::detail {

constinit thread_local fiber_base* fiber_base::current_ = nullptr;

namespace {

// An operation for before_wait_slowly: a turn of the queue.
struct turn_operation {
  bool start(resumable& node) noexcept {
    node.home->schedule(node);
    return true;
  }
  cancel_result cancel() noexcept { return cancel_result::too_late; }
};

}  // namespace

fiber_base::fiber_base(const stack& on_stack, void* frames_top, std::string_view name) noexcept
    : frames_top_(frames_top), stack_(on_stack) {
  if (name.empty()) name = "unnamed";
  name_length_ = static_cast<unsigned char>(std::min(name.size(), sizeof name_));
  std::copy_n(name.data(), name_length_, name_);
  run = switch_in;
}

fiber_base::~fiber_base() {
  expects(!begun_ || finished_, "a fiber was destroyed while it was suspended; await it, or stop its strand first");
  if (begun_) sanitizer_.end();
}

// The executor's side. When the fiber has left its stack to wait, the operation is started here; one that completes
// at once sends the fiber straight back.
void fiber_base::switch_in(resumable& node) noexcept {
  auto& fiber = static_cast<fiber_base&>(node);
  strand& s = *fiber.on;
  s.going_on();
  if (!fiber.begun_) [[unlikely]] fiber.begin();
  for (;;) {
    fiber.enter();
    if (fiber.finished_) [[unlikely]] return fiber.ended();
    s.waiting_on = &fiber;
    if (fiber.type->start(fiber)) return;
    s.waiting_on = nullptr;
  }
}

void fiber_base::stop_in_wait(wait& w) noexcept {
  auto& fiber = static_cast<fiber_base&>(w);
  fiber.stopped_ = true;
  switch_in(fiber);
}

void fiber_base::begin() noexcept {
  begun_ = true;
  exceptions_.attach_to_this_thread();
  sanitizer_.begin(stack_.low, static_cast<std::size_t>(static_cast<std::byte*>(frames_top_) - stack_.low));
  prepare(self_, frames_top_, entry);
}

void fiber_base::enter() noexcept {
  fiber_base* const previous = std::exchange(current_, this);
  exceptions_.exchange();
  sanitizer_.before_enter();
  switch_context(outside_, self_, this);
  sanitizer_.after_leave();
  exceptions_.exchange();
  current_ = previous;
}

void fiber_base::entry(void* self) {
  auto& fiber = *static_cast<fiber_base*>(self);
  fiber.sanitizer_.after_enter();
  fiber.body();
  fiber.finished_ = true;
  fiber.sanitizer_.before_last_leave();
  switch_context(fiber.self_, fiber.outside_, &fiber);
  fatal("a fiber was entered after its end");
}

void fiber_base::before_wait_slowly() {
  if (on->stopping() && !unwinding_) unwind();
  if (on->budget > 0) return;
  turn_operation turn;
  wait_for_opaquely(turn);
  if (on->stopping() && !unwinding_) unwind();
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
