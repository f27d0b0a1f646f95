// Scopes with a max_concurrency; room_test.cpp is about room().
#include <cordage/sync/admission.hpp>

#include <algorithm>
#include <chrono>
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
#include "crowd.hpp"
#include "manual_operation.hpp"

namespace {

using namespace cordage;
using namespace std::chrono_literals;

constexpr auto for_ever = 24h;

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

}  // namespace
