// with_timeout, with_deadline and timeout, in both styles. No test depends on how long anything takes: what is to be too
// late never comes, what is to be in time has a day.
#include <cordage/time.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/fiber.hpp>
#include <cordage/promise.hpp>
#include <cordage/runtime.hpp>
#include <cordage/stop.hpp>
#include <cordage/task.hpp>
#include <cordage/when.hpp>

#include "both_styles.hpp"
#include "counted.hpp"
#include "manual_operation.hpp"

namespace {

using namespace cordage;
using namespace std::chrono_literals;
using std::chrono::steady_clock;
using support::await_in;
using support::each_style;
using support::gives;
using support::gives_or_fails;
using support::spawn_in;

constexpr auto for_ever = 24h;
constexpr auto longest = std::chrono::nanoseconds::max();

task<int> sleeps(counted) {
  co_await sleep_for(for_ever);
  co_return 0;
}

// Ends by a stop, but not before m has completed.
task<int> stops_late(manual& m) {
  co_await manual_operation(m);
  co_await sleep_for(for_ever);
  co_return 0;
}

template <class X>
using value_of_await = decltype(detail::value_when_awaited(std::declval<X>()));

TEST(with_timeout, gives_the_value_or_the_error_of_what_is_in_time) {
  static_assert(std::is_same_v<value_of_await<decltype(with_timeout(1s, gives(1)))>, result<int>>);
  static_assert(std::is_same_v<value_of_await<decltype(with_timeout(1s, gives_or_fails(1)))>, result<int>>);
  static_assert(std::is_same_v<value_of_await<decltype(with_timeout(1s, !gives_or_fails(1)))>, result<int>>);
  static_assert(std::is_same_v<value_of_await<decltype(with_timeout(1s, sleep_for(1s)))>, result<>>);
  static_assert(std::is_same_v<value_of_await<decltype(with_timeout(1s, std::declval<task<int&>>()))>,
                               result<std::reference_wrapper<int>>>);
  static_assert(std::is_same_v<value_of_await<decltype(!with_timeout(1s, gives_or_fails(1)))>, int>);
  for (const auto in : each_style) {
    for (const int turns : {0, 3}) {
      EXPECT_EQ(await_in(in, [=] { return with_timeout(for_ever, gives(1, turns)); }), 1);
      EXPECT_EQ(await_in(in, [=] { return with_timeout(longest, gives_or_fails(2, turns)); }), 2);
      EXPECT_EQ(await_in(in, [=] { return with_timeout(for_ever, gives_or_fails(-2, turns)); }).error(),
                errc::closed);
      EXPECT_EQ(
          await_in(in, [=] { return !with_deadline(steady_clock::time_point::max(), gives(3, turns)); }), 3);
    }
    EXPECT_TRUE(await_in(in, [] { return with_timeout(for_ever, sleep_for(0s)); }));
    EXPECT_TRUE(await_in(in, [] { return with_timeout(for_ever, yield_now()); }));
    auto throws = []() -> task<> {
      co_await yield_now();
      throw std::runtime_error("thrown");
    };
    EXPECT_THROW((void)await_in(in, [&] { return with_timeout(for_ever, throws()); }), std::runtime_error);
    int there = 0;
    auto refers = [&]() -> task<int&> { co_return there; };
    EXPECT_EQ(&await_in(in, [&] { return with_timeout(for_ever, refers()); })->get(), &there);
    auto moves = []() -> task<std::unique_ptr<int>> { co_return std::make_unique<int>(2); };
    EXPECT_EQ(**await_in(in, [&] { return with_timeout(for_ever, moves()); }), 2);
  }
}

TEST(with_timeout, stops_what_is_too_late_and_fails_when_that_has_ended) {
  for (const auto in : each_style) {
    counted::alive = 0;
    EXPECT_EQ(await_in(in, [] { return with_timeout(1ms, sleeps(counted())); }).error(), errc::timed_out);
    EXPECT_EQ(counted::alive, 0);
    auto on_fiber = [](counted) { await(sleep_for(for_ever)); };
    EXPECT_EQ(await_in(in, [&] { return with_timeout(1ms, fiber<void>(on_fiber, counted())); }).error(),
              errc::timed_out);
    EXPECT_EQ(counted::alive, 0);
    const auto soon = steady_clock::now() + 1ms;
    EXPECT_EQ(await_in(in, [&] { return with_deadline(soon, sleeps(counted())); }).error(), errc::timed_out);
    EXPECT_GE(steady_clock::now(), soon);
    EXPECT_THROW((void)await_in(in, [] { return !with_timeout(1ms, sleeps(counted())); }), std::system_error);
  }
}

TEST(with_timeout, of_no_time_gives_what_is_ready_at_once_and_nothing_else) {
  const auto none = {std::chrono::nanoseconds(0), std::chrono::nanoseconds(-1),
                     std::chrono::nanoseconds::min()};
  for (const auto in : each_style) {
    for (const auto time : none) {
      EXPECT_EQ(await_in(in, [=] { return with_timeout(time, gives(1)); }), 1);
      EXPECT_TRUE(await_in(in, [=] { return with_timeout(time, sleep_for(time)); }));
      EXPECT_EQ(await_in(in, [=] { return with_timeout(time, gives_or_fails(-1)); }).error(), errc::closed);
      EXPECT_EQ(await_in(in, [=] { return with_timeout(time, sleeps(counted())); }).error(), errc::timed_out);
      EXPECT_EQ(await_in(in, [=] { return with_timeout(time, gives(1, 5)); }).error(), errc::timed_out);
    }
    for (const auto past : {steady_clock::time_point::min(), steady_clock::now()}) {
      EXPECT_EQ(await_in(in, [=] { return with_deadline(past, gives(1)); }), 1);
      EXPECT_EQ(await_in(in, [=] { return with_deadline(past, sleeps(counted())); }).error(),
                errc::timed_out);
    }
  }
}

TEST(with_timeout, gives_a_value_that_arrives_after_the_limit) {
  for (const auto in : each_style) {
    for (const auto limit : {0ns, std::chrono::nanoseconds(1ms)}) {
      manual m;
      m.can_be_withdrawn = false;
      auto completes = [&]() -> task<> {
        while (m.cancels == 0) co_await sleep_for(1ms);
        for (int i = 0; i < 5; ++i) co_await yield_now();
        m.complete(7);
      };
      auto make = [&] {
        spawn(completes);
        return with_timeout(limit, manual_operation(m));
      };
      EXPECT_EQ(await_in(in, make), 7);
    }
    EXPECT_EQ(await_in(in, [] { return with_timeout(0s, shield(gives(8, 9))); }), 8);
    auto fails_late = []() -> async<int> {
      co_await shield(gives(1, 9));
      co_return unexpected(errc::closed);
    };
    EXPECT_EQ(await_in(in, [&] { return with_timeout(0s, fails_late()); }).error(), errc::closed);
    auto throws_late = []() -> task<int> {
      co_await shield(gives(1, 9));
      throw std::logic_error("late");
    };
    EXPECT_THROW((void)await_in(in, [&] { return with_timeout(0s, throws_late()); }), std::logic_error);
  }
}

TEST(with_timeout, nested_the_nearest_limit_counts) {
  for (const auto in : each_style) {
    const auto outer_nearer =
        await_in(in, [] { return with_timeout(1ms, with_timeout(for_ever, sleep_for(for_ever))); });
    static_assert(std::is_same_v<decltype(outer_nearer), const result<>>);
    EXPECT_EQ(outer_nearer.error(), errc::timed_out);
    EXPECT_EQ(
        await_in(in, [] { return with_timeout(for_ever, with_timeout(1ms, sleep_for(for_ever))); }).error(),
        errc::timed_out);
    EXPECT_EQ(
        await_in(in,
                 [] { return with_timeout(1ms, with_timeout(1ms, with_timeout(1ms, sleep_for(for_ever)))); })
            .error(),
        errc::timed_out);
    EXPECT_EQ(await_in(in, [] { return with_timeout(0s, with_timeout(0s, gives(1))); }), 1);

    // Only the inner one fails: what is around it goes on.
    auto goes_on = []() -> task<int> {
      const auto inner = co_await with_timeout(1ms, sleep_for(for_ever));
      EXPECT_EQ(inner.error(), errc::timed_out);
      co_await yield_now();
      co_return 5;
    };
    EXPECT_EQ(await_in(in, [&] { return with_timeout(for_ever, goes_on()); }), 5);
    // The outer one fails: what is between is taken down.
    bool went_on = false;
    auto is_taken_down = [&]() -> task<> {
      (void)co_await with_timeout(for_ever, sleep_for(for_ever));
      went_on = true;
    };
    EXPECT_EQ(await_in(in, [&] { return with_timeout(1ms, is_taken_down()); }).error(), errc::timed_out);
    EXPECT_FALSE(went_on);
  }
}

TEST(with_timeout, takes_whatever_can_be_awaited) {
  for (const auto in : each_style) {
    promise<int> provided;
    auto given = provided.get_future();
    std::thread provider([&] { provided.set_value(3); });
    EXPECT_EQ(await_in(in, [&] { return with_timeout(for_ever, given); }), 3);
    provider.join();

    promise<int> never;
    auto not_given = never.get_future();
    EXPECT_EQ(await_in(in, [&] { return with_timeout(1ms, not_given); }).error(), errc::timed_out);
    EXPECT_TRUE(not_given.valid()) << "stop loses nothing";

    auto spawns = [] { return with_timeout(for_ever, spawn(gives(4, 2))); };
    EXPECT_EQ(await_in(in, spawns), 4);
    task<int> named = gives(5, 1);
    EXPECT_EQ(await_in(in, [&] { return with_timeout(for_ever, named); }), 5);
    EXPECT_EQ(await_in(in, [] { return with_timeout(for_ever, fiber{[] { return await(gives(6, 1)); }}); }),
              6);
    EXPECT_EQ(await_in(in, [] { return with_timeout(for_ever, when_all(gives(1, 1), gives(2))); }),
              (std::tuple{1, 2}));
    EXPECT_EQ(await_in(in, [] { return with_timeout(for_ever, !when_all(gives_or_fails(1, 1), gives(2))); }),
              (std::tuple{1, 2}));
    EXPECT_EQ(await_in(in, [] { return with_timeout(1ms, when_any(sleep_for(for_ever), sleeps(counted()))); })
                  .error(),
              errc::timed_out);
    const auto [in_time, late] = await_in(in, [] {
      return when_all(with_timeout(for_ever, gives(1)), with_timeout(1ms, sleep_for(for_ever)));
    });
    EXPECT_EQ(in_time, 1);
    EXPECT_EQ(late.error(), errc::timed_out);
  }
}

TEST(with_timeout, leaves_a_strand_alone_whose_handle_it_waits_for) {
  for (const auto in : each_style) {
    promise<int> asked;
    auto answer = asked.get_future();
    auto waits = [&] { return await(answer); };
    std::optional<join_handle<result<int>>> handle;
    auto make = [&] {
      handle.emplace(spawn(waits));
      return with_timeout(1ms, *handle);
    };
    const auto body = [&]() -> task<> {
      auto waiting = spawn_in(in, make);
      EXPECT_EQ((co_await waiting).error(), errc::timed_out);
      asked.set_value(9);
      EXPECT_EQ(co_await *handle, 9);
    };
    run(body());
  }
}

TEST(with_timeout, a_stop_beats_a_limit_that_is_not_over) {
  for (const auto in : each_style) {
    counted::alive = 0;
    runtime rt;
    auto make = [] { return with_timeout(for_ever, sleeps(counted())); };
    auto body = [&]() -> task<> {
      auto handle = spawn_in(in, make);
      co_await yield_now();
      co_await yield_now();
      EXPECT_EQ(counted::alive, 1);
      handle.request_stop();
      EXPECT_EQ((co_await handle).error(), errc::stopped);
      EXPECT_EQ(counted::alive, 0);
    };
    rt.run(body());
  }
}

TEST(with_timeout, a_limit_that_is_over_beats_a_stop) {
  for (const auto in : each_style) {
    manual m;
    m.can_be_withdrawn = false;
    bool went_on = false;
    auto waits = [&]() -> task<> {
      const result<int> got = co_await with_timeout(0s, stops_late(m));
      EXPECT_EQ(got.error(), errc::timed_out);
      went_on = true;
      co_await yield_now();
      ADD_FAILURE() << "the next wait stops";
    };
    auto make = [&] { return waits(); };
    auto body = [&]() -> task<> {
      auto handle = spawn_in(in, make);
      while (m.cancels == 0) co_await yield_now();
      handle.request_stop();
      for (int i = 0; i < 9; ++i) co_await yield_now();
      m.complete(1);
      (void)co_await handle;
      EXPECT_TRUE(went_on);
    };
    run(body());
  }
}

// The timer has fired and its node is in the queue when a stop arrives, or a value, whichever comes first.
TEST(with_timeout, copes_with_a_stop_or_a_value_while_the_timer_is_on_its_way) {
  for (const auto in : each_style) {
    for (const bool value_first : {false, true}) {
      manual m;
      auto make = [&] { return with_timeout(1ms, manual_operation(m)); };
      auto body = [&]() -> task<> {
        auto handle = spawn_in(in, make);
        co_await yield_now();
        co_await yield_now();
        EXPECT_NE(m.waiter, nullptr);
        // Not looked at before this strand waits, and so it fires together with the timer of this one.
        std::this_thread::sleep_for(3ms);
        if (value_first) m.complete(5);
        handle.request_stop();
        const auto got = co_await handle;
        if (value_first) {
          EXPECT_EQ(got, 5);
        } else {
          EXPECT_FALSE(got.has_value());
        }
        co_await yield_now();
      };
      run(body());
    }
  }
}

TEST(with_timeout, many_at_once_each_end_once) {
  for (const auto in : each_style) {
    counted::alive = 0;
    auto make = [] {
      std::vector<decltype(with_timeout(1ms, sleeps(counted())))> limits;
      for (int i = 0; i < 500; ++i) limits.push_back(with_timeout(i % 5 * 1ms, sleeps(counted())));
      return when_all(std::move(limits));
    };
    for (const auto& each : await_in(in, make)) EXPECT_EQ(each.error(), errc::timed_out);
    EXPECT_EQ(counted::alive, 0);
  }
}

TEST(timeout, fails_when_the_time_has_passed) {
  for (const auto in : each_style) {
    EXPECT_EQ(await_in(in, [] { return timeout(1ms); }).error(), errc::timed_out);
    EXPECT_EQ(await_in(in, [] { return timeout(-1ms); }).error(), errc::timed_out);
    const auto [value, late] = await_in(in, [] { return when_any(gives(1, 3), timeout(longest)); });
    EXPECT_EQ(value, 1);
    EXPECT_FALSE(late);
    const auto [stopped, failed] = await_in(in, [] { return when_any(sleeps(counted()), timeout(1ms)); });
    EXPECT_FALSE(stopped);
    EXPECT_EQ(failed->error(), errc::timed_out);
  }
}

}  // namespace
