// shield, shield_for, as_result and the destructors of an unwinding fiber: where a stop has to wait.
#include <cordage/stop.hpp>

#include <chrono>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

#include <cordage/coroutine.hpp>
#include <cordage/scope.hpp>
#include <cordage/time.hpp>
#include <cordage/virtual_clock.hpp>
#include <cordage/when.hpp>

#include "both_styles.hpp"
#include "counted.hpp"
#include "manual_operation.hpp"

namespace {

using namespace cordage;
using namespace std::chrono_literals;
using namespace support;

constexpr auto for_ever = 24h;

task<int> in_a_task(manual& m) {
  const int value = co_await manual_operation(m);
  co_await yield_now();
  co_return value;
}
int on_a_fiber(manual& m) {
  const int value = await(manual_operation(m));
  await(yield_now());
  return value;
}
task<int> of_two(manual& m) {
  auto [value, slept] = co_await when_all(manual_operation(m), sleep_for(1us));
  co_return value;
}

// Stops a strand that waits for make(m), behind a shield, and completes m then.
template <class Make>
void outlasts_a_stop(Make make) {
  for (const auto in : each_style) {
    manual m;
    std::string order;
    auto stops_then_completes = [&](auto& handle) -> task<> {
      EXPECT_TRUE(handle.request_stop());
      co_await turns(5);
      EXPECT_FALSE(handle.ready());
      m.complete(7);
    };
    const auto ended = wait_and_act(in, order, [&] { return make(m); }, stops_then_completes);
    EXPECT_EQ(ended, unexpected(error(errc::stopped)));
    EXPECT_EQ(order, "7+");
    EXPECT_EQ(m.cancels, 0);
    EXPECT_EQ(m.gets, 1);
  }
}

TEST(shield, defers_a_stop_past_an_operation_a_task_a_fiber_and_a_combinator) {
  outlasts_a_stop([](manual& m) { return shield(manual_operation(m)); });
  outlasts_a_stop([](manual& m) { return shield(in_a_task(m)); });
  outlasts_a_stop([](manual& m) { return shield(fiber{on_a_fiber, std::ref(m)}); });
  outlasts_a_stop([](manual& m) { return shield(of_two(m)); });
  outlasts_a_stop([](manual& m) { return shield(with_timeout(for_ever, manual_operation(m))); });
  outlasts_a_stop([](manual& m) { return shield(as_result(manual_operation(m))); });
  outlasts_a_stop([](manual& m) { return as_result(shield(manual_operation(m))); });
  outlasts_a_stop([](manual& m) { return shield(shield(manual_operation(m))); });
  outlasts_a_stop([](manual& m) { return shield_for(for_ever, manual_operation(m)); });
  outlasts_a_stop([](manual& m) { return shield_for(0s, shield(manual_operation(m))); });
  outlasts_a_stop([](manual& m) { return shield(shield_for(0s, manual_operation(m))); });
}

TEST(shield, of_a_task_ends_with_its_errors_and_exceptions) {
  for (const auto in : each_style) {
    manual m;
    m.is_ready = true;
    m.value = -1;
    auto fails = [&]() -> task<result<int>> { co_return co_await shield(manual_result_operation(m)); };
    EXPECT_EQ(run(fails()).error(), errc::closed);
    auto checks = [&]() -> async<int> { co_return co_await !shield(manual_result_operation(m)); };
    EXPECT_EQ(run(checks()).error(), errc::closed);
    auto checks_inside = [&]() -> async<int> { co_return co_await shield(!manual_result_operation(m)); };
    EXPECT_EQ(run(checks_inside()).error(), errc::closed);
    auto throws = [](int) -> task<int> {
      co_await yield_now();
      throw std::runtime_error("no");
    };
    std::string order;
    auto nothing = [](auto&) -> task<> { co_return; };
    EXPECT_THROW(std::ignore = wait_and_act(in, order, [&] { return shield(throws(1)); }, nothing), std::runtime_error);
    EXPECT_THROW(std::ignore = wait_and_act(in, order, [&] { return shield_for(1h, throws(1)); }, nothing),
                 std::runtime_error);
  }
}

// The next wait after a stop is the one in which the strand stops; a shielded one is none of those.
TEST(shield, begins_also_where_the_strand_was_stopped_before) {
  for (const auto in : each_style) {
    manual m, shielded;
    std::string order;
    auto make_task = [&]() -> task<int> {
      int sum = co_await manual_operation(m);
      sum += co_await shield(manual_operation(shielded));
      sum += co_await shield_for(for_ever, manual_operation(shielded));
      sum += *co_await as_result(shield(manual_operation(shielded)));
      order += "s";
      co_await yield_now();
      order += "!";
      co_return sum;
    };
    auto on_fiber = [&] {
      int sum = await(manual_operation(m));
      sum += await(shield(manual_operation(shielded)));
      sum += await(shield_for(for_ever, manual_operation(shielded)));
      sum += *await(as_result(shield(manual_operation(shielded))));
      order += "s";
      await(yield_now());
      order += "!";
      return sum;
    };
    runtime rt;
    auto handle = in == style::fiber ? rt.spawn(on_fiber) : rt.spawn(make_task);
    auto stopper = [&]() -> task<> {
      co_await yield_now();
      m.complete(1);
      handle.request_stop();
      for (int i = 0; i < 3; ++i) {
        co_await turns(5);
        EXPECT_EQ(shielded.starts, i + 1);
        if (shielded.waiter == nullptr) co_return;
        shielded.complete(2);
      }
      EXPECT_EQ((co_await handle).error(), errc::stopped);
    };
    rt.run(stopper());
    EXPECT_EQ(order, "s");
  }
}

void says_goodbye(manual& m) noexcept { await(shield(manual_operation(m))); }

TEST(shield, lets_noexcept_functions_and_destructors_wait_in_a_fiber_that_was_stopped) {
  manual m, goodbye;
  std::string order;
  runtime rt;
  auto handle = rt.spawn([&] {
    await(manual_operation(m));
    says_goodbye(goodbye);
    order += "n";
    {
      at_exit guard{[&] { says_goodbye(goodbye); }};
    }
    order += "d";
    await(yield_now());
    order += "!";
  });
  auto stopper = [&]() -> task<> {
    co_await yield_now();
    m.complete(1);
    handle.request_stop();
    co_await turns(3);
    goodbye.complete(1);
    co_await turns(3);
    goodbye.complete(1);
    EXPECT_EQ((co_await handle).error(), errc::stopped);
  };
  rt.run(stopper());
  EXPECT_EQ(order, "nd");
}

TEST(shield, is_exempt_from_deadlines_around_it) {
  for (const auto in : each_style) {
    manual m;
    std::string order;
    auto completes = [&](auto& handle) -> task<> {
      co_await turns(5);
      EXPECT_FALSE(handle.ready());
      m.complete(7);
    };
    EXPECT_TRUE(wait_and_act(in, order, [&] { return with_timeout(0s, shield(manual_operation(m))); }, completes));
    EXPECT_EQ(order, "7+!");
    EXPECT_EQ(m.cancels, 0);

    auto waits_on = [&]() -> task<int> {
      at_exit left{[&] { order += "l"; }};
      order += std::to_string(co_await shield(manual_operation(m)));
      co_await sleep_for(for_ever);
      co_return 0;
    };
    EXPECT_TRUE(wait_and_act(in, order, [&] { return with_timeout(0s, waits_on()); }, completes));
    EXPECT_EQ(order, "7l[" + error(errc::timed_out).message() + "]+!");
  }
}

TEST(shield, nested_in_another_ends_without_ending_that) {
  for (const auto in : each_style) {
    manual inner, outer;
    std::string order;
    auto both = [&](int) -> task<int> {
      order += std::to_string(co_await shield(manual_operation(inner)));
      co_return co_await manual_operation(outer);
    };
    auto acts = [&](auto& handle) -> task<> {
      handle.request_stop();
      co_await turns(2);
      inner.complete(1);
      co_await turns(3);
      outer.complete(2);
    };
    EXPECT_FALSE(wait_and_act(in, order, [&] { return shield(both(1)); }, acts));
    EXPECT_EQ(order, "12+");
    EXPECT_EQ(outer.cancels, 0);
  }
}

TEST(shield_for, lets_the_stop_through_when_its_time_is_over_counted_from_the_stop) {
  for (const auto in : each_style) {
    manual m;
    std::string order;
    std::chrono::steady_clock::time_point stopped_at;
    auto stops = [&](auto& handle) -> task<> {
      co_await sleep_for(3ms);
      EXPECT_FALSE(handle.ready());
      stopped_at = std::chrono::steady_clock::now();
      handle.request_stop();
    };
    EXPECT_FALSE(wait_and_act(in, order, [&] { return shield_for(2ms, manual_operation(m)); }, stops));
    EXPECT_GE(std::chrono::steady_clock::now() - stopped_at, 2ms);
    EXPECT_EQ(order, "");
    EXPECT_EQ(m.cancels, 1);
    EXPECT_EQ(m.gets, 0);
  }
}

TEST(shield_for, counts_from_its_beginning_where_the_stop_was_earlier) {
  for (const auto in : each_style) {
    manual m;
    std::string order;
    std::chrono::steady_clock::time_point began;
    auto both = [&](int) -> task<int> {
      const int first = co_await manual_operation(m);
      began = std::chrono::steady_clock::now();
      co_await shield_for(2ms, sleep_for(for_ever));
      order += "!";
      co_return first;
    };
    auto stops = [&](auto& handle) -> task<> {
      m.complete(1);
      handle.request_stop();
      co_return;
    };
    EXPECT_FALSE(wait_and_act(in, order, [&] { return both(1); }, stops));
    EXPECT_GE(std::chrono::steady_clock::now() - began, 2ms);
    EXPECT_EQ(order, "");
  }
}

// The stop is known, and its walk has not arrived: both would start the timer.
TEST(shield_for, begun_while_a_stop_is_on_its_way_counts_once) {
  for (const auto in : each_style) {
    manual m;
    std::string order;
    runtime rt;
    join_handle<void>* self = nullptr;
    auto stops_itself = [&](int) -> task<> {
      self->request_stop();
      order += std::to_string(co_await shield_for(for_ever, manual_operation(m)));
    };
    auto in_task = [&]() -> task<> { co_await shield(stops_itself(1)); };
    auto in_fiber = [&] { await(shield(stops_itself(1))); };
    auto handle = in == style::fiber ? rt.spawn(in_fiber) : rt.spawn(in_task);
    self = &handle;
    auto completer = [&]() -> task<> {
      co_await turns(4);
      m.complete(3);
      EXPECT_TRUE((co_await handle).has_value());
    };
    rt.run(completer());
    EXPECT_EQ(order, "3");
  }
}

TEST(shield_for, inside_of_another_each_lets_through_in_its_own_time) {
  for (const auto in : each_style) {
    std::string order;
    auto stops = [](auto& handle) -> task<> {
      handle.request_stop();
      co_return;
    };
    EXPECT_FALSE(
        wait_and_act(in, order, [] { return shield_for(1ms, shield_for(2ms, sleep_for(for_ever))); }, stops));
    EXPECT_FALSE(
        wait_and_act(in, order, [] { return shield_for(2ms, shield_for(1ms, sleep_for(for_ever))); }, stops));
    EXPECT_FALSE(wait_and_act(
        in, order, [] { return shield_for(0s, when_all(sleep_for(for_ever), shield_for(1ms, stopped()))); }, stops));
    EXPECT_EQ(order, "");
  }
}

TEST(shield_for, whose_time_is_over_leaves_a_shield_inside_alone) {
  for (const auto in : each_style) {
    virtual_clock clock;  // or both times might be over at once
    manual m;
    std::string order;
    auto inner = [&](int) -> task<int> {
      order += std::to_string(co_await shield(manual_operation(m)));
      order += "a";
      co_await yield_now();
      order += "!";
      co_return 0;
    };
    auto stops = [&](auto& handle) -> task<> {
      handle.request_stop();
      co_await sleep_for(2ms);
      EXPECT_FALSE(handle.ready());
      m.complete(5);
    };
    EXPECT_FALSE(wait_and_act(in, order, [&] { return shield_for(1ms, inner(1)); }, stops, {.clock = &clock}));
    EXPECT_EQ(order, "5a");
  }
}

// The end of the time and the completion at the same moment, in any order.
TEST(shield_for, may_end_in_the_turn_in_which_its_time_is_over) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::minstd_rand random(seed);
  for (int round = 0; round < 200; ++round) {
    manual m;
    std::string order;
    auto acts = [&](auto& handle) -> task<> {
      handle.request_stop();
      co_await turns(static_cast<int>(random() % 30));
      if (m.waiter != nullptr) m.complete(5);
    };
    const auto longest = std::chrono::microseconds(random() % 100);
    const auto in = each_style[round % 2];
    EXPECT_FALSE(wait_and_act(in, order, [&] { return shield_for(longest, manual_operation(m)); }, acts));
    EXPECT_TRUE(order == "5+" || order.empty()) << order;
    EXPECT_EQ(m.gets, order.empty() ? 0 : 1);
  }
}

TEST(as_result, turns_a_stop_into_an_error_and_the_next_wait_stops) {
  for (const auto in : each_style) {
    manual m;
    std::string order;
    auto stops = [](auto& handle) -> task<> {
      handle.request_stop();
      co_return;
    };
    const std::string told = "[" + error(errc::stopped).message() + "]+";
    EXPECT_FALSE(wait_and_act(in, order, [&] { return as_result(manual_operation(m)); }, stops));
    EXPECT_EQ(order, told);
    EXPECT_FALSE(wait_and_act(in, order, [&] { return as_result(in_a_task(m)); }, stops));
    EXPECT_EQ(order, told);
    EXPECT_FALSE(wait_and_act(in, order, [&] { return as_result(fiber{on_a_fiber, std::ref(m)}); }, stops));
    EXPECT_EQ(order, told);
    EXPECT_FALSE(wait_and_act(in, order, [&] { return as_result(sleep_for(for_ever)); }, stops));
    EXPECT_EQ(order, told);
    EXPECT_FALSE(wait_and_act(in, order, [&] { return as_result(!manual_result_operation(m)); }, stops));
    EXPECT_EQ(order, told);
    EXPECT_FALSE(wait_and_act(in, order, [&] { return as_result(as_result(stopped())); }, stops));
    EXPECT_EQ(order, told);
  }
}

TEST(as_result, gives_the_value_or_error_of_what_completes_although_a_stop_came) {
  for (const auto in : each_style) {
    manual m;
    std::string order;
    auto completes_then_stops = [&](auto& handle) -> task<> {
      m.complete(4);
      handle.request_stop();
      co_return;
    };
    EXPECT_FALSE(wait_and_act(in, order, [&] { return as_result(manual_operation(m)); }, completes_then_stops));
    EXPECT_EQ(order, "4+");
    auto nothing = [&](auto&) -> task<> {
      m.complete(-1);
      co_return;
    };
    EXPECT_TRUE(wait_and_act(in, order, [&] { return as_result(manual_result_operation(m)); }, nothing));
    EXPECT_EQ(order, "[" + error(errc::closed).message() + "]+!");
  }
}

TEST(shield, of_an_lvalue_refers_to_it) {
  for (const auto in : each_style) {
    manual m;
    m.is_ready = true, m.value = 3;
    manual_operation named(m);
    std::string order;
    auto nothing = [](auto&) -> task<> { co_return; };
    EXPECT_TRUE(wait_and_act(in, order, [&] { return shield(named); }, nothing));
    EXPECT_EQ(order, "3+!");
  }
}

}  // namespace
