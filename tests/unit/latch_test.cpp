#include <cordage/latch.hpp>

#include <deque>
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
#include "slowly.hpp"
#include "stands_in_line.hpp"

namespace {

using namespace cordage;
using namespace std::chrono_literals;
using namespace support;

TEST(latch, opens_when_it_has_been_counted_down_to_zero_and_stays_open) {
  latch gate(5);
  std::string log;
  auto waits = [&] { return gate.wait(); };
  auto all = [&]() -> task<> {
    std::vector<join_handle<void>> waiters;
    for (int i = 0; i < 4; ++i) waiters.push_back(spawn_waiter(style_of(i), log, static_cast<char>('a' + i), waits, 0));
    co_await turns(2);
    gate.count_down();
    gate.count_down(3);
    gate.count_down(0);
    co_await turns(3);
    EXPECT_EQ(log, "");
    EXPECT_FALSE(gate.try_wait());
    gate.count_down();
    EXPECT_TRUE(gate.try_wait());
    for (auto& each : waiters) EXPECT_TRUE((co_await each).has_value());
    EXPECT_EQ(log, "abcd");
  };
  run(all());
  for (const style in : each_style) await_in(in, [&] { return gate.wait(); });
  EXPECT_TRUE(gate.try_wait());
}

TEST(latch, of_zero_is_open) {
  latch gate(0);
  EXPECT_TRUE(gate.try_wait());
  for (const style in : each_style) await_in(in, [&] { return gate.wait(); });
  expect_ready_at_once_lets_others_go_on([&] { return gate.wait(); });
}

TEST(latch, is_counted_down_by_whoever_arrives_and_waits) {
  for (const style in : each_style) {
    latch gate(3);
    std::string log;
    auto waits = [&] { return gate.wait(); };
    auto arrives = [&] { return gate.arrive_and_wait(); };
    auto all = [&]() -> task<> {
      auto waiter = spawn_waiter(style::task, log, 'w', waits, 0);
      auto one = spawn_waiter(in, log, 'a', arrives, 0);
      auto other = spawn_waiter(style::fiber, log, 'b', arrives, 0);
      co_await turns(3);
      EXPECT_EQ(log, "");
      co_await gate.arrive_and_wait();
      EXPECT_TRUE((co_await waiter).has_value());
      EXPECT_TRUE((co_await one).has_value());
      EXPECT_TRUE((co_await other).has_value());
    };
    run(all());
    EXPECT_EQ(log, "wab");
  }
}

TEST(latch, counts_when_it_is_awaited_and_not_before) {
  latch gate(1);
  (void)gate.arrive_and_wait();
  EXPECT_FALSE(gate.try_wait());
  for (const style in : each_style) {
    latch counted(1);
    await_in(in, [&] { return counted.arrive_and_wait(); });
    EXPECT_TRUE(counted.try_wait());
  }
  // Nor by a strand that was to stop before.
  expect_a_stopping_strand_takes_nothing([&] { return gate.arrive_and_wait(); });
  EXPECT_FALSE(gate.try_wait());
}

TEST(latch, keeps_counted_what_a_stopped_strand_has_counted) {
  for (const style in : each_style) {
    latch gate(2);
    std::string order;
    auto stops = [&](auto& handle) -> task<> {
      handle.request_stop();
      co_await turns(2);
      EXPECT_TRUE(handle.ready());
      EXPECT_FALSE(gate.try_wait());
      gate.count_down();
    };
    EXPECT_EQ(wait_and_act(in, order, [&] { return gate.arrive_and_wait(); }, stops).error(), errc::stopped);
    EXPECT_EQ(order, "");
    EXPECT_TRUE(gate.try_wait());
  }
}

TEST(latch, withdraws_a_wait_that_is_stopped_unless_it_has_opened) {
  for (const style in : each_style) {
    latch gate(1);
    std::string order;
    auto stops = [&](auto& handle) -> task<> {
      handle.request_stop();
      co_return;
    };
    EXPECT_EQ(wait_and_act(in, order, [&] { return gate.wait(); }, stops).error(), errc::stopped);
    EXPECT_EQ(order, "");
    auto stops_and_opens = [&](auto& handle) -> task<> {
      handle.request_stop();
      std::thread([&] { gate.count_down(); }).join();
      co_return;
    };
    EXPECT_EQ(wait_and_act(in, order, [&] { return gate.wait(); }, stops_and_opens).error(), errc::stopped);
    EXPECT_EQ(order, "+");
  }
}

TEST(latch, may_be_destroyed_by_the_first_who_is_let_go) {
  for (const style in : each_style) {
    for (int round = 0; round < (support::emulated ? 100 : 1'000); ++round) {
      auto gate = std::make_unique<latch>(1);
      auto waits = [&] { return gate->wait(); };
      std::thread opens;
      auto all = [&]() -> task<> {
        auto waiter = spawn_waiter({}, in, waits, [&] { gate.reset(); }, 0);
        co_await yield_now();
        opens = std::thread([counted = gate.get()] { counted->count_down(); });
        EXPECT_TRUE((co_await waiter).has_value());
      };
      run(all());
      opens.join();
    }
  }
}

TEST(latch, in_a_select_lets_go_who_has_waited_for_it_or_for_another) {
  for (const style in : each_style) {
    latch open(0), closed(1);
    auto got = await_in(in, [&] { return select(closed.wait(), open.wait()); });
    EXPECT_TRUE(!std::get<0>(got) && std::get<1>(got));
    got = await_in(in, [&] { return select(open.wait(), closed.wait()); });
    EXPECT_TRUE(std::get<0>(got) && !std::get<1>(got));
    EXPECT_EQ(await_in(in, [&] { return with_timeout(1us, closed.wait()); }).error(), errc::timed_out);
    closed.count_down();
    EXPECT_TRUE(closed.try_wait());
  }
}

TEST(latch, is_counted_down_by_threads_and_strands_of_two_runtimes_which_see_what_was_done) {
  constexpr std::size_t rounds = 10'000 / 4;
  constexpr int strands = 4, outside = 2;
  struct round {
    int done[strands + outside] = {};  // no atomics
    latch gate{strands + outside};
  };
  std::deque<round> all(rounds);
  const threads count(outside, [&](int number) {
    for (round& each : all) {
      each.done[strands + number] = 1;
      each.gate.count_down();
    }
  });
  auto strand = [&](int number) -> task<> {
    for (round& each : all) {
      each.done[number] = 1;
      if (number % 2 == 0) {
        co_await each.gate.arrive_and_wait();
      } else {
        each.gate.count_down();
        co_await each.gate.wait();
      }
      for (const int one : each.done) EXPECT_EQ(one, 1);
    }
  };
  run_on_two_threads(strands / 2, strand);
}

TEST(latch_death, is_not_destroyed_while_somebody_waits_for_it) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  auto destroy_while = [](style in, std::string_view name) {
    destroy_while_awaited(std::make_unique<latch>(2), in, name, [](latch& l) { return l.arrive_and_wait(); });
  };
  EXPECT_DEATH(destroy_while(style::fiber, "loader"),
               "a latch was destroyed while fiber \"loader\" waits for it; who shares it has to keep it alive");
  EXPECT_DEATH(destroy_while(style::task, ""), "a latch was destroyed while a task waits for it; who");
}

TEST(latch_death, is_not_counted_down_below_zero) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  auto arrive_too_late = [] {
    latch open(0);
    sync_wait(open.arrive_and_wait());
  };
  EXPECT_DEATH(latch(1).count_down(2), "a latch was counted down below zero");
  EXPECT_DEATH(arrive_too_late(), "a latch was counted down below zero");
}

}  // namespace
