// What one can wait for.
//
// An operation belongs to the strand that waits for it and stays where it is from start() to its completion. The
// same operation serves tasks (co_await), fibers (await) and combinators: each of them follows the protocol below.
#pragma once

#include <concepts>
#include <type_traits>
#include <utility>

#include <cordage/context/resumable.hpp>

namespace cordage {

// What cancel() answers: no completion will come, or it is under way and has to be waited for.
enum class cancel_result : bool { withdrawn, too_late };

// ready()      true: complete; get() must follow, since the answer may already have been taken from somewhere.
// start(node)  true: the node will be woken exactly once, perhaps before start returns on another thread, so nothing
//              of the awaiter may be touched afterwards. false: complete at once, the node will never be woken, so
//              that a loop of ready operations does not grow the stack. Throws nothing; ready() may.
// cancel()     between start and completion, on the executor where the wait began.
// get()        once, after completion.
//
// Eight members are optional. attach(strand&), called before the others, is for operations that run code of their
// own on the awaiting strand. stopped(), after completion, tells whether the operation was ended by a stop instead
// of completing; then get() is not called. `static constexpr bool always_too_late = true` says that cancel() never
// withdraws, so that a stop need not know of the wait. `static constexpr bool begins_when_stopped = true` says that a strand
// that was stopped before begins it all the same, instead of stopping there. `static constexpr const char* name` is what
// debuggers call it. described(), from start() on, is a text that says more: messages about its failure begin with it, and
// dumps show it. each_child(f), from start() on, calls f with each strand that the operation consists of, for dumps;
// held_by() gives the strand that has what is waited for, or null where that is not known.
template <class Op>
concept operation = requires(Op& op, resumable& node) {
  { op.ready() } -> std::same_as<bool>;
  { op.start(node) } -> std::same_as<bool>;
  { op.cancel() } -> std::same_as<cancel_result>;
  op.get();
};

namespace detail {

template <class Op>
concept may_stop = requires(Op& op) {
  { op.stopped() } -> std::same_as<bool>;
};

template <class Op>
inline constexpr bool can_be_withdrawn = true;
template <class Op>
  requires Op::always_too_late
inline constexpr bool can_be_withdrawn<Op> = false;

template <class Op>
inline constexpr bool begins_although_stopped = false;
template <class Op>
  requires Op::begins_when_stopped
inline constexpr bool begins_although_stopped<Op> = true;

template <class Op>
constexpr const char* operation_name = "an operation";
template <class Op>
  requires requires { Op::name; }
constexpr const char* operation_name<Op> = Op::name;

// Tasks, fibers and the like are not operations themselves but give one when awaited.
template <class X>
concept gives_operation = requires(X&& x) {
  { std::forward<X>(x).as_operation() } -> operation;
};

// What is kept of something given: a reference to an lvalue, anything else itself.
template <class Given>
using kept_of = std::conditional_t<std::is_lvalue_reference_v<Given>, Given, std::remove_reference_t<Given>>;

// The operation behind whatever is awaited: itself, by reference where it is an lvalue, or what it gives.
template <class X>
  requires operation<std::remove_cvref_t<X>>
constexpr X&& as_operation(X&& x) noexcept {
  return static_cast<X&&>(x);
}

template <gives_operation X>
constexpr auto as_operation(X&& x) {
  return std::forward<X>(x).as_operation();
}

template <class X>
concept operation_like = requires(X&& x) { detail::as_operation(std::forward<X>(x)); };

template <class X>
using operation_of = std::remove_cvref_t<decltype(detail::as_operation(std::declval<X>()))>;

// What waiting for X gives.
template <class X>
using await_result = decltype(std::declval<operation_of<X>&>().get());

template <class Op>
bool was_stopped([[maybe_unused]] Op& op) noexcept {
  if constexpr (may_stop<Op>) {
    return op.stopped();
  } else {
    return false;
  }
}

}  // namespace detail
}  // namespace cordage
