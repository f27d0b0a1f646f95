// scope::room(), which holds producers back.
#include <cordage/scope.hpp>

#include <chrono>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include <cordage/fiber.hpp>
#include <cordage/runtime.hpp>
#include <cordage/time.hpp>
#include <cordage/virtual_clock.hpp>

#include "counted.hpp"
#include "crowd.hpp"
#include "manual_operation.hpp"

namespace {

using namespace cordage;
using namespace std::chrono_literals;

constexpr auto for_ever = 24h;

TEST(room, is_there_at_once_without_a_limit_and_below_it) {
  auto unlimited = [](scope& children) {
    for (int i = 0; i < 10; ++i) {
      EXPECT_TRUE(children.room().ready());
      children.spawn(yield_now());
    }
  };
  run(with_scope(unlimited));
  auto limited = [](scope& children) -> task<> {
    for (int i = 0; i < 2; ++i) {
      EXPECT_TRUE(children.room().ready());
      co_await children.room();
      children.spawn(yield_now());
    }
    EXPECT_FALSE(children.room().ready());
  };
  run(with_scope(at_most(2), limited));
}

TEST(room, holds_a_producer_back_until_a_child_could_begin) {
  crowd in;
  auto as_task = [&](scope& children) -> task<> {
    for (int who = 0; who < 9; ++who) {
      co_await children.room();
      EXPECT_LT(in.inside, 3);
      children.spawn(task_child, std::ref(in), who);
      co_await yield_now();
      EXPECT_EQ(in.began.size(), static_cast<std::size_t>(who) + 1) << "it begins at once";
    }
  };
  run(with_scope(at_most(3), as_task));
  EXPECT_EQ(in.most, 3);
  in = {};
  auto as_fiber = [&](scope& children) {
    for (int who = 0; who < 9; ++who) {
      await(children.room());
      EXPECT_LT(in.inside, 3);
      children.spawn(fiber_child, std::ref(in), who);
      await(yield_now());
      EXPECT_EQ(in.began.size(), static_cast<std::size_t>(who) + 1) << "it begins at once";
    }
  };
  run(with_scope(at_most(3), as_fiber));
  EXPECT_EQ(in.most, 3);
}

// A scope with room for two and more producers, all of which ask for room when it is full.
struct producers {
  manual gates[2];
  std::string told;

  template <class F>
  void run_beside(F&& then) {
    auto body = [&](scope& outer) {
      await(with_scope(at_most(2), [&](scope& inner) {
        for (manual& gate : gates) inner.spawn([&gate] { (void)await(manual_operation(gate)); });
        await(yield_now());
        then(outer, inner);
      }));
    };
    run(with_scope(body));
  }
  void open(int which) { gates[which].complete(0); }
};

void take_turns(int n) {
  for (int i = 0; i < n; ++i) await(yield_now());
}

TEST(room, is_told_to_those_who_wait_in_their_order_as_it_comes) {
  producers p;
  p.run_beside([&](scope& outer, scope& inner) {
    manual stays;
    auto asks = [&](int who) -> task<> {
      co_await inner.room();
      p.told += std::to_string(who);
      inner.spawn([&] { (void)await(manual_operation(stays)); });
    };
    for (const int who : {1, 2, 3}) outer.spawn(asks, who);
    take_turns(5);
    EXPECT_EQ(p.told, "");
    p.open(0);
    take_turns(5);
    EXPECT_EQ(p.told, "1") << "one child has ended, and one may begin";
    stays.complete(0);
    take_turns(5);
    EXPECT_EQ(p.told, "12");
    stays.complete(0);
    take_turns(5);
    EXPECT_EQ(p.told, "123");
    stays.complete(0);
    p.open(1);
  });
}

TEST(room, that_is_not_used_goes_to_the_next) {
  producers p;
  p.run_beside([&](scope& outer, scope& inner) {
    auto asks_in_vain = [&](int who) {
      await(inner.room());
      p.told += std::to_string(who);
    };
    for (const int who : {1, 2, 3}) outer.spawn(asks_in_vain, who);
    take_turns(5);
    p.open(0);
    take_turns(10);
    EXPECT_EQ(p.told, "123") << "nobody has spawned anything";
    p.open(1);
  });
}

TEST(room, a_waiter_that_is_stopped_is_withdrawn) {
  producers p;
  p.run_beside([&](scope& outer, scope& inner) {
    auto asks = [&](int who) -> task<> {
      co_await inner.room();
      p.told += std::to_string(who);
    };
    auto first = outer.spawn(asks, 1);
    auto second = outer.spawn([&] { await(asks(2)); });
    outer.spawn(asks, 3);
    take_turns(5);
    first.request_stop();
    second.request_stop();
    EXPECT_EQ(await(first).error(), errc::stopped);
    EXPECT_EQ(await(second).error(), errc::stopped);
    p.open(0);
    take_turns(10);
    EXPECT_EQ(p.told, "3");
    p.open(1);
  });
}

TEST(room, nothing_is_lost_when_a_waiter_is_stopped_as_it_was_told) {
  producers p;
  p.run_beside([&](scope& outer, scope& inner) {
    auto asks = [&](int who) -> task<> {
      co_await inner.room();
      p.told += std::to_string(who);
      co_await yield_now();
      p.told += "!";
    };
    auto first = outer.spawn(asks, 1);
    outer.spawn(asks, 2);
    take_turns(5);
    // The one that ends is followed by the stop in the queue: the first waiter has been told when that arrives.
    p.open(0);
    await(yield_now());
    first.request_stop();
    EXPECT_EQ(await(first).error(), errc::stopped);
    take_turns(10);
    EXPECT_EQ(p.told, "12!") << "what was told is delivered, and the second hears of the room the first left";
    p.open(1);
  });
}

TEST(room, many_producers_with_random_stops_neither_hang_nor_exceed_the_limit) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  for (unsigned round = 0; round < 30; ++round) {
    std::mt19937 random(seed + round);
    virtual_clock clock;
    crowd in;
    const std::size_t limit = 1 + random() % 4;
    auto some_time = [&] { return sleep_for(std::chrono::nanoseconds(random() % 50)); };
    auto child = [&]() -> task<> {
      in.most = std::max(in.most, ++in.inside);
      at_exit leaving{[&] { in.leave(); }};
      co_await some_time();
    };
    auto produces = [&](scope& inner) -> task<> {
      for (int i = 0; i < 20; ++i) {
        co_await inner.room();
        if (random() % 4 == 0) continue;  // asked in vain
        auto handle = inner.spawn(child);
        if (random() % 4 == 0) co_await some_time();
        if (random() % 4 == 0) handle.request_stop();
      }
    };
    auto body = [&](scope& inner) -> task<> {
      auto producers = [&](scope& outer) -> task<> {
        for (int i = 0; i < 10; ++i) {
          auto one = outer.spawn(produces, std::ref(inner));
          co_await some_time();
          if (random() % 3 == 0) one.request_stop();
        }
      };
      co_await with_scope(producers);
    };
    run(with_scope(at_most(limit), body), {.clock = &clock});
    EXPECT_EQ(in.inside, 0);
    EXPECT_LE(in.most, static_cast<int>(limit));
  }
}

TEST(room, the_whole_scope_may_be_stopped_while_producers_wait) {
  crowd in;
  auto produces = [&](scope& children) -> task<> {
    for (;;) {
      co_await children.room();
      children.spawn(sleep_for(for_ever));
    }
  };
  runtime rt;
  auto whole = rt.spawn(with_scope(at_most(2), produces));
  auto stops = [&]() -> task<> {
    for (int i = 0; i < 5; ++i) co_await yield_now();
    whole.request_stop();
    EXPECT_EQ((co_await whole).error(), errc::stopped);
  };
  rt.run(stops());
}

}  // namespace
