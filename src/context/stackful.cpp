#include <cordage/base/fatal.hpp>
#include <cordage/context/stackful.hpp>
#include <cordage/context/throw_if_caught.hpp>

#include "context/code_place.hpp"

namespace cordage::detail {

void stackful::set_name(std::string_view given) noexcept {
  its_stack().name.set(given);
  named_ = true;
}

void stackful::set_up_thread() noexcept {
  exceptions_.attach_to_this_thread();
  prepare_thread_for_overflows();
}

void stackful::report_swallowed_unwinding() noexcept {
  if (being_unwound_) unwound_by_->swallowed();
}

void stackful::throw_unwinding() {
  throw_if_caught(kind_ == stackful_kind::fiber ? "a fiber was stopped, and without exceptions it cannot be unwound"
                                                : "a coroutine was destroyed, and without exceptions it cannot be unwound",
                  stack_unwind(*this));
  cannot_be_unwound_from_here();
}

void stack_unwind::throw_on() {
  const stackful& whose = *whose_;
  throw_if_caught("without exceptions nothing is unwound", stack_unwind(std::move(*this)));
  whose.cannot_be_unwound_from_here();
}

// What unwinds it is caught at its beginning, so the search for a handler has not arrived there.
void stackful::cannot_be_unwound_from_here() const noexcept {
  const bool fiber = kind_ == stackful_kind::fiber;
  const code_place foreign = place_of(where_unwinding_ends());
  const bool named = !foreign.function.empty();
  fatal({fiber ? "fiber \"" : "coroutine \"", name(),
         fiber ? "\" was stopped, but between its await and its beginning lies code without unwind information, "
               : "\" was destroyed while it was suspended, but between its yield and its beginning lies code without unwind "
                 "information, ",
         named ? "in " : "", foreign.function, named ? " " : "", "at ", foreign.file, "+", foreign.offset,
         fiber ? ": compile that with -fexceptions, or shield what is awaited in its callbacks"
               : ": compile that with -fexceptions, or resume the coroutine to its end first"});
}

void stack_unwind::swallowed() noexcept {
  const bool fiber = whose_->kind() == stackful_kind::fiber;
  complain({fiber ? "fiber \"" : "coroutine \"", whose_->name(),
            fiber ? "\" swallowed a stop: its catch (...) has to throw it on; it will stop again at its next wait"
                  : "\" swallowed its unwinding: its catch (...) has to throw it on; it will be unwound again from its "
                    "next yield"});
  over();
}

}  // namespace cordage::detail
