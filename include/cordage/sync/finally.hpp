// The operation behind finally: a body, and then a cleanup that no stop keeps from running. Both are
// parts of it, and run on the strand that awaits it, on its executor.
#pragma once

#include <optional>
#include <type_traits>
#include <utility>

#include <cordage/base/closure.hpp>
#include <cordage/fiber.hpp>
#include <cordage/result.hpp>
#include <cordage/strands/inner_operation.hpp>
#include <cordage/strands/start.hpp>
#include <cordage/strands/strand.hpp>
#include <cordage/strands/task_promise.hpp>

namespace cordage::detail {

// A callable that returns a task, called when it is waited for, and kept as long as the task.
template <class F>
class called_task {
  using promise = typename std::remove_cvref_t<call_result<F>>::promise_type;

 public:
  static constexpr const char* name = "a task";

  explicit called_task(F&& f) : f_(std::move(f)) {}
  explicit called_task(const F& f) : f_(f) {}

  void attach(strand& on) noexcept { on_ = &on; }
  bool ready() {
    task_.emplace(f_().release_frame());
    task_->attach(*on_);
    return task_->ready();
  }
  bool start(waiting_node by) noexcept { return task_->start(by); }
  static constexpr bool always_too_late = true;
  cancel_result cancel() noexcept { return cancel_result::too_late; }
  bool stopped() const noexcept { return task_->stopped(); }
  decltype(auto) get() { return task_->get(); }

 private:
  F f_;
  std::optional<task_operation<promise>> task_;
  strand* on_ = nullptr;
};

// Something to wait for, or a callable, by the one rule: as an operation.
template <class X>
struct part_of {
  static decltype(auto) operation_in(X&& x) { return inner_of<X>::operation_in(std::forward<X>(x)); }
};
template <class X>
  requires(!awaitable_or_checked<X>)
struct part_of<X> {
  static auto operation_in(X&& x) {
    static_assert(startable<X>, "finally: this can be neither awaited nor called without arguments");
    require_safe_closure<X>();
    if constexpr (runs_stackless<X>) {
      return called_task<std::decay_t<X>>(std::forward<X>(x));
    } else {
      return fiber<call_result<X>>(std::forward<X>(x)).as_operation();
    }
  }
};
template <class X>
using part_kept = kept_of<decltype(part_of<X>::operation_in(std::declval<X>()))>;

template <class Body, class Cleanup>
class finally_operation final : stop_shield {
  struct body_part : inner_operation<body_part, Body> {
    using inner_operation<body_part, Body>::inner_operation;
    using inner_operation<body_part, Body>::waiter;
    void inner_ended() noexcept { owner->body_ended(); }
    finally_operation* owner = nullptr;
  };
  struct cleanup_part : inner_operation<cleanup_part, Cleanup> {
    using inner_operation<cleanup_part, Cleanup>::inner_operation;
    using inner_operation<cleanup_part, Cleanup>::waiter;
    void inner_ended() noexcept { owner->cleanup_ended(); }
    finally_operation* owner = nullptr;
  };
  using value = typename body_part::value;

 public:
  static constexpr const char* name = "finally";

  template <class B, class C>
  finally_operation(B&& body, C&& cleanup)
      : body_(std::in_place_type<void>, [&]() -> decltype(auto) { return part_of<B>::operation_in(std::forward<B>(body)); }),
        cleanup_(std::in_place_type<void>,
                 [&]() -> decltype(auto) { return part_of<C>::operation_in(std::forward<C>(cleanup)); }) {}

  void attach(strand& on) noexcept { on_ = &on; }
  bool ready() const noexcept { return false; }
  bool start(waiting_node by) {
    body_.waiter = cleanup_.waiter = by;
    body_.owner = cleanup_.owner = this;
    return body_.begin(*on_) || begin_cleanup();
  }
  static constexpr bool always_too_late = true;
  cancel_result cancel() const noexcept { return cancel_result::too_late; }

  // As the body did.
  bool stopped() const noexcept { return body_.ended.state() == outcome_state::stopped; }

  value get() {
    const bool succeeded = body_.ended.state() == outcome_state::value && !holds_error(body_.ended);
    if (succeeded) pass_on_failure_of_cleanup();
    if constexpr (takes_error<value>) {
      if (succeeded && holds_error(cleanup_.ended)) return failed_as<value>(error_of_cleanup());
    }
    return body_.ended.take();
  }

 private:
  bool begin_cleanup() {
    on_->raise(*this);
    if (cleanup_.begin(*on_)) return true;
    on_->lower(*this);
    return false;
  }
  void body_ended() noexcept {
    if (!begin_cleanup()) wake(*body_.waiter.node);
  }
  void cleanup_ended() noexcept {
    on_->lower(*this);
    wake(*cleanup_.waiter.node);
  }

  // Throws what cannot be a value.
  void pass_on_failure_of_cleanup() {
    if (cleanup_.ended.state() == outcome_state::exception) std::rethrow_exception(cleanup_.ended.exception());
    if (!takes_error<value> && holds_error(cleanup_.ended)) raise(error_of_cleanup());
  }
  error error_of_cleanup() {
    if constexpr (gives_error<typename cleanup_part::value>) return cleanup_.ended.value().error();
    return {};
  }

  body_part body_;
  cleanup_part cleanup_;
  strand* on_ = nullptr;
};

}  // namespace cordage::detail
