// guarded on several threads: who looks at conditions on one, while others come, go and are stopped on another.
#include <cordage/guarded.hpp>

#include <atomic>
#include <chrono>
#include <string>
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

// A condition is looked at outside of all locks, on another thread, while what waits for it is stopped.
TEST(guarded, ends_a_wait_that_is_stopped_while_its_condition_is_looked_at) {
  for (const style in : each_style) {
    for (const bool holds : {false, true}) {
      guarded<int> number(0);
      std::atomic<bool> looked_at{false}, go_on{false};
      std::string log;
      auto condition = [&](const int& n) {
        if (n == 0) return false;
        looked_at = true;
        while (!go_on) std::this_thread::yield();
        return holds;
      };
      auto all = [&]() -> task<> {
        auto waits = [&] { return number.wait_until(condition); };
        auto locks = [&] { return number.lock(); };
        auto stopped = spawn_waiter(in, log, 'a', waits);
        co_await turns(2);
        auto held = co_await number.lock();
        auto next = spawn_waiter(in, log, 'b', locks);
        co_await turns(2);
        *held = 1;
        std::thread unlocks([&] { held.unlock(); });
        while (!looked_at) co_await yield_now();
        stopped.request_stop();
        co_await turns(3);
        EXPECT_FALSE(stopped.ready());
        EXPECT_EQ(log, "") << "it is locked while a condition is looked at";
        go_on = true;
        EXPECT_EQ((co_await stopped).error(), errc::stopped);
        EXPECT_TRUE((co_await next).has_value());
        unlocks.join();
      };
      run(all());
      EXPECT_EQ(log, holds ? "ab" : "b");
    }
  }
}

TEST(guarded, goes_to_those_who_came_while_a_condition_was_looked_at_in_vain) {
  guarded<int> number(0);
  std::atomic<bool> looked_at{false}, go_on{false};
  std::string log;
  auto condition = [&](const int& n) {
    looked_at = true;
    while (!go_on) std::this_thread::yield();
    return n == 1;
  };
  std::thread other([&] { EXPECT_EQ(*sync_wait(number.wait_until(condition)), 1); });
  auto is_zero = [](const int& n) { return n == 0; };
  auto locks = [&] { return number.lock(); };
  auto waits = [&] { return number.wait_until(is_zero); };
  auto all = [&]() -> task<> {
    while (!looked_at) co_await yield_now();
    std::vector<join_handle<void>> waiters;
    waiters.push_back(spawn_waiter(style::task, log, 'a', locks));
    waiters.push_back(spawn_waiter(style::fiber, log, 'b', waits));
    waiters.push_back(spawn_waiter(style::fiber, log, 'c', locks));
    co_await turns(3);
    EXPECT_EQ(log, "");
    go_on = true;
    for (auto& each : waiters) EXPECT_TRUE((co_await each).has_value());
    *co_await number.lock() = 1;
  };
  run(all());
  other.join();
  EXPECT_EQ(log, "abc");
}

TEST(guarded, in_selects_on_two_threads_is_never_had_by_two_nor_lost) {
  guarded<int> both[] = {guarded<int>(0), guarded<int>(0)};
  const int times = support::slowly ? 1'000 : 2'500;
  auto strand = [&](int number) -> task<> {
    auto any = [](const int& n) { return n >= 0; };
    for (int i = 0; i < times; ++i) {
      const std::size_t first = static_cast<std::size_t>(number % 2);
      auto [one, other] = co_await select(both[first].lock(), both[1 - first].wait_until(any));
      EXPECT_NE(one.has_value(), other.has_value());
      ++(one ? **one : **other);
      if (i % 4 == 0) co_await yield_now();
    }
  };
  run_on_two_threads(2, strand);
  auto sum = [&]() -> task<int> { co_return *co_await both[0].lock() + *co_await both[1].lock(); };
  EXPECT_EQ(run(sum()), 4 * times);
}

TEST(guarded, is_changed_by_one_strand_of_two_runtimes_at_a_time) {
  guarded<int> number(0);
  destroyer<guarded<int>::access> elsewhere;
  auto strand = [&](int) -> task<> {
    for (int i = 0; i < 1'250; ++i) {
      auto held = co_await number.lock();
      ++*held;
      if (i % 3 == 0) co_await yield_now();
      if (i % 5 == 0) elsewhere.take(std::move(held));
    }
  };
  run_on_two_threads(4, strand);
  EXPECT_EQ(run([&]() -> task<int> { co_return *co_await number.lock(); }()), 10'000);
}

TEST(guarded, is_handed_round_by_conditions_between_two_runtimes) {
  constexpr int strands = 8, rounds = 10'000;
  guarded<int> turn(0);
  auto strand = [&](int own) -> task<> {
    auto is_own = [own](const int& n) { return n % strands == own; };
    for (int i = 0; i < rounds / strands; ++i) {
      const auto held = co_await turn.wait_until(is_own);
      EXPECT_EQ(*held / strands, i);
      ++*held;
    }
  };
  run_on_two_threads(strands / 2, strand);
  EXPECT_EQ(run([&]() -> task<int> { co_return *co_await turn.lock(); }()), rounds);
}

// Stops race the looks of another thread; whatever happens nothing is lost.
TEST(guarded, survives_stops_while_another_thread_looks_at_the_conditions) {
  const int rounds = support::slowly ? 2'000 : 10'000;
  guarded<int> number(0);
  std::atomic<bool> over{false};
  std::thread other([&] {
    while (!over) sync_wait([&]() -> task<> {
      for (int i = 0; i < 100; ++i) {
        ++*co_await number.lock();
        if (i % 10 == 0) co_await yield_now();
      }
    }());
  });
  int got = 0, stopped = 0;
  auto is_even = [](const int& n) { return n % 2 == 0; };
  auto waits = [&] { return number.wait_until(is_even); };
  auto all = [&]() -> task<> {
    for (int i = 0; i < rounds; ++i) {
      auto handle = spawn_waiter({}, style_of(i), waits, [&] { ++got; }, 0);
      co_await turns(i % 5);
      handle.request_stop();
      const auto ended = co_await handle;
      stopped += !ended.has_value();
    }
  };
  run(all());
  over = true;
  other.join();
  EXPECT_GE(got + stopped, rounds) << "who has got it while being stopped counts as both";
  EXPECT_TRUE(sync_wait(with_timeout(0s, number.lock())).has_value());
}

}  // namespace
