// No exceptions, no state of theirs.
#pragma once

namespace cordage::detail {

class exception_state {
 public:
  void attach_to_this_thread() noexcept {}
  void enter() noexcept {}
  void leave() noexcept {}
};

class exception_free {};

}  // namespace cordage::detail
