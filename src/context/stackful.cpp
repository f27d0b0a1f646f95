#include <cordage/base/fatal.hpp>
#include <cordage/context/stackful.hpp>

namespace cordage::detail {

void stack::set_name(std::string_view given) noexcept { name.set(given); }

void stackful::set_up_thread() noexcept {
  exceptions_.attach_to_this_thread();
  prepare_thread_for_overflows();
}

stackful::~stackful() {
  if (unwound_by_ != nullptr) unwound_by_->swallowed();
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
