// Scopes with a max_concurrency.
#include <cordage/sync/admission.hpp>

#include <algorithm>
#include <chrono>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/fiber.hpp>
#include <cordage/runtime.hpp>
#include <cordage/scope.hpp>
#include <cordage/time.hpp>
#include <cordage/virtual_clock.hpp>

#include "counted.hpp"
#include "manual_operation.hpp"

namespace {

using namespace cordage;
using namespace std::chrono_literals;

constexpr auto for_ever = 24h;

constexpr scope_options at_most(std::size_t n) { return {.max_concurrency = n}; }

// Counts the children that run, and notes in which order they began.
struct crowd {
  int inside = 0;
  int most = 0;
  int ended = 0;
  std::string began;

  void enter(int who) {
    most = std::max(most, ++inside);
    began += std::to_string(who);
  }
  void leave() {
    --inside;
    ++ended;
  }
};

// Children of both styles, which take some turns.
task<> task_child(crowd& in, int who) {
  in.enter(who);
  at_exit leaving{[&] { in.leave(); }};
  for (int i = 0; i < 4; ++i) co_await yield_now();
}
void fiber_child(crowd& in, int who) {
  in.enter(who);
  at_exit leaving{[&] { in.leave(); }};
  for (int i = 0; i < 5; ++i) await(yield_now());
}

// Runs it as a task and as a fiber, with a virtual clock; f is called with a scope& and says await.
template <class F>
void in_a_scope_of(std::size_t n, F f) {
  virtual_clock clock;
  auto on_a_fiber = [&] { await(with_scope(at_most(n), f)); };
  run(fiber{on_a_fiber}, {.clock = &clock});
  auto in_a_task = [&]() -> task<> { co_await with_scope(at_most(n), f); };
  run(in_a_task(), {.clock = &clock});
}

TEST(max_concurrency, of_0_is_refused) {
  auto nothing = [](scope&) {};
  try {
    (void)with_scope(at_most(0), nothing);
    FAIL();
  } catch (const std::invalid_argument& e) {
    EXPECT_NE(std::string(e.what()).find("max_concurrency is 0"), std::string::npos);
  }
}

TEST(max_concurrency, lets_that_many_children_run_and_the_rest_begin_in_their_order) {
  for (const int limit : {1, 2, 5, 100}) {
    in_a_scope_of(static_cast<std::size_t>(limit), [&](scope& children) {
      crowd in;
      auto spawns = [&](scope& inner) {
        for (int who = 0; who < 10; ++who) {
          if (who % 2 == 0) inner.spawn(task_child, std::ref(in), who);
          else inner.spawn(fiber_child, std::ref(in), who);
        }
      };
      await(with_scope(at_most(static_cast<std::size_t>(limit)), spawns));
      EXPECT_EQ(in.began, "0123456789");
      EXPECT_EQ(in.most, std::min(limit, 10));
      EXPECT_EQ(in.ended, 10);
      (void)children;
    });
  }
}

TEST(max_concurrency, does_not_count_the_function) {
  crowd in;
  auto body = [&](scope& children) -> task<int> {
    auto handle = children.spawn(task_child, std::ref(in), 1);
    const auto joined = co_await handle;  // with the function counted this would wait for ever
    EXPECT_TRUE(joined.has_value());
    co_return 7;
  };
  EXPECT_EQ(run(with_scope(at_most(1), body)), 7);
}

TEST(max_concurrency, gives_handles_that_join_children_which_wait_to_begin) {
  auto value = [](int v) -> task<int> {
    co_await yield_now();
    co_return v;
  };
  auto fiber_value = [](int v) {
    await(yield_now());
    return v;
  };
  auto body = [&](scope& children) -> task<> {
    auto first = children.spawn(value, 1);
    auto second = children.spawn(fiber_value, 2);
    auto third = children.spawn(value, 3);
    EXPECT_EQ(co_await third, 3);
    EXPECT_EQ(co_await second, 2);
    EXPECT_EQ(co_await first, 1);
  };
  run(with_scope(at_most(1), body));
  in_a_scope_of(1, [&](scope& children) {
    auto first = children.spawn(value, 1);
    auto second = children.spawn(fiber_value, 2);
    EXPECT_EQ(await(second), 2);
    EXPECT_EQ(await(first), 1);
  });
}

TEST(max_concurrency, a_child_that_is_stopped_while_it_waits_to_begin_ends_at_once_and_never_begins) {
  for (const bool as_fiber : {false, true}) {
    in_a_scope_of(1, [&](scope& children) {
      manual gate;
      bool began = false;
      auto holds = children.spawn([&] { (void)await(manual_operation(gate)); });
      auto waits = as_fiber ? children.spawn([&] { began = true; })
                            : children.spawn([&]() -> task<> {
                                began = true;
                                co_return;
                              });
      crowd in;
      children.spawn(task_child, std::ref(in), 3);
      await(yield_now());
      EXPECT_TRUE(waits.request_stop());
      EXPECT_FALSE(waits.request_stop());
      EXPECT_EQ(await(waits).error(), errc::stopped) << "although there is no room";
      EXPECT_FALSE(began);
      EXPECT_EQ(in.began, "") << "its end makes no room";
      gate.complete(0);
      EXPECT_TRUE(await(holds).has_value());
      while (in.ended == 0) await(yield_now());
    });
  }
}

TEST(max_concurrency, destroys_what_a_child_keeps_that_never_begins) {
  counted::alive = 0;
  auto body = [](scope& children) {
    children.spawn(sleep_for(for_ever));
    for (int i = 0; i < 3; ++i) {
      children.spawn([](counted) {}, counted(i));
      children.spawn([](counted) -> task<> { co_return; }, counted(i));
    }
    EXPECT_EQ(counted::alive, 6);
    await(yield_now());
    children.request_stop();
  };
  run(with_scope(at_most(1), body));
  EXPECT_EQ(counted::alive, 0);
}

TEST(max_concurrency, a_failure_ends_those_that_wait_to_begin_before_they_begin) {
  for (const std::size_t limit : {1, 2}) {
    crowd in;
    std::vector<std::string> joined;
    auto body = [&](scope& children) -> task<> {
      children.spawn([] { throw std::runtime_error("child"); });
      if (limit == 2) children.spawn(sleep_for(for_ever));
      for (int who = 0; who < 5; ++who) {
        children.spawn(task_child, std::ref(in), who);  // the handle is dropped
        children.spawn(fiber_child, std::ref(in), who);
      }
      co_await sleep_for(for_ever);
    };
    EXPECT_THROW(run(with_scope(at_most(limit), body)), std::runtime_error);
    EXPECT_EQ(in.began, "");
  }
}

TEST(max_concurrency, request_stop_ends_those_that_wait_to_begin_as_stopped) {
  in_a_scope_of(2, [&](scope& outer) {
    crowd in;
    std::vector<join_handle<void>> handles;
    auto body = [&](scope& children) {
      children.spawn(sleep_for(for_ever));
      children.spawn(sleep_for(for_ever));
      for (int who = 0; who < 5; ++who) {
        handles.push_back(children.spawn(task_child, std::ref(in), who));
        handles.push_back(children.spawn(fiber_child, std::ref(in), who));
      }
      await(yield_now());
      children.request_stop();
      await(sleep_for(for_ever));
    };
    auto stopped = outer.spawn([&] { await(with_scope(at_most(2), body)); });
    EXPECT_EQ(await(stopped).error(), errc::stopped);
    EXPECT_EQ(in.began, "");
    for (auto& handle : handles) EXPECT_EQ(await(handle).error(), errc::stopped);
  });
}

TEST(max_concurrency, children_spawned_while_the_scope_stops_never_begin) {
  crowd in;
  auto body = [&](scope& children) {
    children.spawn(sleep_for(for_ever));
    children.spawn(task_child, std::ref(in), 1);
    children.request_stop();
    auto late = children.spawn(task_child, std::ref(in), 2);
    children.spawn(fiber_child, std::ref(in), 3);
  };
  run(with_scope(at_most(1), body));
  EXPECT_EQ(in.began, "");
}

TEST(max_concurrency, isolated_children_count) {
  std::string told;
  crowd in;
  auto body = [&](scope& children) -> task<> {
    auto tell = [&](const failure& f) { told += "[" + f.message() + "]"; };
    for (int who = 0; who < 4; ++who) {
      children.spawn_isolated(tell, [&, who] {
        fiber_child(in, who);
        if (who % 2 == 0) throw std::runtime_error(std::to_string(who));
      });
    }
    co_return;
  };
  run(with_scope(at_most(1), body));
  EXPECT_EQ(in.began, "0123");
  EXPECT_EQ(in.most, 1);
  EXPECT_EQ(told, "[0][2]");
}

TEST(max_concurrency, children_of_children_wait_their_turn_without_a_deadlock) {
  std::string log;
  auto body = [&](scope& children) -> task<> {
    children.spawn([&] {
      log += "a";
      children.spawn([&]() -> task<> {
        log += "b";
        children.spawn([&] { log += "c"; });
        co_await yield_now();
        log += "B";
      });
      await(yield_now());
      log += "A";
    });
    co_return;
  };
  run(with_scope(at_most(1), body));
  EXPECT_EQ(log, "aAbBc");
}

TEST(max_concurrency, lets_a_hundred_thousand_children_through) {
  crowd in;
  auto child = [&]() -> task<> {
    in.most = std::max(in.most, ++in.inside);
    co_await yield_now();
    in.leave();
  };
  auto body = [&](scope& children) -> task<> {
    for (int i = 0; i < 100'000; ++i) children.spawn(child);
    co_return;
  };
  run(with_scope(at_most(10), body));
  EXPECT_EQ(in.most, 10);
  EXPECT_EQ(in.ended, 100'000);
  auto held_back = [&](scope& children) -> task<> {
    for (int i = 0; i < 100'000; ++i) {
      co_await children.room();
      children.spawn(child);
    }
  };
  run(with_scope(at_most(10), held_back));
  EXPECT_EQ(in.most, 10);
  EXPECT_EQ(in.ended, 200'000);
}

// --- room ------------------------------------------------------------------------------------------------------------

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
