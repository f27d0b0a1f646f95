// No exceptions, no state of theirs.
#pragma once

namespace cordage::detail {

class exception_state {
 public:
  void attach_to_this_thread() noexcept {}
  bool enter() noexcept { return false; }
  void leave(bool) noexcept {}
};

}  // namespace cordage::detail
