// The operation behind with_timeout and with_deadline: a child, and a timer that stops it. Used on the executor of the
// strand that awaits it, by whose clock it goes.
#pragma once

#include <chrono>
#include <utility>

#include <cordage/result.hpp>
#include <cordage/strands/clock.hpp>
#include <cordage/sync/combinator.hpp>

namespace cordage::detail {

template <class Child>
class time_limit_operation final : public combinator {
  using given = as_result_of<typename Child::value>;

 public:
  static constexpr const char* name = "with_timeout";

  template <class X>
  time_limit_operation(std::chrono::nanoseconds timeout, X&& x) : child_(std::forward<X>(x)), timeout_(timeout) {}
  template <class X>
  time_limit_operation(time_point deadline, X&& x) : child_(std::forward<X>(x)), absolute_(true) {
    timer_.deadline = deadline;
  }

  bool stopped() const noexcept { return !timed_out_ && (child_.how == fate::stopped || child_.how == fate::running); }

  given get() {
    if (child_.how == fate::stopped || child_.how == fate::running) return failed_as<given>(errc::timed_out);
    if constexpr (std::is_void_v<typename Child::value>) {
      child_.ended.take();
      return {};
    } else {
      return child_.ended.take();
    }
  }

 private:
  struct expiry : resumable {
    time_limit_operation* owner;
  };

  clock& time() const noexcept { return parent().home->time(); }

  // What begins in no time is given its time from then on, so that where it is complete at once nobody looks at the clock.
  static constexpr bool begins_in_no_time = requires { Child::kept::begins_in_no_time; };

  void begin_children() override {
    time_point now;
    if constexpr (!begins_in_no_time) now = time().now();
    begin_child(child_);
    if (child_.how != fate::running || stopping_children()) return;
    if constexpr (begins_in_no_time) now = time().now();
    if (!absolute_) timer_.deadline = later(now, timeout_);
    if (timer_.deadline <= now) {
      timed_out_ = true;
      return stop_children();
    }
    hold();
    expiry_.owner = this, expiry_.run = expired, expiry_.home = parent().home;
    timer_.waiter = &expiry_;
    time().start(timer_);
  }

  // A timer that has fired is on its way through the queue, and is waited for.
  void judge(child_strand&) noexcept override {
    if (timer_.linked() && time().cancel(timer_)) drop_hold();
  }

  static void expired(resumable& node) {
    time_limit_operation& self = *static_cast<expiry&>(node).owner;
    if (self.child_.how == fate::running && !self.cancelled()) {
      self.timed_out_ = true;
      self.stop_children();
    }
    self.let_go();
  }

  Child child_;
  std::chrono::nanoseconds timeout_{0};
  timer timer_;
  expiry expiry_;
  const bool absolute_ = false;
  bool timed_out_ = false;  // before the strand that waits was stopped
};

}  // namespace cordage::detail
