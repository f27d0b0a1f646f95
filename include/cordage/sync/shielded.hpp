// Operations that decide what a stop of the awaiting strand does to what they wait for: shield, shield_for, as_result, and
// stopped. What is waited for is part of them, and runs on the same strand, on its executor.
#pragma once

#include <chrono>
#include <type_traits>
#include <utility>

#include <cordage/context/operation.hpp>
#include <cordage/result.hpp>
#include <cordage/strands/clock.hpp>
#include <cordage/strands/inner_operation.hpp>
#include <cordage/strands/strand.hpp>

namespace cordage::detail {

// What they have in common. A stop finds the inner operation's own wait.
template <class Owner, class Kept>
class inner_on_same_strand : public inner_operation<Owner, Kept> {
 public:
  template <class X>
  explicit inner_on_same_strand(X&& x) : inner_operation<Owner, Kept>(std::in_place, std::forward<X>(x)) {}

  void attach(strand& on) noexcept { strand_ = &on; }
  bool ready() const noexcept { return false; }
  static constexpr bool always_too_late = true;
  cancel_result cancel() const noexcept { return cancel_result::too_late; }
  bool stopped() const noexcept { return this->ended.state() == outcome_state::stopped; }
  decltype(auto) get() { return this->ended.take(); }

 protected:
  strand* strand_ = nullptr;
};

template <class Kept>
class shield_operation final : public inner_on_same_strand<shield_operation<Kept>, Kept>, stop_shield {
 public:
  static constexpr const char* name = "shield";
  static constexpr bool begins_when_stopped = true;

  using inner_on_same_strand<shield_operation, Kept>::inner_on_same_strand;

  bool start(waiting_node by) {
    this->waiter = by;
    this->strand_->raise(*this);
    if (this->begin(*this->strand_)) return true;
    this->strand_->lower(*this);
    return false;
  }
  void inner_ended() noexcept {
    this->strand_->lower(*this);
    wake(*this->waiter.node);
  }
};

// The shield is up until the time has passed since the stop.
template <class Kept>
class shield_for_operation final : public inner_on_same_strand<shield_for_operation<Kept>, Kept>, stop_shield {
  using base = inner_on_same_strand<shield_for_operation, Kept>;

 public:
  static constexpr const char* name = "shield_for";
  static constexpr bool begins_when_stopped = true;

  template <class X>
  shield_for_operation(std::chrono::nanoseconds longest, X&& x) : base(std::forward<X>(x)), longest_(longest) {}

  bool start(waiting_node by) {
    this->waiter = by;
    stop_arrived = [](stop_shield& up) noexcept { static_cast<shield_for_operation&>(up).begin_countdown(); };
    this->strand_->raise(*this);
    up_ = true;
    if (this->strand_->stop_requested()) begin_countdown();
    const bool under_way = this->begin(*this->strand_);
    if (under_way) return true;
    return !over();
  }
  void inner_ended() noexcept {
    if (over()) wake(*this->waiter.node);
  }

 private:
  struct countdown : resumable {
    shield_for_operation* owner;
  };

  // Once: a stop that was seen at the beginning may arrive only later.
  void begin_countdown() noexcept {
    if (counting_) return;
    clock& by = this->strand_->home->time();
    timer_.deadline = later(by.now(), longest_);
    countdown_.owner = this, countdown_.run = counted_down, countdown_.home = this->strand_->home;
    timer_.waiter = &countdown_;
    counting_ = true;
    by.start(timer_);
  }

  // The inner operation has ended: false if the timer is on its way through the queue, and has to arrive first.
  bool over() noexcept {
    inner_over_ = true;
    if (up_) this->strand_->lower(*this);
    up_ = false;
    if (counting_ && this->strand_->home->time().cancel(timer_)) counting_ = false;
    return !counting_;
  }

  static void counted_down(resumable& node) {
    shield_for_operation& self = *static_cast<countdown&>(node).owner;
    self.counting_ = false;
    if (self.inner_over_) return wake(*self.waiter.node);
    self.up_ = false;
    self.strand_->let_stop_through(self);
  }

  std::chrono::nanoseconds longest_;
  timer timer_;
  countdown countdown_;
  bool up_ = false;
  bool counting_ = false;
  bool inner_over_ = false;
};

template <class Kept>
class as_result_operation final : public inner_on_same_strand<as_result_operation<Kept>, Kept> {
  using base = inner_on_same_strand<as_result_operation, Kept>;
  using given = as_result_of<typename base::value>;

 public:
  static constexpr const char* name = "as_result";
  static constexpr bool begins_when_stopped = begins_although_stopped<std::remove_reference_t<Kept>>;

  using base::base;

  bool start(waiting_node by) {
    this->waiter = by;
    return this->begin(*this->strand_);
  }
  void inner_ended() noexcept { wake(*this->waiter.node); }

  bool stopped() const noexcept { return false; }
  given get() {
    if (this->ended.state() == outcome_state::stopped) return failed_as<given>(errc::stopped);
    if constexpr (std::is_void_v<typename base::value>) {
      this->ended.take();
      return {};
    } else {
      return this->ended.take();
    }
  }
};

// Never completes.
class until_stopped {
 public:
  static constexpr const char* name = "a stop";

  bool ready() const noexcept { return false; }
  bool start(resumable&) const noexcept { return true; }
  cancel_result cancel() const noexcept { return cancel_result::withdrawn; }
  void get() const noexcept {}
};

}  // namespace cordage::detail
