// Waiting for several things, time limits, shields and cleanups where nothing can be thrown.
#include <chrono>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include <cordage/cordage.hpp>

namespace {

using namespace cordage;
using namespace std::chrono_literals;

task<int> later(int value) {
  co_await yield_now();
  co_return value;
}
async<int> fails() {
  co_await yield_now();
  co_return unexpected(errc::closed);
}

TEST(no_exceptions, combinators_give_values_and_errors_in_tasks) {
  auto program = []() -> async<std::string> {
    const auto [a, b] = co_await when_all(later(1), later(2));
    const auto [first, second] = co_await when_any(later(3), stopped());
    const auto limited = co_await with_timeout(24h, later(4));
    const auto late = co_await with_timeout(1ms, stopped());
    const auto failed = co_await when_all(!fails(), stopped());
    EXPECT_EQ(late.error(), errc::timed_out);
    EXPECT_EQ(failed.error(), errc::closed);
    EXPECT_FALSE(second.has_value());
    co_await !when_all(fails(), stopped());
    co_return "not reached, " + std::to_string(a + b + *first + *limited);
  };
  EXPECT_EQ(run(program()).error(), errc::closed);
}

TEST(no_exceptions, combinators_give_results_on_fibers) {
  run(fiber{[] {
    const auto both = await(when_all(later(1), fiber{[] { return 2; }}));
    EXPECT_EQ(*both, std::tuple(1, 2));
    const result<int> late = await(with_timeout(1ms, fiber{[]() -> result<int> {
      const result<> slept = await(sleep_for(24h));
      return unexpected(slept.error());
    }}));
    EXPECT_EQ(late.error(), errc::timed_out);
  }});
}

TEST(no_exceptions, a_cleanup_runs_after_a_stop_and_a_shield_holds) {
  std::string order;
  auto body = [&]() -> task<> {
    co_await shield(later(1));
    order += "shielded ";
    co_await stopped();
  };
  auto cleanup = [&]() -> task<> {
    co_await yield_now();
    order += "cleaned";
  };
  auto both = [&]() -> task<> { co_await finally(body, cleanup); };
  auto program = [&]() -> task<> {
    auto strand = spawn(both);
    co_await yield_now();
    strand.request_stop();
    const result<> ended = co_await strand;
    EXPECT_EQ(ended.error(), errc::stopped);
  };
  run(program());
  EXPECT_EQ(order, "shielded cleaned");
}

TEST(no_exceptions, a_stop_source_and_a_callback) {
  auto program = []() -> task<> {
    stop_source source;
    auto asks = [source](suspension<> waiter) {
      source.request_stop();
      waiter.resume();
    };
    const result<> told = co_await suspend(asks);
    EXPECT_TRUE(told.has_value());
    const result<> ended = co_await as_result(with_stop(source.token(), stopped()));
    EXPECT_EQ(ended.error(), errc::stopped);
  };
  run(program());
}

}  // namespace
