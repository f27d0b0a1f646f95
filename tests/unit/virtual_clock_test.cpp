#include <cordage/virtual_clock.hpp>

#include <poll.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/fiber.hpp>
#include <cordage/promise.hpp>
#include <cordage/runtime.hpp>
#include <cordage/scope.hpp>
#include <cordage/tcp.hpp>
#include <cordage/time.hpp>

namespace {

using namespace cordage;
using namespace std::chrono_literals;
using std::chrono::steady_clock;

constexpr auto day = 24h;
constexpr auto year = 365 * day;

TEST(virtual_clock, moves_by_what_a_sleep_takes_and_not_otherwise) {
  virtual_clock clock;
  const auto began = clock.now();
  auto sleeps = [&]() -> task<> {
    EXPECT_EQ(now(), began);
    for (int i = 0; i < 10'000; ++i) co_await yield_now();
    EXPECT_EQ(now(), began) << "time stands still while there is something to do";
    co_await sleep_for(1ms);
    EXPECT_EQ(now(), began + 1ms);
    co_await sleep_for(1ns);
    EXPECT_EQ(now(), began + 1ms + 1ns);
    co_await sleep_until(began + 2h);
    EXPECT_EQ(clock.now(), began + 2h);
  };
  run(sleeps(), {.clock = &clock});
  EXPECT_EQ(clock.now(), began + 2h);
  auto in_a_fiber = [&] {
    await(sleep_for(3h));
    EXPECT_EQ(now(), began + 5h);
  };
  run(fiber{in_a_fiber}, {.clock = &clock});
  EXPECT_EQ(clock.now(), began + 5h) << "a clock keeps its time from one runtime to the next";
}

TEST(virtual_clock, begins_where_it_is_told) {
  const auto begins = steady_clock::time_point(7 * day);
  virtual_clock clock(begins);
  run(sleep_for(1h), {.clock = &clock});
  EXPECT_EQ(clock.now(), begins + 1h);
}

TEST(virtual_clock, ten_years_of_sleeps_pass_without_sleeping) {
  virtual_clock clock;
  const auto began = clock.now();
  auto every_day = [&]() -> task<> {
    while (now() - began < 10 * year) co_await sleep_for(day);
  };
  // A real sleep of any of these would end the test by its timeout.
  run(every_day(), {.clock = &clock});
  EXPECT_EQ(clock.now(), began + 10 * year);
}

TEST(virtual_clock, goes_from_timer_to_timer_in_the_order_of_deadlines_and_of_their_starts) {
  virtual_clock clock;
  const auto began = clock.now();
  std::string log;
  auto sleeper = [&](std::chrono::nanoseconds duration, char name) -> task<> {
    co_await sleep_for(duration);
    EXPECT_EQ(now(), began + duration);
    log += name;
  };
  auto all = [&]() -> task<> {
    spawn(sleeper, 3h, 'f');
    spawn(sleeper, 100ns, 'c');
    spawn(sleeper, 30min, 'e');
    spawn(sleeper, 99ns, 'a');
    spawn(sleeper, 101ns, 'd');
    spawn(sleeper, 99ns, 'b');
    co_return;
  };
  run(all(), {.clock = &clock});
  EXPECT_EQ(log, "abcdef");
}

// What a program with both styles, children, random sleeps and stops did, and when.
std::string trace_of(unsigned seed) {
  virtual_clock clock;
  std::mt19937 random(seed);
  std::string log;
  const auto note = [&](int who) {
    log += std::to_string(who) + "@" + std::to_string(now().time_since_epoch().count()) + " ";
  };
  auto as_task = [&](int who) -> task<> {
    for (int i = 0; i < 5; ++i) {
      co_await sleep_for(std::chrono::nanoseconds(random() % 1'000'000));
      note(who);
    }
  };
  auto as_fiber = [&](int who) {
    for (int i = 0; i < 5; ++i) {
      await(sleep_for(std::chrono::microseconds(random() % 1000)));
      note(who);
    }
  };
  auto children = [&](scope& all) -> task<> {
    for (int who = 0; who < 20; ++who) {
      auto one = all.spawn(as_task, who);
      auto other = all.spawn(as_fiber, 100 + who);
      co_await sleep_for(std::chrono::nanoseconds(random() % 100'000));
      if (who % 3 == 0) one.request_stop();
    }
  };
  run(with_scope(children), {.clock = &clock});
  return log;
}

TEST(virtual_clock, a_program_takes_the_same_course_each_time) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  const std::string first = trace_of(seed);
  EXPECT_FALSE(first.empty());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(trace_of(seed), first);
}

TEST(virtual_clock, waits_for_other_threads_where_no_timer_is_left) {
  virtual_clock clock;
  promise<int> asked;
  future<int> answer = asked.get_future();
  std::thread provider;
  auto waits = [&]() -> task<> {
    co_await sleep_for(1h);
    provider = std::thread([&] { asked.set_value(42); });
    EXPECT_EQ(co_await answer, 42);
  };
  run(waits(), {.clock = &clock});
  provider.join();
  EXPECT_EQ(clock.now().time_since_epoch(), 1h);
}

TEST(virtual_clock, sleeping_until_the_end_of_time_is_no_reason_to_go_there) {
  virtual_clock clock;
  promise<> asked;
  future<> answer = asked.get_future();
  std::thread provider;
  auto waits = [&](scope& children) -> task<> {
    children.spawn(sleep_for(std::chrono::nanoseconds::max()));
    co_await sleep_for(1h);
    provider = std::thread([&] { asked.set_value(); });
    (void)co_await answer;
    children.request_stop();
  };
  run(with_scope(waits), {.clock = &clock});
  provider.join();
  EXPECT_EQ(clock.now().time_since_epoch(), 1h);
}

TEST(virtual_clock, does_not_pass_by_what_the_backend_has) {
  virtual_clock clock;
  auto program = [&](scope& children) -> task<> {
    auto bound = tcp::listener::bind(*endpoint::parse("127.0.0.1:0"));
    tcp::listener listener = std::move(bound).value();
    tcp::stream near = co_await !tcp::connect(listener.local());
    tcp::stream far = co_await !listener.accept();
    auto reads = [&]() -> task<> {
      std::array<std::byte, 1> into{};
      EXPECT_EQ(co_await !near.read_some(into), 1U);
      EXPECT_EQ(now().time_since_epoch(), 0s) << "what has arrived comes before time passes";
    };
    auto reader = children.spawn(reads);
    co_await yield_now();  // it waits
    const std::array<std::byte, 1> one{};
    co_await !far.write_all(one);
    pollfd arrived{.fd = near.its_descriptor()->fd.get(), .events = POLLIN, .revents = 0};
    EXPECT_EQ(::poll(&arrived, 1, -1), 1);
    co_await sleep_for(year);
    EXPECT_TRUE((co_await reader).has_value());
  };
  run(with_scope(program), {.clock = &clock});
  EXPECT_EQ(clock.now().time_since_epoch(), year);
}

TEST(virtual_clock, a_busy_worker_looks_for_events_although_time_stands_still) {
  virtual_clock clock;
  bool accepted = false;
  auto bound = tcp::listener::bind(*endpoint::parse("127.0.0.1:0"));
  tcp::listener listener = std::move(bound).value();
  auto accepts = [&]() -> task<> {
    const tcp::stream peer = co_await !listener.accept();
    accepted = true;
  };
  auto keeps_busy = [&]() -> task<> {
    co_await yield_now();
    std::thread elsewhere([&] { const tcp::stream made = run(!tcp::connect(listener.local())); });
    while (!accepted) co_await yield_now();
    elsewhere.join();
  };
  runtime rt({.clock = &clock});
  rt.spawn(accepts);
  rt.run(keeps_busy());
  EXPECT_EQ(clock.now().time_since_epoch(), 0s);
}

TEST(virtual_clock, a_strand_that_is_stopped_does_not_move_it) {
  virtual_clock clock;
  runtime rt({.clock = &clock});
  auto sleeping = rt.spawn(sleep_for(year));
  auto stops = [&]() -> task<> {
    co_await sleep_for(1s);
    sleeping.request_stop();
    EXPECT_EQ((co_await sleeping).error(), errc::stopped);
  };
  rt.run(stops());
  EXPECT_EQ(clock.now().time_since_epoch(), 1s);
}

TEST(now, is_the_steady_clock_where_nothing_replaces_it) {
  const auto before = steady_clock::now();
  EXPECT_GE(now(), before);
  auto in_a_runtime = [&]() -> task<> {
    EXPECT_GE(now(), before);
    co_return;
  };
  run(in_a_runtime());
}

// --- A million -------------------------------------------------------------------------------------------------------

struct counted_timer : resumable {
  detail::timer timer;
  struct tally* told = nullptr;
};

struct tally {
  std::size_t fired = 0;
  std::size_t early = 0;
  std::size_t out_of_order = 0;
  detail::time_point last{};
};

void count_firing(resumable& node) {
  auto& fired = static_cast<counted_timer&>(node);
  tally& told = *fired.told;
  ++told.fired;
  told.early += now() < fired.timer.deadline;
  told.out_of_order += fired.timer.deadline < told.last;
  told.last = fired.timer.deadline;
  fired.told = nullptr;
}

TEST(timers, a_million_of_which_half_are_cancelled_fire_in_order_and_never_early) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  constexpr std::size_t count = 1'000'000;
  std::vector<counted_timer> timers(count);
  std::size_t cancelled = 0;
  tally told;
  virtual_clock clock;
  auto start_all = [&]() -> task<> {
    executor& here = *executor::running();
    for (counted_timer& each : timers) {
      each.run = count_firing;
      each.home = &here;
      each.told = &told;
      each.timer.waiter = &each;
      // From a moment to weeks, as many near as far.
      const auto magnitude = random() % 50;
      each.timer.deadline = here.time().now() + std::chrono::nanoseconds(1 + (random() >> (63 - magnitude)));
      here.time().start(each.timer);
    }
    for (counted_timer& each : timers) {
      if (random() % 2 == 0) continue;
      EXPECT_TRUE(here.time().cancel(each.timer));
      each.told = nullptr;
      ++cancelled;
    }
    co_await sleep_for(year);
  };
  run(start_all(), {.clock = &clock});
  EXPECT_EQ(told.fired, count - cancelled);
  EXPECT_EQ(told.early, 0U);
  EXPECT_EQ(told.out_of_order, 0U);
  EXPECT_TRUE(std::ranges::all_of(timers, [](const counted_timer& each) { return each.told == nullptr; }));
}

}  // namespace
