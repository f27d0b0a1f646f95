#include <cordage/strand_local.hpp>

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/fiber.hpp>
#include <cordage/runtime.hpp>
#include <cordage/scope.hpp>
#include <cordage/stop.hpp>
#include <cordage/time.hpp>
#include <cordage/when.hpp>

#include "counted.hpp"
#include "counted_allocations.hpp"

namespace {

using namespace cordage;
using namespace std::chrono_literals;

strand_local<std::string> request{"none"};
strand_local<int> number;

task<std::string> asked_in_a_task() {
  co_await yield_now();
  co_return co_await request.get();
}
std::string asked_on_a_fiber() {
  await(yield_now());
  return await(request.get());
}

TEST(strand_local, is_what_it_began_as_until_it_is_set) {
  run([]() -> task<> {
    EXPECT_EQ(co_await request.get(), "none");
    EXPECT_EQ(co_await number.get(), 0);
    co_await request.set("a");
    co_await number.set(7);
    co_await request.set("b");
    EXPECT_EQ(co_await request.get(), "b");
    EXPECT_EQ(co_await number.get(), 7);
  }());
  run(fiber{[] {
    EXPECT_EQ(await(request.get()), "none");
    await(request.set("a"));
    EXPECT_EQ(await(request.get()), "a");
  }});
}

TEST(strand_local, follows_the_strand_through_tasks_and_fibers) {
  run([]() -> task<> {
    co_await request.set("mine");
    EXPECT_EQ(co_await asked_in_a_task(), "mine");
    EXPECT_EQ(co_await fiber{asked_on_a_fiber}, "mine");
    auto sets = []() -> task<> { co_await request.set("set below"); };
    co_await sets();
    EXPECT_EQ(co_await request.get(), "set below");
  }());
}

TEST(strand_local, is_inherited_by_what_is_spawned_as_it_is_at_that_moment) {
  run([]() -> task<> {
    co_await request.set("first");
    auto a_task = spawn(asked_in_a_task);
    auto a_fiber = spawn(asked_on_a_fiber);
    co_await request.set("second");
    auto later = spawn(asked_in_a_task);
    EXPECT_EQ(co_await !a_task, "first");
    EXPECT_EQ(co_await !a_fiber, "first");
    EXPECT_EQ(co_await !later, "second");
    auto from_scope = [&](scope& children) -> task<> {
      auto child = children.spawn(asked_on_a_fiber);
      EXPECT_EQ(co_await !child, "second");
    };
    co_await with_scope(from_scope);
  }());
  run(fiber{[] {
    await(request.set("of a fiber"));
    auto child = spawn(asked_in_a_task);
    EXPECT_EQ(await(!child), "of a fiber");
  }});
}

TEST(strand_local, what_a_child_sets_is_its_own) {
  run([]() -> task<> {
    co_await request.set("parent");
    auto child = [](std::string id) -> task<std::string> {
      EXPECT_EQ(co_await request.get(), "parent");
      co_await request.set(id);
      co_await yield_now();
      co_return co_await request.get();
    };
    auto on_a_fiber = [] {
      EXPECT_EQ(await(request.get()), "parent");
      await(request.set("c"));
      await(yield_now());
      return await(request.get());
    };
    const auto [a, b, c] = co_await when_all(child("a"), child("b"), fiber{on_a_fiber});
    EXPECT_EQ(a + b + c, "abc");
    EXPECT_EQ(co_await request.get(), "parent");
    const auto limited = co_await with_timeout(1h, child("d"));
    EXPECT_EQ(*limited, "d");
    EXPECT_EQ(co_await request.get(), "parent");
  }());
}

TEST(strand_local, of_the_strand_that_runs_is_inherited_whoever_ran_in_between) {
  run([]() -> task<> {
    std::vector<join_handle<std::string>> grandchildren;
    auto child = [&](int id) -> task<> {
      co_await request.set(std::to_string(id));
      for (int i = 0; i < 3; ++i) co_await yield_now();
      const auto both = co_await when_all(yield_now(), asked_in_a_task());
      EXPECT_EQ(std::get<1>(both), std::to_string(id));
      grandchildren.push_back(spawn(asked_in_a_task));
    };
    auto children = [&](scope& all) -> task<> {
      for (int id = 0; id < 10; ++id) all.spawn(child, id);
      co_return;
    };
    co_await with_scope(children);
    std::string order;
    for (auto& each : grandchildren) order += co_await !each;
    EXPECT_EQ(order, "0123456789");
  }());
}

TEST(strand_local, is_there_in_a_cleanup_and_its_values_are_destroyed_once) {
  static strand_local<counted> value;
  const int before = counted::alive;
  run([]() -> task<> {
    co_await value.set(counted(5));
    auto sleeps = [&]() -> task<> { co_await stopped(); };
    auto cleanup = [&]() -> task<> {
      const counted& kept = co_await value.get();
      EXPECT_EQ(kept.value, 5);
    };
    auto both = [&]() -> task<> { co_await finally(sleeps, cleanup); };
    auto child = spawn(both);
    co_await yield_now();
    child.request_stop();
    (void)co_await child;
    for (int i = 0; i < 100; ++i) co_await value.set(counted(i));
  }());
  EXPECT_EQ(counted::alive, before);
}

TEST(strand_local, costs_a_strand_that_has_none_no_memory) {
  if (config::sanitized) GTEST_SKIP() << "under a sanitizer frames are really allocated";
  run([]() -> task<> {
    auto nothing = []() -> task<> { co_return; };
    for (int i = 0; i < 10; ++i) (void)co_await spawn(nothing);
    const auto before = counted_allocations::made;
    for (int i = 0; i < 1000; ++i) (void)co_await spawn(nothing);
    EXPECT_EQ(counted_allocations::made - before, 0U);
  }());
}

}  // namespace
