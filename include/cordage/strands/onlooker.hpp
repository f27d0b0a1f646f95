// What strands tell whoever looks at them from inside the process: runtime::dump.
//
// Nothing is written for it while nobody looks: it is read off what waiting needs anyway, through functions in the
// constants that belong to each kind of wait.
#pragma once

#include <coroutine>
#include <string_view>

#include <cordage/context/operation.hpp>
#include <cordage/context/resumable.hpp>

namespace cordage::detail {

class fiber_base;
class promise_base;
class strand;
struct waiting_node;

// A piece of a strand's code: a coroutine or a fiber. Of a coroutine of another library only the frame is known.
struct piece_of_code {
  std::coroutine_handle<> frame = nullptr;
  promise_base* promise = nullptr;
  fiber_base* fiber = nullptr;
};

// With what a strand began. What does not say so has begun, with what nobody knows.
struct beginning {
  bool begun = true;
  std::coroutine_handle<> frame = nullptr;
  fiber_base* fiber = nullptr;
};

class onlooker {
 public:
  // Whoever waits, or the node with which they do.
  virtual void waits(const piece_of_code& waiter) = 0;
  virtual void waits(const waiting_node& waiter) = 0;
  // What the operation says of itself, better than its name.
  virtual void described(std::string_view what) = 0;
  // A strand that the operation waits for and that began with it.
  virtual void child(strand& one) = 0;
  // The strand that has what the operation waits for; it may have ended since, and is not to be touched.
  virtual void held_by(const strand* holder) = 0;

 protected:
  ~onlooker() = default;
};

// What can be told of an operation that is under way: see operation.hpp on `described`, `each_child` and `held_by`.
template <class Op>
void show(Op& op, onlooker& to) {
  if constexpr (requires { std::string_view(op.described()); }) to.described(op.described());
  const auto child = [&to](strand& one) { to.child(one); };
  if constexpr (requires { op.each_child(child); }) op.each_child(child);
  if constexpr (requires { to.held_by(op.held_by()); }) to.held_by(op.held_by());
}

}  // namespace cordage::detail
