#include <cordage/barrier.hpp>

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/time.hpp>
#include <cordage/when.hpp>

#include "both_styles.hpp"
#include "stands_in_line.hpp"

namespace {

using namespace cordage;
using namespace std::chrono_literals;
using namespace support;

TEST(barrier, lets_all_go_on_when_the_last_has_arrived_again_and_again) {
  constexpr int strands = 4, phases = 100;
  barrier step(strands);
  int arrived = 0;
  auto in_task = [&]() -> task<> {
    for (int phase = 1; phase <= phases; ++phase) {
      ++arrived;
      co_await step.arrive_and_wait();
      EXPECT_GE(arrived, phase * strands);
    }
  };
  auto on_fiber = [&] {
    for (int phase = 1; phase <= phases; ++phase) {
      ++arrived;
      await(step.arrive_and_wait());
      EXPECT_GE(arrived, phase * strands);
    }
  };
  auto all = [&]() -> task<> {
    std::vector<join_handle<void>> handles;
    for (int i = 0; i < strands; ++i) handles.push_back(i % 2 == 0 ? spawn(in_task) : spawn(on_fiber));
    for (auto& each : handles) EXPECT_TRUE((co_await each).has_value());
  };
  run(all());
  EXPECT_EQ(arrived, strands * phases);
}

TEST(barrier, holds_those_back_who_are_early) {
  for (const style in : each_style) {
    barrier step(3);
    std::string log;
    auto arrives = [&] { return step.arrive_and_wait(); };
    auto all = [&]() -> task<> {
      auto one = spawn_waiter(in, log, 'a', arrives, 0);
      auto other = spawn_waiter(in, log, 'b', arrives, 0);
      co_await turns(3);
      EXPECT_EQ(log, "");
      co_await step.arrive_and_wait();
      co_await turns(2);
      EXPECT_EQ(log, "ab");
      // The next phase begins with nobody.
      auto early = spawn_waiter(in, log, 'c', arrives, 0);
      co_await turns(3);
      EXPECT_EQ(log, "ab");
      step.drop();
      step.drop();
      EXPECT_TRUE((co_await early).has_value());
      EXPECT_TRUE((co_await one).has_value());
      EXPECT_TRUE((co_await other).has_value());
    };
    run(all());
    EXPECT_EQ(log, "abc");
  }
}

TEST(barrier, of_one_never_holds_anybody_back_and_lets_others_have_their_turns) {
  barrier alone(1);
  for (const style in : each_style) {
    await_in(in, [&] { return alone.arrive_and_wait(); });
    await_in(in, [&] { return alone.arrive_and_wait(); });
  }
  expect_ready_at_once_lets_others_go_on([&] { return alone.arrive_and_wait(); });
}

TEST(barrier, waits_for_one_less_from_the_phase_on_in_which_it_is_dropped) {
  for (const style in : each_style) {
    barrier step(3);
    std::string log;
    auto arrives = [&] { return step.arrive_and_wait(); };
    auto all = [&]() -> task<> {
      for (const char* const so_far : {"ab", "abba"}) {  // who completes a phase need not wait
        auto one = spawn_waiter(in, log, 'a', arrives, 0);
        auto other = spawn_waiter(style::task, log, 'b', arrives, 0);
        co_await turns(3);
        if (log.empty()) std::thread([&] { step.drop(); }).join();
        EXPECT_TRUE((co_await one).has_value());
        EXPECT_TRUE((co_await other).has_value());
        EXPECT_EQ(log, so_far);
      }
    };
    run(all());
    step.drop();
    await_in(in, [&] { return step.arrive_and_wait(); });
    step.drop();
  }
}

TEST(barrier, takes_the_arrival_of_a_stopped_strand_back) {
  for (const style in : each_style) {
    barrier step(2);
    std::string log;
    auto arrives = [&] { return step.arrive_and_wait(); };
    auto all = [&]() -> task<> {
      auto stopped = spawn_waiter(in, log, 'a', arrives, 0);
      co_await turns(2);
      stopped.request_stop();
      EXPECT_EQ((co_await stopped).error(), errc::stopped);
      auto one = spawn_waiter(in, log, 'b', arrives, 0);
      co_await turns(3);
      EXPECT_EQ(log, "") << "two are waited for, and one has arrived";
      auto other = spawn_waiter(style::fiber, log, 'c', arrives, 0);
      EXPECT_TRUE((co_await one).has_value());
      EXPECT_TRUE((co_await other).has_value());
    };
    run(all());
    EXPECT_EQ(log, "cb");
  }
}

TEST(barrier, does_not_take_an_arrival_back_that_has_completed_a_phase) {
  for (const style in : each_style) {
    barrier step(2);
    std::string log;
    auto arrives = [&] { return step.arrive_and_wait(); };
    auto all = [&]() -> task<> {
      auto stopped = spawn_waiter(in, log, 'a', arrives, 1);
      co_await turns(2);
      stopped.request_stop();
      std::thread([&] { sync_wait(step.arrive_and_wait()); }).join();
      EXPECT_EQ((co_await stopped).error(), errc::stopped);
      EXPECT_EQ(log, "a");
      auto one = spawn_waiter(in, log, 'b', arrives, 0);
      co_await turns(3);
      EXPECT_EQ(log, "a");
      co_await step.arrive_and_wait();
      EXPECT_TRUE((co_await one).has_value());
    };
    run(all());
    EXPECT_EQ(log, "ab");
  }
}

TEST(barrier, is_not_arrived_at_by_a_strand_that_is_to_stop) {
  barrier step(1), two(2);
  expect_a_stopping_strand_takes_nothing([&] { return step.arrive_and_wait(); });
  expect_a_stopping_strand_takes_nothing([&] { return two.arrive_and_wait(); });
  EXPECT_EQ(sync_wait(with_timeout(1us, two.arrive_and_wait())).error(), errc::timed_out) << "it would be the second";
}

// Whoever arrives last takes all others along, whatever has become of their selects.
TEST(barrier, as_an_alternative_may_complete_beside_another_one) {
  for (const style in : each_style) {
    barrier step(2), never(2);
    {
      const auto got = await_in(in, [&] { return with_timeout(1us, select(step.arrive_and_wait(), never.arrive_and_wait())); });
      EXPECT_EQ(got.error(), errc::timed_out);
    }
    std::string order;
    auto selects = [&]() -> task<int> {
      const auto [first, second] = co_await select(step.arrive_and_wait(), never.arrive_and_wait());
      co_return (first ? 1 : 0) + (second ? 2 : 0);
    };
    auto both_arrive = [&](auto&) -> task<> {
      co_await step.arrive_and_wait();
      co_await never.arrive_and_wait();
    };
    EXPECT_TRUE(wait_and_act(in, order, selects, both_arrive));
    EXPECT_EQ(order, "3+!");
    auto one_arrives = [&](auto&) -> task<> { co_await never.arrive_and_wait(); };
    EXPECT_TRUE(wait_and_act(in, order, selects, one_arrives));
    EXPECT_EQ(order, "2+!");
  }
}

TEST(barrier, keeps_strands_of_two_runtimes_in_step_while_threads_leave) {
  constexpr int strands = 4, leaving = 3, phases = 10'000 / strands;
  barrier step(strands + leaving);
  std::array<std::array<int, 2>, strands> at{};  // no atomics: each phase reads what the one before has written
  const threads outside(leaving, [&](int) { step.drop(); });
  auto strand = [&](int number) -> task<> {
    for (int phase = 0; phase < phases; ++phase) {
      const std::size_t half = static_cast<std::size_t>(phase % 2);
      at[static_cast<std::size_t>(number)][half] = phase;
      co_await step.arrive_and_wait();
      for (const auto& each : at) EXPECT_EQ(each[half], phase);
    }
  };
  run_on_two_threads(strands / 2, strand);
}

TEST(barrier_death, is_not_destroyed_while_somebody_waits_for_it) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  auto destroy_while = [](style in, std::string_view name) {
    destroy_while_awaited(std::make_unique<barrier>(2), in, name, [](barrier& b) { return b.arrive_and_wait(); });
  };
  EXPECT_DEATH(destroy_while(style::task, "worker"),
               "a barrier was destroyed while task \"worker\" waits for it; who shares it has to keep it alive");
  EXPECT_DEATH(destroy_while(style::fiber, ""), "a barrier was destroyed while a fiber waits for it; who");
}

TEST(barrier_death, is_for_somebody) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  auto drop_twice = [] {
    barrier one(1);
    one.drop();
    one.drop();
  };
  auto arrive_when_all_have_left = [] {
    barrier one(1);
    one.drop();
    sync_wait(one.arrive_and_wait());
  };
  EXPECT_DEATH(barrier(0), "a barrier for nobody: nobody could arrive at it");
  EXPECT_DEATH(drop_twice(), "more have left a barrier than belong to it");
  EXPECT_DEATH(arrive_when_all_have_left(), "more have arrived at a barrier than belong to it");
}

}  // namespace
