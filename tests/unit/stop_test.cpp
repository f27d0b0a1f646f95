// Stop, in both styles: what ends, in which order, and what completes all the same.
#include <cordage/stop.hpp>

#include <chrono>
#include <csignal>
#include <exception>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/fiber.hpp>
#include <cordage/runtime.hpp>
#include <cordage/runtime/worker.hpp>
#include <cordage/scope.hpp>
#include <cordage/task.hpp>
#include <cordage/time.hpp>

#include "counted.hpp"
#include "manual_operation.hpp"

namespace {

using namespace cordage;
using namespace std::chrono_literals;

constexpr auto for_ever = 24h;
constexpr bool deep_stacks = config::gcc12 && config::sanitized;  // there symmetric transfer is a call

// Runs `stopper` beside a strand of `body`, and gives how the strand ended.
template <class Body>
result<> stopped_while_waiting(Body body) {
  runtime rt;
  auto handle = rt.spawn(body);
  auto stopper = [&]() -> task<result<>> {
    co_await yield_now();
    handle.request_stop();
    co_return co_await handle;
  };
  return rt.run(stopper());
}

TEST(stop, destroys_the_waiting_frames_of_a_task_innermost_first_and_runs_nothing_else) {
  std::string order;
  auto third = [&](int) -> task<> {
    at_exit note{[&] { order += "3"; }};
    co_await sleep_for(for_ever);
    order += "!";
  };
  auto second = [&](int) -> task<> {
    at_exit note{[&] { order += "2"; }};
    co_await third(1);
    order += "!";
  };
  auto first = [&]() -> task<> {
    at_exit note{[&] { order += "1"; }};
    try {
      co_await second(1);
    } catch (...) {
      order += "!";
    }
    order += "!";
  };
  EXPECT_EQ(stopped_while_waiting(first).error(), errc::stopped);
  EXPECT_EQ(order, "321");
}

TEST(stop, unwinds_the_stack_of_a_fiber) {
  std::string order;
  auto inner = [&] {
    at_exit note{[&] { order += "2"; }};
    await(sleep_for(for_ever));
    order += "!";
  };
  auto body = [&] {
    at_exit note{[&] { order += "1"; }};
    try {
      inner();
      order += "!";
    } catch (const std::exception&) {
      order += "!";
    }
    order += "!";
  };
  EXPECT_EQ(stopped_while_waiting(body).error(), errc::stopped);
  EXPECT_EQ(order, "21");
}

TEST(stop, goes_through_fibers_that_await_tasks_that_await_fibers) {
  std::string order;
  auto innermost = [&] {
    at_exit note{[&] { order += "4"; }};
    await(sleep_for(for_ever));
    order += "!";
  };
  auto task_in_fiber = [&](int) -> task<> {
    at_exit note{[&] { order += "3"; }};
    fiber waits{innermost};
    co_await waits;
    order += "!";
  };
  auto fiber_in_task = [&] {
    at_exit note{[&] { order += "2"; }};
    await(task_in_fiber(1));
    order += "!";
  };
  auto body = [&]() -> task<> {
    at_exit note{[&] { order += "1"; }};
    fiber waits{fiber_in_task};
    co_await waits;
    order += "!";
  };
  EXPECT_EQ(stopped_while_waiting(body).error(), errc::stopped);
  EXPECT_EQ(order, "4321");
}

// A guard that commits unless an exception is in flight would commit in the task: that is what stopping() is for.
TEST(stop, is_no_exception_in_flight_where_it_destroys_the_frames_of_tasks) {
  int in_flight = -1;
  bool asked = false;
  auto in_task = [&]() -> task<> {
    at_exit guard{[&] { in_flight = std::uncaught_exceptions(), asked = stopping(); }};
    co_await sleep_for(for_ever);
  };
  auto in_fiber = [&] {
    at_exit guard{[&] { in_flight = std::uncaught_exceptions(), asked = stopping(); }};
    await(sleep_for(for_ever));
  };
  EXPECT_EQ(stopped_while_waiting(in_task).error(), errc::stopped);
  EXPECT_EQ(in_flight, 0);
  EXPECT_TRUE(asked);
  EXPECT_EQ(stopped_while_waiting(in_fiber).error(), errc::stopped);
  EXPECT_EQ(in_flight, 1);
  EXPECT_TRUE(asked);
}

task<> deep(int depth) {
  const auto on_the_heap = std::make_unique<int>(depth);
  if (depth == 0) {
    co_await sleep_for(for_ever);
  } else {
    co_await deep(depth - 1);
  }
}

TEST(stop, takes_a_deep_chain_down_without_growing_the_stack) {
  auto body = [] { return deep(deep_stacks ? 1'000 : 200'000); };
  EXPECT_EQ(stopped_while_waiting(body).error(), errc::stopped);
}

TEST(stop, completion_beats_it_and_the_next_wait_stops) {
  for (const bool as_fiber : {false, true}) {
    manual m;
    std::string order;
    runtime rt;
    auto in_task = [&]() -> task<> {
      order += std::to_string(co_await manual_operation(m));
      co_await sleep_for(0s);
      order += "!";
    };
    auto in_fiber = [&] {
      order += std::to_string(await(manual_operation(m)));
      await(sleep_for(0s));
      order += "!";
    };
    auto handle = as_fiber ? rt.spawn(in_fiber) : rt.spawn(in_task);
    auto stopper = [&]() -> task<> {
      co_await yield_now();
      m.complete(7);
      handle.request_stop();
      EXPECT_EQ((co_await handle).error(), errc::stopped);
    };
    rt.run(stopper());
    EXPECT_EQ(order, "7");
  }
}

TEST(stop, waits_for_an_operation_that_can_no_longer_be_withdrawn) {
  for (const bool as_fiber : {false, true}) {
    manual m;
    m.can_be_withdrawn = false;
    std::string order;
    runtime rt;
    auto in_task = [&]() -> task<> {
      order += std::to_string(co_await manual_operation(m));
      co_await yield_now();
      order += "!";
    };
    auto in_fiber = [&] {
      order += std::to_string(await(manual_operation(m)));
      await(yield_now());
      order += "!";
    };
    auto handle = as_fiber ? rt.spawn(in_fiber) : rt.spawn(in_task);
    auto stopper = [&]() -> task<> {
      co_await yield_now();
      handle.request_stop();
      for (int i = 0; i < 5; ++i) co_await yield_now();
      EXPECT_FALSE(handle.ready());
      m.complete(7);
      EXPECT_EQ((co_await handle).error(), errc::stopped);
    };
    rt.run(stopper());
    EXPECT_EQ(order, "7");
    EXPECT_EQ(m.cancels, 1);
  }
}

TEST(stop, a_value_that_is_returned_before_the_next_wait_stands) {
  for (const bool as_fiber : {false, true}) {
    manual m;
    runtime rt;
    auto in_task = [&]() -> task<int> { co_return co_await manual_operation(m); };
    auto in_fiber = [&] { return await(manual_operation(m)); };
    auto handle = as_fiber ? rt.spawn(in_fiber) : rt.spawn(in_task);
    auto stopper = [&]() -> task<> {
      co_await yield_now();
      m.complete(7);
      handle.request_stop();
      EXPECT_EQ(co_await handle, 7);
    };
    rt.run(stopper());
  }
}

TEST(stop, of_a_strand_that_has_not_begun_lets_it_never_begin) {
  for (const bool as_fiber : {false, true}) {
    counted::alive = 0;
    bool began = false;
    runtime rt;
    auto in_task = [&](counted) -> task<> {
      began = true;
      co_return;
    };
    auto in_fiber = [&](counted) { began = true; };
    auto body = [&]() -> task<> {
      auto handle = as_fiber ? spawn(in_fiber, counted()) : spawn(in_task, counted());
      EXPECT_TRUE(handle.request_stop());
      EXPECT_FALSE(handle.request_stop());
      EXPECT_EQ((co_await handle).error(), errc::stopped);
      EXPECT_EQ(counted::alive, 0);
    };
    rt.run(body());
    EXPECT_FALSE(began);
  }
}

TEST(stop, reaches_a_strand_whose_operations_are_always_ready) {
  for (const bool as_fiber : {false, true}) {
    manual always;
    always.is_ready = true;
    auto in_task = [&]() -> task<> {
      for (;;) co_await manual_operation(always);
    };
    auto in_fiber = [&] {
      for (;;) await(manual_operation(always));
    };
    EXPECT_EQ((as_fiber ? stopped_while_waiting(in_fiber) : stopped_while_waiting(in_task)).error(), errc::stopped);
  }
}

TEST(stop, reaches_a_strand_that_only_awaits_tasks) {
  auto nothing = [](int) -> task<> { co_return; };
  runtime rt;
  int rounds = 0;
  auto body = [&]() -> task<> {
    for (;; ++rounds) co_await nothing(1);
  };
  auto handle = rt.spawn(body);
  handle.request_stop();
  rt.run(yield_now());
  EXPECT_EQ(rounds, 0);
}

// While a strand that was asked to stop lives, every wait at its executor looks at its own strand's word, which costs.
TEST(stop, is_forgotten_by_the_executor_when_the_strand_has_ended) {
  run([]() -> task<> {
    const executor& here = *detail::worker::current();
    auto waits = []() -> task<> { co_await sleep_for(std::chrono::hours(1)); };
    auto ends = []() -> task<> { co_return; };

    auto waiting = spawn(waits);
    co_await yield_now();
    auto not_begun = spawn(ends);
    waiting.request_stop();
    not_begun.request_stop();
    EXPECT_TRUE(here.any_stopping());
    (void)co_await waiting;
    (void)co_await not_begun;
    EXPECT_FALSE(here.any_stopping());

    auto ended = spawn(ends);
    co_await yield_now();
    ended.request_stop();
    co_await yield_now();
    EXPECT_FALSE(here.any_stopping());
  }());
}

TEST(stop, waits_in_destructors_of_an_unwinding_fiber_are_shielded) {
  std::string order;
  auto body = [&] {
    at_exit says_goodbye{[&] {
      order += "a";
      await(yield_now());
      await(sleep_for(1ms));
      order += "b";
    }};
    await(sleep_for(for_ever));
  };
  EXPECT_EQ(stopped_while_waiting(body).error(), errc::stopped);
  EXPECT_EQ(order, "ab");
}

TEST(stop, that_a_fiber_swallows_is_reported_by_name_and_comes_again) {
  testing::internal::CaptureStderr();
  int swallowed = 0;
  runtime rt;
  auto handle = rt.spawn(spawn_options{.name = "greedy"}, [&] {
    while (swallowed < 2) {
      try {
        await(sleep_for(for_ever));
      } catch (...) {
        ++swallowed;
      }
    }
    await(sleep_for(for_ever));
  });
  auto stopper = [&]() -> task<> {
    co_await yield_now();
    handle.request_stop();
    EXPECT_EQ((co_await handle).error(), errc::stopped);
  };
  rt.run(stopper());
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_EQ(swallowed, 2);
  EXPECT_NE(said.find("fiber \"greedy\" swallowed a stop"), std::string::npos) << said;
}

TEST(stop, may_be_requested_from_another_thread) {
  for (const bool as_fiber : {false, true}) {
    runtime rt;
    auto in_task = []() -> task<> { co_await sleep_for(for_ever); };
    auto in_fiber = [] { await(sleep_for(for_ever)); };
    auto handle = as_fiber ? rt.spawn(in_fiber) : rt.spawn(in_task);
    std::thread other([&] { handle.request_stop(); });
    rt.run(yield_now());
    other.join();
    EXPECT_TRUE(handle.ready());
  }
}

join_handle<void>* stopped_by_signal = nullptr;

TEST(stop, may_be_requested_in_a_signal_handler) {
  std::signal(SIGUSR1, [](int) { stopped_by_signal->request_stop(); });
  runtime rt;
  auto handle = rt.spawn([]() -> task<> { co_await sleep_for(for_ever); });
  stopped_by_signal = &handle;
  auto raiser = []() -> task<> {
    co_await yield_now();
    std::raise(SIGUSR1);
  };
  rt.run(raiser());
  EXPECT_TRUE(handle.ready());
  std::signal(SIGUSR1, SIG_DFL);
}

TEST(stop, of_a_runtime_ends_everything_and_run_throws_or_gives_an_error) {
  runtime rt;
  auto stops_all = [&]() -> task<> {
    rt.request_stop();
    co_await sleep_for(for_ever);
  };
  rt.spawn([] { await(sleep_for(for_ever)); });
  EXPECT_THROW(rt.run(stops_all()), stopped_error);

  runtime other;
  auto stops_other = [&]() -> async<int> {
    other.request_stop();
    co_await sleep_for(for_ever);
    co_return 1;
  };
  EXPECT_EQ(other.run(stops_other()).error(), errc::stopped);
}

TEST(stop, racing_completion_from_another_thread_ends_every_strand_exactly_once) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  counted::alive = 0;
  for (int round = 0; round < 300; ++round) {
    runtime rt;
    std::vector<join_handle<void>> handles;
    const auto in_task = [](counted) -> task<> { co_await sleep_for(100us); };
    const auto in_fiber = [](counted) { await(sleep_for(100us)); };
    for (int i = 0; i < 6; ++i)
      handles.push_back(i % 2 == 0 ? rt.spawn(in_task, counted()) : rt.spawn(in_fiber, counted()));
    std::thread stopper([&, wait = random() % 200] {
      for (unsigned spin = 0; spin < wait * 100; ++spin) asm volatile("");
      for (auto& handle : handles) handle.request_stop();
    });
    rt.run(yield_now());
    stopper.join();
    for (auto& handle : handles) ASSERT_TRUE(handle.ready());
    ASSERT_EQ(counted::alive, 0);
  }
}

}  // namespace
