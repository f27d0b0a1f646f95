// Stop: the third way to complete, beside a value and an error.
//
// A stopped operation hands nothing to code that might ignore it: the awaiting frames are destroyed, innermost first,
// up to the nearest boundary (when_all, when_any, with_timeout, with_scope, a spawn, finally, as_result, run);
// destructors run, no other statement does. A fiber is unwound to the same boundary by an exception. Completion beats
// stop: what completed is delivered, and the next wait stops. A stop is asked for by request_stop of a join_handle, a
// scope, a runtime or a stop_source, and for nothing else: bugs are errors, not stops.
//
//   co_await shield(commit());                                // a stop waits until this has completed
//   co_await finally(transfer(account), roll_back_if_open);   // the second part runs in any case
//   result<page> page = co_await as_result(load(url));        // a stop is errc::stopped, and the code goes on
//   co_await with_stop(source.token(), poll_for_ever());      // stopped by somebody else, too
#pragma once

#include <chrono>
#include <stdexcept>
#include <utility>

#include <cordage/checked.hpp>
#include <cordage/strands/ask_strand.hpp>
#include <cordage/strands/deferred.hpp>
#include <cordage/strands/fiber_base.hpp>
#include <cordage/strands/stop_state.hpp>
#include <cordage/strands/strand.hpp>
#include <cordage/sync/child_value.hpp>
#include <cordage/sync/finally.hpp>
#include <cordage/sync/shielded.hpp>
#include <cordage/sync/stop_link.hpp>

namespace cordage {

// What run and sync_wait throw when what they ran was stopped and its value is not a result, which would carry
// errc::stopped.
class stopped_error : public std::runtime_error {
 public:
  stopped_error() : std::runtime_error("cordage: what was run was stopped, and has no result to tell it by") {}
};

// Tells whether a stop was requested. Copies are the same token; one made by default never tells of any. Any thread.
class stop_token {
 public:
  stop_token() noexcept = default;
  explicit stop_token(detail::stop_state& of) noexcept : state_(&of) { of.retain(); }
  stop_token(const stop_token& other) noexcept : state_(other.state_) {
    if (state_ != nullptr) state_->retain();
  }
  stop_token(stop_token&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  stop_token& operator=(stop_token other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~stop_token() {
    if (state_ != nullptr) state_->release();
  }

  bool stop_requested() const noexcept { return state_ != nullptr && state_->stop_requested(); }
  // False for one made by default.
  bool stop_possible() const noexcept { return state_ != nullptr; }

  // For the library: takes the reference over.
  detail::stop_state* release() && noexcept { return std::exchange(state_, nullptr); }

 private:
  detail::stop_state* state_ = nullptr;
};

// Requests stops. Copies are the same source. Any thread.
class stop_source {
 public:
  // Throws std::bad_alloc.
  stop_source() : state_(new detail::stop_state) {}
  stop_source(const stop_source& other) noexcept : state_(other.state_) { state_->retain(); }
  stop_source& operator=(const stop_source& other) noexcept {
    other.state_->retain();
    state_->release();
    state_ = other.state_;
    return *this;
  }
  ~stop_source() { state_->release(); }

  stop_token token() const noexcept { return stop_token(*state_); }

  // Once: false if it had been requested before. From anywhere, a signal handler included. Whoever listens is stopped on
  // their own executor.
  bool request_stop() const noexcept { return state_->request_stop(); }
  bool stop_requested() const noexcept { return state_->stop_requested(); }

 private:
  detail::stop_state* state_;
};

// Completes as x does. x begins also where the strand was stopped before; a stop takes effect at the next wait after it, and
// so do time limits around it. A destructor that waits, and code under noexcept on a fiber, has to shield what it waits for;
// while a fiber is unwound that is so by itself. x, which waits on the same strand, is kept where it is a temporary and
// referred to where it is an lvalue. Resumes on the strand's executor.
template <class X>
  requires detail::awaitable_or_checked<X>
[[nodiscard]] auto shield(X&& x) {
  if constexpr (detail::inner_of<X>::checked) {
    return checked(shield(static_cast<decltype(x.what)&&>(x.what)));
  } else {
    return detail::defer<detail::shield_operation<detail::inner_kept<X>>, X>(std::forward<X>(x));
  }
}

// The same for at most `longest`, counted from the stop or, if that was earlier, from the beginning of x.
template <class X>
  requires detail::awaitable_or_checked<X>
[[nodiscard]] auto shield_for(std::chrono::nanoseconds longest, X&& x) {
  if constexpr (detail::inner_of<X>::checked) {
    return checked(shield_for(longest, static_cast<decltype(x.what)&&>(x.what)));
  } else {
    using operation = detail::shield_for_operation<detail::inner_kept<X>>;
    return detail::defer<operation, std::chrono::nanoseconds, X>(std::move(longest), std::forward<X>(x));
  }
}

// What x gives, as a result; errc::stopped if it was stopped. The strand goes on then, and stops at its next wait: shield
// what has to be waited for. Runs on the same strand; x is kept as by shield.
template <class X>
  requires detail::awaitable_or_checked<X>
[[nodiscard]] auto as_result(X&& x) {
  if constexpr (detail::inner_of<X>::checked) {
    return as_result(static_cast<decltype(x.what)&&>(x.what));
  } else {
    return detail::defer<detail::as_result_operation<detail::inner_kept<X>>, X>(std::forward<X>(x));
  }
}

// Body, and when that has ended, in whatever way, a stop included, cleanup, which is shielded. Completes as body did; where
// body succeeded and cleanup failed, as cleanup did: an error of cleanup is thrown as std::system_error if body's value is
// no result. Both are something to wait for, or a callable: by the one rule one that returns a task is called when its turn
// comes, any other runs on a fiber, whose stack is taken before the body begins, so that a cleanup has it. Both run on the same strand.
template <class Body, class Cleanup>
[[nodiscard]] auto finally(Body&& body, Cleanup&& cleanup) {
  using operation = detail::finally_operation<detail::part_kept<Body>, detail::part_kept<Cleanup>>;
  return detail::defer<operation, Body, Cleanup>(std::forward<Body>(body), std::forward<Cleanup>(cleanup));
}

// What x gives. A stop of the token's source stops x and, if x ends by that, completes as stopped: what awaits it is taken
// down as far as the nearest boundary, as_result for one. x becomes a child of the strand, see when.hpp.
template <class X>
  requires detail::awaitable_or_checked<X>
[[nodiscard]] auto with_stop(stop_token token, X&& x) {
  if constexpr (detail::inner_of<X>::checked) {
    return checked(with_stop(std::move(token), static_cast<decltype(x.what)&&>(x.what)));
  } else {
    using operation = detail::stop_link_operation<detail::child_for<X>>;
    return detail::defer<operation, stop_token, X>(std::move(token), std::forward<X>(x));
  }
}

// Waits until the strand is stopped, and then stops.
[[nodiscard]] inline auto stopped() noexcept { return detail::until_stopped{}; }

// Whether the code that asks is being taken down by a stop: for destructors, since no exception is in flight then in a task.
// Better is a guard that rolls back unless it was told that all is well. Any thread.
inline bool stopping() noexcept {
  const detail::fiber_base* const fiber = detail::fiber_base::current();
  return detail::frames_under_destruction != 0 || (fiber != nullptr && fiber->being_unwound());
}

namespace this_strand {

// Both are awaited, in a task and in a fiber, and are ready at once.

// A token that tells of stops of the strand that awaits it, also later ones; it may outlive the strand. Throws
// std::bad_alloc.
[[nodiscard]] inline auto stop_token() noexcept {
  return detail::ask_strand([](detail::strand& of) { return cordage::stop_token(of.observed()); });
}

// The executor where the strand is at home.
[[nodiscard]] inline auto executor() noexcept {
  return detail::ask_strand([](detail::strand& of) -> cordage::executor& { return *of.home; });
}

}  // namespace this_strand
}  // namespace cordage
