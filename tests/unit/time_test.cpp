#include <cordage/time.hpp>
#include <cordage/virtual_clock.hpp>

#include <algorithm>
#include <chrono>
#include <deque>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/runtime.hpp>
#include <cordage/runtime/timer_wheel.hpp>

namespace {

using namespace cordage;
using namespace std::chrono_literals;
using detail::time_point;

constexpr std::chrono::nanoseconds tick{1 << 16};

// Collects what a wheel wakes, without running it.
class collector final : public executor {
 public:
  void schedule(resumable& node) noexcept override { woken.push_back(&node); }
  void post(resumable& node) noexcept override { schedule(node); }
  detail::clock& time() noexcept override { return wheel; }

  std::vector<resumable*> woken;
  detail::timer_wheel wheel;
};

struct waiting : resumable {
  detail::timer timer;
  bool is_started = false;
};

// Against a model: random starts, cancels and steps of time, small and huge.
TEST(timer_wheel, fires_every_timer_once_never_early_and_at_most_a_tick_late) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  collector at;
  time_point now = at.wheel.now();
  std::deque<waiting> nodes(500);
  for (auto& node : nodes) node.home = &at, node.timer.waiter = &node;
  const auto some_duration = [&] {
    const auto magnitude = random() % 50;  // up to two weeks
    return std::chrono::nanoseconds(random() >> (63 - magnitude));
  };
  for (int step = 0; step < 20'000; ++step) {
    waiting& node = nodes[random() % nodes.size()];
    if (!node.is_started) {
      node.timer.deadline = now + some_duration();
      at.wheel.start(node.timer);
      node.is_started = true;
    } else if (random() % 3 == 0) {
      EXPECT_TRUE(at.wheel.cancel(node.timer));
      EXPECT_FALSE(at.wheel.cancel(node.timer));
      node.is_started = false;
    }
    if (random() % 2 != 0) continue;
    time_point earliest = time_point::max();
    for (const auto& each : nodes)
      if (each.is_started) earliest = std::min(earliest, each.timer.deadline);
    EXPECT_LE(at.wheel.next(), earliest == time_point::max() ? earliest : earliest + 2 * tick);
    // Half of the steps go just to where something happens.
    now = random() % 2 == 0 || at.wheel.next() == time_point::max() ? now + some_duration() : std::max(now, at.wheel.next());
    at.wheel.advance(now);
    for (resumable* const woken : std::exchange(at.woken, {})) {
      auto& fired = static_cast<waiting&>(*woken);
      ASSERT_TRUE(fired.is_started);
      ASSERT_LE(fired.timer.deadline, now);
      fired.is_started = false;
    }
    for (const auto& each : nodes)
      if (each.is_started) {
        ASSERT_GT(each.timer.deadline + 2 * tick, now);
      }
  }
}

TEST(timer_wheel, fires_in_the_order_of_deadlines_a_tick_apart) {
  collector at;
  const time_point now = at.wheel.now();
  std::vector<waiting> nodes(1000);
  std::vector<std::size_t> order(nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i) order[i] = i;
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::shuffle(order.begin(), order.end(), std::mt19937(seed));
  for (const std::size_t i : order) {
    nodes[i].home = &at;
    nodes[i].timer.waiter = &nodes[i];
    nodes[i].timer.deadline = now + 1ms + static_cast<long>(i) * 3 * tick;
    at.wheel.start(nodes[i].timer);
  }
  at.wheel.advance(now + 1h);
  ASSERT_EQ(at.woken.size(), nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i) EXPECT_EQ(at.woken[i], &nodes[i]);
}

TEST(timer_wheel, without_timers_has_nothing_to_do_for_ever) {
  collector at;
  EXPECT_EQ(at.wheel.next(), time_point::max());
  waiting node;
  node.home = &at;
  node.timer.deadline = at.wheel.now() + 1h;
  at.wheel.start(node.timer);
  EXPECT_LE(at.wheel.next(), node.timer.deadline + tick);
  at.wheel.cancel(node.timer);
  EXPECT_EQ(at.wheel.next(), time_point::max()) << "a cancelled timer must not wake the worker";
}

TEST(timer_wheel, takes_the_end_of_time) {
  collector at;
  waiting node;
  node.home = &at;
  node.timer.waiter = &node;
  node.timer.deadline = time_point::max();
  at.wheel.start(node.timer);
  at.wheel.advance(at.wheel.now() + 1000h);
  EXPECT_TRUE(at.woken.empty());
  EXPECT_TRUE(at.wheel.cancel(node.timer));
}

TEST(sleep_for, never_ends_early) {
  run([]() -> task<> {
    for (const auto duration : {1us, 50us, 100us, 1000us, 2500us}) {
      const auto before = std::chrono::steady_clock::now();
      co_await sleep_for(duration);
      EXPECT_GE(std::chrono::steady_clock::now() - before, duration);
    }
  }());
  run(fiber{[] {
    const auto before = std::chrono::steady_clock::now();
    await(sleep_until(before + 2ms));
    EXPECT_GE(std::chrono::steady_clock::now(), before + 2ms);
  }});
}

TEST(sleep_for, of_nothing_or_less_and_until_the_past_completes_at_once) {
  run([]() -> task<> {
    co_await sleep_for(0s);
    co_await sleep_for(-1h);
    co_await sleep_for(std::chrono::nanoseconds::min());
    co_await sleep_until(std::chrono::steady_clock::time_point::min());
  }());
}

TEST(sleep_for, wakes_sleepers_in_the_order_of_their_deadlines) {
  std::string log;
  virtual_clock clock;  // whoever began late would not have to wait
  const auto sleeper = [&](int n) -> task<> {
    co_await sleep_for(n * 1ms);
    log += std::to_string(n);
  };
  auto all_sleep = [&]() -> task<> {
    for (const int n : {5, 1, 4, 2, 3}) spawn(sleeper, n);
    co_return;
  };
  run(all_sleep(), {.clock = &clock});
  EXPECT_EQ(log, "12345");
}

TEST(sleep_for, for_ever_can_be_stopped) {
  runtime rt;
  auto handle = rt.spawn([] { await(sleep_for(std::chrono::nanoseconds::max())); });
  auto stopper = [&]() -> task<> {
    co_await yield_now();
    handle.request_stop();
    EXPECT_EQ((co_await handle).error(), errc::stopped);
  };
  rt.run(stopper());
}

TEST(sleep_for, many_thousands_at_once) {
  int woken = 0;
  run([&]() -> task<> {
    for (int i = 0; i < 20'000; ++i)
      spawn([&](int n) -> task<> {
        co_await sleep_for(n * 1us);
        ++woken;
      }, i % 5000);
    co_return;
  }());
  EXPECT_EQ(woken, 20'000);
}

}  // namespace
