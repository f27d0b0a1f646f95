// What time it is, waiting for it to pass, and for no longer than a time.
//
//   co_await sleep_for(10ms);
//   const result<page> page = co_await with_timeout(1s, load(url));          // errc::timed_out
//   const page first = co_await !when_any(load(url), timeout(1s));           // the same as an alternative
//
// The time is that of the executor on which the strand runs. Whatever is said here holds for tasks and for fibers.
#pragma once

#include <chrono>

#include <cordage/context/operation.hpp>
#include <cordage/result.hpp>
#include <cordage/strands/deferred.hpp>
#include <cordage/strands/executor.hpp>
#include <cordage/strands/start.hpp>
#include <cordage/strands/strand.hpp>
#include <cordage/sync/child_value.hpp>
#include <cordage/sync/time_limit.hpp>
#include <cordage/task.hpp>

namespace cordage {

namespace detail {

class sleep_operation {
 public:
  static constexpr const char* name = "sleep";

  explicit sleep_operation(std::chrono::nanoseconds duration) noexcept : duration_(duration) {}
  explicit sleep_operation(time_point deadline) noexcept : absolute_(true) { timer_.deadline = deadline; }
  // Movable until it is started.
  sleep_operation(sleep_operation&& other) noexcept : duration_(other.duration_), absolute_(other.absolute_) {
    timer_.deadline = other.timer_.deadline;
  }

  // A duration begins when it is waited for, by the clock of the strand that waits.
  void attach(strand& on) noexcept {
    clock_ = &on.home->time();
    if (absolute_) return;
    timer_.deadline = later(clock_->now(), duration_);
  }
  bool ready() noexcept { return absolute_ ? timer_.deadline <= clock_->now() : duration_.count() <= 0; }
  bool start(resumable& node) noexcept {
    timer_.waiter = &node;
    clock_->start(timer_);
    return true;
  }
  cancel_result cancel() noexcept {
    return clock_->cancel(timer_) ? cancel_result::withdrawn : cancel_result::too_late;
  }
  void get() const noexcept {}

 private:
  timer timer_;
  std::chrono::nanoseconds duration_{0};
  clock* clock_ = nullptr;
  bool absolute_ = false;
};

}  // namespace detail

// The time by which strands of this runtime sleep: the steady clock, or the virtual_clock of the runtime_options. Any
// thread; outside of a runtime the steady clock.
[[nodiscard]] inline std::chrono::steady_clock::time_point now() noexcept {
  executor* const here = executor::running();
  return here == nullptr ? std::chrono::steady_clock::now()
                         : std::chrono::time_point_cast<std::chrono::steady_clock::duration>(here->time().now());
}

// Completes when the duration has passed since it was awaited, never before, and about a tick of 65 microseconds later
// at most on an idle worker; zero and less complete at once. Stop withdraws it. Resumes on the strand's executor.
[[nodiscard]] inline auto sleep_for(std::chrono::nanoseconds duration) noexcept {
  return detail::sleep_operation(duration);
}

// The same for a point in time, as now() tells it; one that is past completes at once.
[[nodiscard]] inline auto sleep_until(std::chrono::steady_clock::time_point deadline) noexcept {
  return detail::sleep_operation(detail::time_point(deadline));
}

// Fails with errc::timed_out when the duration has passed since it was awaited: an alternative for when_any.
inline async<> timeout(std::chrono::nanoseconds duration) {
  co_await sleep_for(duration);
  co_return unexpected(errc::timed_out);
}

// What op gives, as a result; errc::timed_out if it has not completed when the time is over: then it is stopped, and this
// completes when it has ended. A value that arrives nevertheless is given. op begins in any case, so that what is ready at
// once is given with no time at all. Among limits inside of each other the nearest counts. An exception of op is thrown.
//
// The time counts from when this is awaited. op becomes a child of the strand, see when.hpp; a temporary is kept, an lvalue
// referred to. Stop stops op, and completes as stopped if that does.
template <class X>
  requires detail::awaitable_or_checked<X>
[[nodiscard]] auto with_timeout(std::chrono::nanoseconds duration, X&& op) {
  using operation = detail::time_limit_operation<detail::child_for<X>>;
  return detail::defer<operation, std::chrono::nanoseconds, X>(std::move(duration), std::forward<X>(op));
}

// The same for a point in time of the steady clock.
template <class X>
  requires detail::awaitable_or_checked<X>
[[nodiscard]] auto with_deadline(std::chrono::steady_clock::time_point deadline, X&& op) {
  using operation = detail::time_limit_operation<detail::child_for<X>>;
  return detail::defer<operation, detail::time_point, X>(detail::time_point(deadline), std::forward<X>(op));
}

}  // namespace cordage
