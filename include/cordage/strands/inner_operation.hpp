// An operation that another operation waits for: that of a combinator's child, or what a shield protects.
//
// It runs on a strand like a wait of a coroutine's or a fiber's own, and keeps what becomes of it. Everything happens on the
// strand's executor.
#pragma once

#include <exception>
#include <type_traits>
#include <utility>

#include <cordage/base/exceptions.hpp>
#include <cordage/checked.hpp>
#include <cordage/context/operation.hpp>
#include <cordage/strands/foreign.hpp>
#include <cordage/strands/outcome.hpp>
#include <cordage/strands/strand.hpp>
#include <cordage/strands/waiting_node.hpp>

namespace cordage::detail {

// What is kept of something awaited until it is: the operation behind it, or a reference where that is an lvalue.
template <class X>
struct inner_of {
  using kept = kept_of<decltype(waited_for(std::declval<X>()))>;
  static constexpr bool checked = false;
  static decltype(auto) operation_in(X&& x) { return waited_for(std::forward<X>(x)); }
};
template <class X>
  requires is_checked<std::remove_cvref_t<X>>
struct inner_of<X> {
  using what = decltype(std::remove_cvref_t<X>::what);
  using kept = typename inner_of<what>::kept;
  static constexpr bool checked = true;
  static decltype(auto) operation_in(X&& x) { return inner_of<what>::operation_in(static_cast<what&&>(x.what)); }
};

template <class X>
using inner_kept = typename inner_of<X>::kept;

// So many operations may begin inside each other before one takes a turn of the queue: a chain of any depth needs no stack.
inline constexpr int deepest_start = 16;

// Owner derives from it, and has inner_ended(): called when the operation has ended, unless begin() answered false. It may
// have attached(operation), called before any other function of that but attach.
//
// Node is a plain wait where a strand of its own begins with the operation. Else it runs on the strand of whoever waits for
// the owner, who is kept in the node.
template <class Owner, class Kept, class Node = inner_node>
class inner_operation : protected Node {
  using operation_type = std::remove_reference_t<Kept>;
  static constexpr bool withdrawable = can_be_withdrawn<operation_type>;

  Kept op_;  // right behind the node, where debuggers look for it

 public:
  using value = decltype(std::declval<operation_type&>().get());

  // Of what is waited for, see inner_of.
  template <class X>
  explicit inner_operation(std::in_place_t, X&& x) : op_(inner_of<X>::operation_in(std::forward<X>(x))) {}
  // Of what make() gives.
  template <class Make>
  explicit inner_operation(std::in_place_type_t<void>, Make&& make) : op_(std::forward<Make>(make)()) {}
  inner_operation(const inner_operation&) = delete;
  inner_operation& operator=(const inner_operation&) = delete;

  // False: it has ended already.
  bool begin(strand& on) {
    on_ = &on;
    executor& here = *on.home;
    this->home = &here;
    here.enter(on);
    if (here.nested_starts >= deepest_start) [[unlikely]] {
      this->run = begin_later;
      wake(*this);
      return true;
    }
    ++here.nested_starts;
    const bool under_way = start_or_fail();
    --here.nested_starts;
    return under_way;
  }

  outcome<value> ended;

 private:
  Owner& owner() noexcept { return static_cast<Owner&>(*this); }

  // A stop may have been earlier.
  static void begin_later(resumable& node) {
    auto& self = static_cast<inner_operation&>(node);
    self.home->enter(*self.on_);
    if (!begins_although_stopped<operation_type> && self.on_->stopping()) {
      self.ended.set_stopped();
    } else if (self.start_or_fail()) {
      return;
    }
    self.owner().inner_ended();
  }

  bool start_or_fail() {
    bool under_way = false;
    catching([&] { under_way = start(); },
             [&](std::exception_ptr thrown) {
               on_->waiting_on = nullptr;
               ended.set_exception(std::move(thrown));
             });
    return under_way;
  }

  bool start() {
    if constexpr (requires { op_.attach(*on_); }) op_.attach(*on_);
    if constexpr (requires { owner().attached(op_); }) owner().attached(op_);
    if (op_.ready()) {
      if (this->home->spend()) [[likely]] {
        settle();
        return false;
      }
      this->run = completed;
      wake(*this);
      return true;
    }
    this->run = completed;
    if constexpr (withdrawable) {
      this->type = &its_type;
      on_->waiting_on = this;
    }
    if (op_.start(static_cast<Node&>(*this))) return true;
    if constexpr (withdrawable) on_->waiting_on = nullptr;
    settle();
    return false;
  }

  void settle() noexcept {
    if (was_stopped(op_)) return ended.set_stopped();
    run_into(ended, [this]() -> decltype(auto) { return op_.get(); });
  }

  static void completed(resumable& node) {
    auto& self = static_cast<inner_operation&>(node);
    self.home->enter(*self.on_);
    if constexpr (withdrawable) self.on_->waiting_on = nullptr;
    self.settle();
    self.owner().inner_ended();
  }

  // For the walk that stops the strand.
  static cancel_result cancel(wait& w) noexcept { return static_cast<inner_operation&>(w).op_.cancel(); }
  static void stopped(wait& w) noexcept {
    auto& self = static_cast<inner_operation&>(w);
    self.ended.set_stopped();
    self.owner().inner_ended();
  }
  static void shown(wait& w, onlooker& to) {
    auto& self = static_cast<inner_operation&>(w);
    if constexpr (std::is_same_v<Node, inner_node>) to.waits(self.waiter);
    detail::show(self.op_, to);
  }
  static constexpr wait_type its_type{cancel, stopped, nullptr, operation_name<operation_type>, shown};

  strand* on_ = nullptr;
};

// Whether what ended is a failure to those who said `!`.
template <class T>
bool holds_error(outcome<T>& ended) noexcept {
  if constexpr (gives_error<T>) return ended.state() == outcome_state::value && !ended.value().has_value();
  return false;
}

}  // namespace cordage::detail
