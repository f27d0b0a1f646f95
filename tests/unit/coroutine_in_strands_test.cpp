// Coroutines inside fibers and tasks: what waits is the whole strand.
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/coroutine.hpp>
#include <cordage/fiber.hpp>
#include <cordage/runtime.hpp>
#include <cordage/task.hpp>
#include <cordage/time.hpp>

#include "counted.hpp"

namespace {

using namespace cordage;
using this_coroutine::yield;

TEST(coroutine, await_inside_one_suspends_the_whole_fiber_around_it) {
  std::vector<std::string> order;
  runtime rt;
  auto other = [&] {
    for (int i = 0; i < 2; ++i) {
      order.push_back("other");
      await(yield_now());
    }
  };
  auto main_fiber = [&] {
    coroutine<int> produces{[&] {
      for (int i = 0; i < 2; ++i) {
        order.push_back("waits");
        await(yield_now());
        yield(i);
      }
    }};
    for (const int value : produces) order.push_back(std::to_string(value));
    EXPECT_FALSE(this_coroutine::running());
  };
  rt.spawn(main_fiber);
  rt.spawn(other);
  rt.run(yield_now());
  EXPECT_EQ(order, (std::vector<std::string>{"waits", "other", "0", "waits", "other", "1"}));
}

TEST(coroutine, of_several_fibers_do_not_meet) {
  runtime rt;
  int done = 0;
  auto body = [&](int mine) {
    coroutine<int> outer{[mine] {
      coroutine<std::string> inner{[mine] {
        for (int i = 0; i < 50; ++i) {
          await(yield_now());
          yield(std::to_string(mine + i));
          await(sleep_for(std::chrono::microseconds(i % 3)));
        }
      }};
      for (const std::string& text : inner) {
        await(yield_now());
        yield(std::stoi(text));
      }
    }};
    int expected = mine;
    for (const int value : outer) EXPECT_EQ(value, expected++);
    EXPECT_EQ(expected, mine + 50);
    ++done;
  };
  for (int i = 0; i < 20; ++i) rt.spawn(body, i * 1000);
  rt.run(yield_now());
  EXPECT_EQ(done, 20);
}

TEST(coroutine, a_stop_unwinds_the_fiber_through_the_coroutines_on_it) {
  const auto before = counted::alive;
  run([&]() -> task<> {
    auto stuck = [] {
      const counted outside;
      coroutine<int> c{[] {
        const counted inside;
        coroutine<int> inner{[] {
          const counted innermost;
          await(sleep_for(std::chrono::hours(1)));
        }};
        inner.resume();
      }};
      c.resume();
      ADD_FAILURE() << "it went on";
    };
    auto handle = spawn(stuck);
    co_await yield_now();
    EXPECT_EQ(counted::alive, before + 3);
    handle.request_stop();
    EXPECT_EQ((co_await handle).error(), errc::stopped);
  }());
  EXPECT_EQ(counted::alive, before);
}

struct yields_when_destroyed {
  bool& gone;
  ~yields_when_destroyed() {
    yield(1);
    gone = true;
  }
};

TEST(coroutine, destructors_that_a_stop_runs_yield_nothing) {
  bool inner_gone = false, outer_gone = false;
  run([&]() -> task<> {
    auto stuck = [&] {
      coroutine<int> c{[&] {
        const yields_when_destroyed outer{outer_gone};
        coroutine<int> inner{[&] {
          const yields_when_destroyed innermost{inner_gone};
          await(sleep_for(std::chrono::hours(1)));
        }};
        inner.resume();
        ADD_FAILURE() << "it went on";
      }};
      c.resume();
      ADD_FAILURE() << "it went on";
    };
    auto handle = spawn(stuck);
    co_await yield_now();
    handle.request_stop();
    const auto ended = co_await handle;
    EXPECT_EQ(ended.error(), errc::stopped);
  }());
  EXPECT_TRUE(inner_gone && outer_gone);
}

TEST(coroutine, yields_again_where_a_stop_of_its_fiber_was_swallowed) {
  testing::internal::CaptureStderr();
  run([]() -> task<> {
    auto hungry = [] {
      coroutine<int> c{[] {
        try {
          await(sleep_for(std::chrono::hours(1)));
        } catch (...) {
        }
        yield(7);
        EXPECT_THROW(yield("text"), wrong_yield_type);
      }};
      EXPECT_EQ(c.resume(), 7);
      EXPECT_EQ(c.resume(), std::nullopt);
    };
    auto handle = spawn(hungry);
    co_await yield_now();
    handle.request_stop();
    const auto ended = co_await handle;
    EXPECT_TRUE(ended.has_value());
  }());
  EXPECT_NE(testing::internal::GetCapturedStderr().find("swallowed a stop"), std::string::npos);
}

TEST(coroutine, may_run_a_runtime) {
  coroutine<int> c{[] {
    const int value = run(fiber{[] {
      EXPECT_FALSE(this_coroutine::running());
      EXPECT_THROW(yield(1), not_in_coroutine);
      await(yield_now());
      return 5;
    }});
    EXPECT_TRUE(this_coroutine::running());
    yield(value);
  }};
  EXPECT_EQ(c.resume(), 5);
}

TEST(coroutine, that_was_resumed_before_a_runtime_ran_may_end_inside_it) {
  coroutine<int> c{[] {
    yield(1);
    yield(2);
  }};
  c.resume();
  run(fiber{[&] {
    coroutine<int> taken = std::move(c);
    EXPECT_EQ(taken.resume(), 2);
  }});
  EXPECT_FALSE(this_coroutine::running());
  EXPECT_THROW(yield(1), not_in_coroutine);
}

// On x86 these live in registers of their own, of which there are eight for all stacks of a thread.
[[gnu::noinline]] long double compute(long double a) {
  const long double b = a * 3.5L;
  yield(1);
  const long double c = b + a;
  yield(2);
  return c * b + a;
}

TEST(coroutine, long_doubles_that_live_across_a_yield_are_kept) {
  std::vector<long double> got(40);
  std::vector<coroutine<int>> all;
  for (std::size_t i = 0; i < got.size(); ++i)
    all.emplace_back([&got, i] { got[i] = compute(static_cast<long double>(i) + 0.25L); });
  for (int round = 0; round < 3; ++round)
    for (auto& each : all) each.resume();
  for (std::size_t i = 0; i < got.size(); ++i) {
    const long double a = static_cast<long double>(i) + 0.25L;
    EXPECT_EQ(got[i], (a * 3.5L + a) * (a * 3.5L) + a) << i;
  }
}

TEST(coroutine, may_be_resumed_in_tasks) {
  run([]() -> task<> {
    coroutine<int> counting{[] {
      for (int i = 1; i <= 3; ++i) yield(i);
    }};
    int sum = 0;
    while (const auto value = counting.resume()) {
      sum += *value;
      co_await yield_now();
    }
    EXPECT_EQ(sum, 6);
  }());
}

}  // namespace
