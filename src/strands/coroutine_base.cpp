#include <memory>
#include <new>
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

coroutine_status coroutine_base::status() const noexcept {
  if (is(at_rest::dead)) return coroutine_status::dead;
  if (!runs()) return coroutine_status::suspended;
  return last_resumed_ == this ? coroutine_status::running : coroutine_status::normal;
}

void* coroutine_base::resume_rarely() {
  if (runs() || is(at_rest::dead))
    throw_exception<status_error>("a coroutine was resumed that is not suspended",
                                  "coroutine is " + std::string(name_of(status())) + ", expected suspended");
  check_thread();
  void* const yielded = enter(go_on(*this));
  if (yielded == nullptr) ended();
  return yielded;
}

// The way in and out that cares for the exceptions of both sides.
void* coroutine_base::enter(void* message) noexcept {
  become_current();
  exceptions_.exchange(saved_exceptions_);
  sanitizer_.before_enter(sanitizer_);
  void* const yielded = is(at_rest::not_begun) ? switch_to_entry(resumer_, message) : switch_context(resumer_, self_, message);
  sanitizer_.after_leave();
  exceptions_.exchange(saved_exceptions_);
  mark(exceptions_.any_saved() ? at_rest::in_catch : at_rest::at_yield);
  last_resumed_ = outer_;
  return yielded;
}

void coroutine_base::left_rarely() noexcept {
  exceptions_.leave(saved_exceptions_);
  if (exceptions_.any_saved()) mark(at_rest::in_catch);
  if (outer_ != nullptr) last_resumed_ = outer_;
}

void coroutine_base::rethrow() {
  const failure of_body = std::move(failure_);
  std::destroy_at(&failure_);
  if (of_body.of_other != nullptr && of_body.of_other->under_way()) of_body.of_other->throw_on();
  std::rethrow_exception(of_body.exception);
}

void coroutine_base::unwind() {
  yields_ = nullptr;
  unwinding_over_ = nullptr;
  throw_unwinding();
}

void coroutine_base::mute_running(bool muted) noexcept {
  for (coroutine_base* each = current(); each != nullptr; each = each->outer_) {
    if (each->yields_ != nullptr && each->is_muted() != muted) each->yields_ += muted ? 1 : -1;
  }
}

void coroutine_base::unwound(stack_unwind& by) noexcept {
  // One of a fiber goes on through the coroutines on it.
  if (!by.arrives_at(*this)) fail(std::current_exception(), &by);
}

void coroutine_base::fail(std::exception_ptr exception, stack_unwind* of_other) noexcept {
  ::new (&failure_) failure{std::move(exception), of_other};
  self_.pc = nullptr;
}

// Without exceptions the destructors of what lies on its stack would silently not run.
void coroutine_base::cannot_be_unwound() const noexcept {
  fatal({"coroutine \"", name(), "\" was destroyed while it was suspended, and without exceptions its stack cannot be "
                                 "unwound; resume it to its end first"});
}

void coroutine_base::end() noexcept {
  expects(!runs(), "a coroutine was destroyed while it was running or had resumed another one");
  check_thread();
  if constexpr (!config::exceptions) cannot_be_unwound();
  // Comes back at its end: while it is unwound it does not yield.
  enter(nullptr);
  if (failed()) std::destroy_at(&failure_);
  report_swallowed_unwinding();
}

}  // namespace cordage::detail
