// latch: opens when it has been counted down to zero, and stays open.
//
//   latch all_loaded(3);
//   all_loaded.count_down();                   // by each of three
//   co_await all_loaded.wait();
//
// Any thread may use it, and none ever blocks.
#pragma once

#include <cstddef>

#include <cordage/base/fatal.hpp>
#include <cordage/sync/waiting_line.hpp>

namespace cordage {

class latch {
  struct rules {
    static constexpr const char* kind = "latch";

    explicit rules(std::size_t count) noexcept : left(count) {}
    bool lets_in(const detail::place_in_line&) const noexcept { return left == 0; }
    void enter(const detail::place_in_line&) const noexcept {}
    void count_down(std::size_t by) noexcept {
      detail::expects(by <= left, "a latch was counted down below zero");
      left -= by;
    }

    std::size_t left;
  };
  using line = detail::waiting_line<rules>;

 public:
  explicit latch(std::size_t count) noexcept : line_(count) {}
  // Nobody may wait for it; asserted, with a name.
  ~latch() = default;

  // Never below zero; asserted.
  void count_down(std::size_t by = 1) noexcept {
    line_.change([by](rules& now) { now.count_down(by); });
  }

  // Completes when it is open. Stop withdraws the wait.
  [[nodiscard]] auto wait() noexcept { return wait_operation(line_); }

  // Counts down by one when it is awaited, and completes when the latch is open. Stop withdraws the wait; what was counted
  // stays counted.
  [[nodiscard]] auto arrive_and_wait() noexcept { return arrive_operation(line_); }

  // Whether it is open.
  [[nodiscard]] bool try_wait() noexcept {
    return line_.ask([](const rules& now) { return now.left == 0; });
  }

 private:
  class wait_operation : public detail::line_operation<line> {
   public:
    static constexpr const char* name = "latch.wait";

    explicit wait_operation(line& of) noexcept : line_operation(of) {}
  };

  class arrive_operation : public detail::line_operation<line> {
   public:
    static constexpr const char* name = "latch.arrive_and_wait";

    explicit arrive_operation(line& of) noexcept : line_operation(of) {}

    bool ready() const noexcept { return false; }
    bool start(resumable& node) noexcept {
      return line_->change_and_wait(place_, node, [](rules& now) { now.count_down(1); });
    }
  };

  line line_;
};

}  // namespace cordage
