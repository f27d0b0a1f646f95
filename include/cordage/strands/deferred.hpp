// An operation that is made where it is awaited, of arguments that are kept until then: so it never has to move.
//
// Any thread, one at a time, until it is awaited, once. It owns what it keeps by value.
#pragma once

#include <tuple>
#include <utility>

namespace cordage::detail {

// Args are as deduced by forwarding references: plain types are kept, references refer.
template <class Operation, class... Args>
class [[nodiscard]] deferred {
 public:
  template <class... As>
  explicit deferred(std::in_place_t, As&&... args) : args_(std::forward<As>(args)...) {}

  Operation as_operation() && {
    return std::apply([](auto&... kept) { return Operation(static_cast<Args&&>(kept)...); }, args_);
  }
  Operation as_operation() & { return std::move(*this).as_operation(); }

 protected:
  std::tuple<Args...> args_;
};

// For functions that give one.
template <class Operation, class... Args>
auto defer(Args&&... args) {
  return deferred<Operation, Args...>(std::in_place, std::forward<Args>(args)...);
}

}  // namespace cordage::detail
