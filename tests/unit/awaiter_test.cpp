// What an awaiter does with operations that throw, complete inside start(), or begin late.
#include <chrono>
#include <coroutine>
#include <exception>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

#include <cordage/cordage.hpp>

namespace {

using namespace cordage;
using namespace std::chrono_literals;

task<result<int>> throws_later() {
  co_await yield_now();
  throw std::runtime_error("later");
}

TEST(awaiter, a_checked_operation_that_throws_after_a_wait_throws_where_it_is_awaited) {
  auto limited = []() -> task<result<int>> { co_return co_await !with_timeout(24h, throws_later()); };
  EXPECT_THROW((void)run(limited()), std::runtime_error);
  auto told = []() -> task<result<int>> {
    promise<int> asked;
    auto answer = asked.get_future();
    auto provide = [&]() -> task<> {
      asked.set_exception(std::make_exception_ptr(std::logic_error("set")));
      co_return;
    };
    auto provider = spawn(provide);
    co_return co_await !answer;
  };
  EXPECT_THROW((void)run(told()), std::logic_error);
}

// Completes inside await_suspend, each time.
struct never_suspends {
  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<>) const noexcept { return false; }
  void await_resume() const noexcept {}
};

TEST(awaiter, what_completes_inside_its_start_leaves_others_their_turns) {
  auto program = [](bool on_a_fiber) {
    bool other_ran = false;
    int rounds = 0;
    auto other = [&]() -> task<> {
      other_ran = true;
      co_return;
    };
    auto in_task = [&]() -> task<> {
      auto beside = spawn(other);
      for (; !other_ran && rounds < 1'000'000; ++rounds) (void)co_await as_result(never_suspends{});
      (void)co_await beside;
    };
    auto in_fiber = [&] {
      auto beside = spawn(other);
      for (; !other_ran && rounds < 1'000'000; ++rounds) await(never_suspends{});
      (void)await(beside);
    };
    if (on_a_fiber) {
      run(fiber{in_fiber});
    } else {
      run(in_task());
    }
    EXPECT_LT(rounds, 1000);
  };
  program(false);
  program(true);
}

task<> nested_as_result(int depth, bool& worked) {
  if (depth > 0) {
    auto deeper = as_result(nested_as_result(depth - 1, worked));
    (void)co_await deeper;
    co_return;
  }
  (void)co_await as_result(stopped());
  auto work = [&]() -> task<> {
    co_await yield_now();
    worked = true;
  };
  co_await shield(work());
}

TEST(awaiter, a_shield_holds_on_a_stopped_strand_however_deep_it_stands) {
  for (const int depth : {0, 3, 40}) {
    bool worked = false;
    auto program = [&]() -> task<> {
      auto strand = spawn(nested_as_result, depth, std::ref(worked));
      for (int i = 0; i < 10; ++i) co_await yield_now();
      strand.request_stop();
      (void)co_await strand;
    };
    run(program());
    EXPECT_TRUE(worked) << depth;
  }
}

TEST(awaiter, a_stopped_strand_may_ask_about_itself_before_its_next_wait) {
  strand_local<std::string> id;
  std::string seen;
  auto asks = [&]() -> task<> {
    co_await id.set("4711");
    (void)co_await as_result(stopped());
    seen = co_await id.get();
    seen += (co_await this_strand::stop_token()).stop_requested() ? " stopped" : " not stopped";
    co_await yield_now();
    co_await sleep_for(24h);
    seen += ", went on";
  };
  auto program = [&]() -> task<> {
    auto strand = spawn(asks);
    co_await yield_now();
    strand.request_stop();
    (void)co_await strand;
  };
  run(program());
  EXPECT_EQ(seen, "4711 stopped");
}

TEST(awaiter, children_of_a_cleanup_and_of_siblings_inherit_their_own_strands_locals) {
  static strand_local<std::string> id{"none"};
  std::string seen;
  auto look = [&](scope&) -> task<> { seen += co_await id.get() + ' '; };
  auto disturbs = [&]() -> task<> {
    co_await id.set("another");
    for (int i = 0; i < 50; ++i) co_await sleep_for(100us);
  };
  auto program = [&]() -> task<> {
    co_await id.set("mine");
    auto other = spawn(disturbs);
    co_await finally(sleep_for(2ms), with_scope(look));
    auto sets = [&]() -> task<> { co_await id.set("a sibling's"); };
    co_await when_all(sets(), with_scope(look));
    (void)co_await other;
  };
  run(program());
  EXPECT_EQ(seen, "mine mine ");
}

TEST(awaiter, a_sleep_to_the_end_of_time_costs_nothing_and_can_be_stopped) {
  virtual_clock clock;
  runtime in({.clock = &clock});
  auto program = []() -> task<> {
    for (const auto before : {0ns, 1ns, 60'000ns}) {
      auto sleeper = spawn(sleep_until(std::chrono::steady_clock::time_point::max() - before));
      co_await sleep_for(1h);
      sleeper.request_stop();
      EXPECT_EQ((co_await sleeper).error(), errc::stopped);
    }
  };
  in.run(program());
}

}  // namespace
