// No exceptions, no state of theirs.
#pragma once

namespace cordage::detail {

class exception_state {
 public:
  struct globals {};
  void attach_to_this_thread() noexcept {}
  bool attach_if_known() noexcept { return false; }
  bool attached_to_this_thread() const noexcept { return true; }
  bool any_now() const noexcept { return false; }
  bool any_saved() const noexcept { return false; }
  void enter(globals&) noexcept {}
  void leave(globals&) noexcept {}
  void exchange(globals&) noexcept {}
};

class exception_free {};

}  // namespace cordage::detail
