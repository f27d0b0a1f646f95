#include <cordage/scope.hpp>

namespace cordage {

void scope::child_ended(detail::joinable& child, const failure& failed, bool abandoned) noexcept {
  dismiss(child);
  const bool is_exception = failed.exception() != nullptr;
  const bool counts = is_exception || (failed && (abandoned || &child == function_));
  if (counts) {
    // An exception weighs more than an error; among equals the first counts.
    if (!first_failure_ || (is_exception && first_failure_.exception() == nullptr)) first_failure_ = failed;
    stop_children();
  }
  if (&child != function_) admission_.child_ended();
  if (live() == 0) admission_.wake_at_rest(*waiter_);
}

}  // namespace cordage
