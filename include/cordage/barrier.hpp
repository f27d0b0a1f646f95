// barrier: so many strands wait for each other, again and again.
//
//   barrier step(3);                           // shared by three
//   for (…) { …; co_await step.arrive_and_wait(); }
//
// Any thread may use it, and none ever blocks. When the last of them arrives all go on, and the next phase begins.
#pragma once

#include <cstddef>

#include <cordage/base/fatal.hpp>
#include <cordage/sync/waiting_line.hpp>

namespace cordage {

class barrier {
  struct place : detail::place_in_line {
    std::size_t phase = 0;  // in which it has arrived
  };

  struct rules {
    static constexpr const char* kind = "barrier";

    explicit rules(std::size_t count) noexcept : expected(count) {}
    bool lets_in(const place& by) const noexcept { return by.phase != phase; }
    void enter(const place&) const noexcept {}
    void complete_if_all_are_here() noexcept {
      if (arrived < expected) return;
      arrived = 0;
      ++phase;
    }

    std::size_t expected;
    std::size_t arrived = 0;
    std::size_t phase = 0;
  };
  using line = detail::waiting_line<rules, place>;

 public:
  // For so many; at least one.
  explicit barrier(std::size_t count) noexcept : line_(count) {
    detail::expects(count != 0, "a barrier for nobody: nobody could arrive at it");
  }
  // Nobody may wait for it; asserted, with a name.
  ~barrier() = default;

  // Arrives when it is awaited, and completes when all have arrived. Not where all have dropped out; asserted. Stop takes
  // the arrival back, so that the others go on waiting for one: who will not come any more has to say so by drop.
  [[nodiscard]] auto arrive_and_wait() noexcept { return arrive_operation(line_); }

  // One less is waited for, from this phase on.
  void drop() noexcept {
    line_.change([](rules& now) {
      detail::expects(now.expected > now.arrived, "more have left a barrier than belong to it");
      --now.expected;
      if (now.expected != 0) now.complete_if_all_are_here();
    });
  }

 private:
  class arrive_operation : public detail::line_operation<line, place> {
   public:
    static constexpr const char* name = "barrier.arrive_and_wait";

    explicit arrive_operation(line& of) noexcept : line_operation(of) {}

    // It cannot lose: whoever arrives last takes all others along.
    void join(detail::race&) = delete;
    bool ready() const noexcept { return false; }
    bool start(resumable& node) noexcept {
      return line_->change_and_wait(place_, node, [this](rules& now) {
        detail::expects(now.arrived < now.expected, "more have arrived at a barrier than belong to it");
        place_.phase = now.phase;
        ++now.arrived;
        now.complete_if_all_are_here();
      });
    }
    cancel_result cancel() noexcept {
      return line_->leave(place_, [](rules& now) { --now.arrived; });
    }
  };

  line line_;
};

}  // namespace cordage
