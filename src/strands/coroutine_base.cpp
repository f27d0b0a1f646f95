#include <string>
#include <utility>

#include <cordage/coroutine.hpp>

namespace cordage::detail {
namespace {

std::string_view name_of(coroutine_status status) noexcept {
  switch (status) {
    case coroutine_status::suspended: return "suspended";
    case coroutine_status::running: return "running";
    case coroutine_status::normal: return "normal";
    case coroutine_status::dead: break;
  }
  return "dead";
}

}  // namespace

coroutine_base::coroutine_base(stack& on_stack, void* frames_top, std::string_view name, const void* yields) noexcept
    : stackful(stackful_kind::coroutine, on_stack, frames_top, name, entry, this), yields_(yields) {}

void coroutine_base::begin_or_refuse() {
  if (state_ != state::not_begun)
    throw_exception<status_error>("a coroutine was resumed that is not suspended",
                                  "coroutine is " + std::string(name_of(status())) + ", expected suspended");
  begin();
}

void* coroutine_base::ended() {
  if (failure_ != nullptr) std::rethrow_exception(std::exchange(failure_, nullptr));
  return nullptr;
}

void coroutine_base::unwind() {
  state_ = state::running;
  throw_exception<stack_unwind>("a coroutine was destroyed, and without exceptions it cannot be unwound", *this);
}

void coroutine_base::entry(void* self) {
  auto& coroutine = *static_cast<coroutine_base*>(self);
  coroutine.sanitizer_.after_enter(coroutine.sanitizer_);
  const auto keep = [&](std::exception_ptr exception) { coroutine.failure_ = std::move(exception); };
  catching_special<stack_unwind>([&] { coroutine.body(); },
                                 [&](stack_unwind& unwound) {
                                   // One of a fiber goes on through the coroutines on it.
                                   if (!unwound.arrives_at(coroutine)) keep(std::current_exception());
                                 },
                                 keep);
  coroutine.state_ = state::dead;
  coroutine.finished_ = true;
  coroutine.sanitizer_.before_last_leave();
  switch_context(coroutine.self_, *coroutine.outside_);
  fatal("a coroutine was entered after its end");
}

void coroutine_base::end_and_destroy() noexcept {
  expects(state_ != state::running, "a coroutine was destroyed while it was running or had resumed another one");
  while (state_ == state::suspended) {
    expects(exceptions_.attached_to_this_thread(), "a coroutine was destroyed on another thread than it had begun on");
    state_ = state::to_be_unwound;
    enter();
  }
  if (begun_) sanitizer_.end();
  destroy();
}

}  // namespace cordage::detail
