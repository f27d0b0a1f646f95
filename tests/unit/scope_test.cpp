#include <cordage/scope.hpp>

#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

#include <cordage/runtime.hpp>
#include <cordage/time.hpp>

#include "counted.hpp"

namespace {

using namespace cordage;
using namespace std::chrono_literals;

constexpr auto for_ever = 24h;

task<int> child_task(std::string& log, int turns, int value) {
  for (int i = 0; i < turns; ++i) co_await yield_now();
  log += std::to_string(value);
  co_return value;
}
struct counter {
  task<int> add(int by) { co_return total += by; }
  int total = 40;
};
int child_fiber(std::string& log, int turns, int value) {
  for (int i = 0; i < turns; ++i) await(yield_now());
  log += std::to_string(value);
  return value;
}

TEST(with_scope, starts_member_functions) {
  counter of;
  EXPECT_EQ(run(with_scope([&](scope& children) -> task<int> { co_return co_await !children.spawn(&counter::add, &of, 2); })), 42);
}

TEST(with_scope, completes_when_the_function_and_all_children_have_ended) {
  std::string log;
  run([&]() -> task<> {
    const int value = co_await with_scope([&](scope& children) -> task<int> {
      children.spawn(child_task, std::ref(log), 3, 1);
      children.spawn(child_fiber, std::ref(log), 2, 2);
      log += "f";
      co_return 9;
    });
    EXPECT_EQ(value, 9);
    log += ".";
  }());
  EXPECT_EQ(log, "f21.");
  log.clear();
  run(fiber{[&] {
    const int value = await(with_scope([&](scope& children) {
      children.spawn(child_task, std::ref(log), 3, 1);
      children.spawn(child_fiber, std::ref(log), 2, 2);
      log += "f";
      return 9;
    }));
    EXPECT_EQ(value, 9);
    log += ".";
  }});
  EXPECT_EQ(log, "f21.");
}

TEST(with_scope, gives_handles_that_join_children) {
  std::string log;
  run([&]() -> task<> {
    co_await with_scope([&](scope& children) -> task<> {
      auto first = children.spawn(child_task, std::ref(log), 3, 1);
      auto second = children.spawn(child_fiber, std::ref(log), 1, 2);
      EXPECT_EQ(co_await first, 1);
      EXPECT_EQ(co_await second, 2);
    });
  }());
}

TEST(with_scope, spawns_operations_tasks_and_children_of_children) {
  std::string log;
  run([&]() -> task<> {
    co_await with_scope([&](scope& children) -> task<> {
      children.spawn(sleep_for(1ms));
      children.spawn(child_task(log, 1, 1));
      children.spawn([&] { children.spawn([&] { children.spawn(child_fiber, std::ref(log), 1, 2); }); });
      co_return;
    });
    EXPECT_EQ(log, "12");
  }());
}

TEST(with_scope, keeps_what_a_coroutine_lambda_captures_as_long_as_the_child) {
  counted::alive = 0;
  run([&]() -> task<> {
    co_await with_scope([&](scope& children) -> task<> {
      auto capturing = [value = counted(5)]() -> task<int> {
        co_await yield_now();
        co_return value.value;
      };
      auto handle = children.spawn(capturing);
      EXPECT_EQ(co_await handle, 5);
    });
  }());
  EXPECT_EQ(counted::alive, 0);
}

// How a scope ends in which one child fails beside one that would wait for ever.
template <class Failing>
std::string scope_with(Failing failing, bool in_fiber) {
  std::string ended;
  auto waits = [&]() -> task<> {
    at_exit note{[&] { ended += "[sibling ended]"; }};
    co_await sleep_for(for_ever);
  };
  const auto describe = [&](auto&& wait) {
    try {
      wait();
      ended += "value";
    } catch (const std::system_error& e) {
      ended += e.code().message();
    } catch (const std::exception& e) {
      ended += e.what();
    }
  };
  auto as_task = [&](scope& children) -> task<> {
    children.spawn(waits);
    failing(children);
    co_await sleep_for(for_ever);
  };
  auto as_fiber = [&](scope& children) {
    children.spawn(waits);
    failing(children);
    await(sleep_for(for_ever));
  };
  if (in_fiber) {
    run(fiber{[&] { describe([&] { await(with_scope(as_fiber)); }); }});
  } else {
    describe([&] { run(with_scope(as_task)); });
  }
  return ended;
}

TEST(with_scope, an_exception_of_a_child_stops_the_rest_and_is_thrown) {
  for (const bool in_fiber : {false, true}) {
    EXPECT_EQ(scope_with([](scope& c) { c.spawn([] { throw std::runtime_error("child"); }); }, in_fiber),
              "[sibling ended]child");
  }
}

TEST(with_scope, an_error_of_a_child_without_a_handle_stops_the_rest) {
  for (const bool in_fiber : {false, true}) {
    EXPECT_EQ(scope_with([](scope& c) { c.spawn([]() -> result<> { return detail::fail(errc::closed); }); }, in_fiber),
              "[sibling ended]closed");
    EXPECT_EQ(scope_with([](scope& c) { c.spawn([]() -> async<> { co_return detail::fail(errc::closed); }); }, in_fiber),
              "[sibling ended]closed");
  }
}

TEST(with_scope, an_error_of_a_child_whose_handle_lives_is_the_handles_affair) {
  run([]() -> task<> {
    co_await with_scope([](scope& children) -> task<> {
      auto handle = children.spawn([]() -> async<> { co_return detail::fail(errc::closed); });
      EXPECT_EQ((co_await handle).error(), errc::closed);
      co_await yield_now();
    });
  }());
}

TEST(with_scope, an_exception_weighs_more_than_an_error_and_an_error_more_than_the_value) {
  auto failing = [](scope& c) {
    c.spawn([]() -> result<> { return detail::fail(errc::closed); });
    c.spawn([] {
      at_exit throws_later{[] {}};
      await(yield_now());
      throw std::runtime_error("later, but an exception");
    });
  };
  // The second child is stopped by the failure of the first; its exception must come before that.
  auto both_at_once = [&](scope& c) {
    c.spawn([] { throw std::runtime_error("exception"); });
    c.spawn([]() -> result<> { return detail::fail(errc::closed); });
  };
  EXPECT_EQ(scope_with(failing, false), "[sibling ended]closed");
  EXPECT_EQ(scope_with(both_at_once, false), "[sibling ended]exception");
}

TEST(with_scope, an_error_becomes_the_value_where_that_is_a_result) {
  auto body = [](scope& children) -> async<int> {
    children.spawn([]() -> async<> { co_return detail::fail(errc::closed); });
    co_await sleep_for(for_ever);
    co_return 1;
  };
  EXPECT_EQ(run(with_scope(body)).error(), errc::closed);
  auto through_checked = [&]() -> async<int> { co_return co_await !with_scope(body); };
  EXPECT_EQ(run(through_checked()).error(), errc::closed);
  auto own_error = [](scope& children) -> async<int> {
    children.spawn(sleep_for(for_ever));
    co_return detail::fail(errc::timed_out);
  };
  EXPECT_EQ(run(with_scope(own_error)).error(), errc::timed_out);
}

TEST(with_scope, an_isolated_child_keeps_its_failure_to_itself) {
  std::string told;
  run([&]() -> task<> {
    co_await with_scope([&](scope& children) -> task<> {
      auto tell = [&](const failure& f) { told += "[" + f.message() + "]"; };
      children.spawn_isolated(tell, [] { throw std::runtime_error("fiber"); });
      children.spawn_isolated(tell, []() -> task<> {
        co_await yield_now();
        throw std::runtime_error("task");
      });
      children.spawn_isolated(tell, []() -> async<> { co_return detail::fail(errc::closed); });
      children.spawn_isolated(tell, [] {});
      for (int i = 0; i < 5; ++i) co_await yield_now();
      told += ".";
    });
  }());
  EXPECT_EQ(told, "[fiber][closed][task].");
}

TEST(with_scope, is_stopped_with_its_children_when_its_strand_is) {
  for (const bool as_fiber : {false, true}) {
    std::string ended;
    runtime rt;
    auto waits = [&](int n) -> task<> {
      at_exit note{[&, n] { ended += std::to_string(n); }};
      co_await sleep_for(for_ever);
    };
    auto in_task = [&]() -> task<> {
      co_await with_scope([&](scope& children) -> task<> {
        children.spawn(waits, 1);
        children.spawn(waits, 2);
        co_await waits(0);
      });
      ended += "!";
    };
    auto in_fiber = [&] {
      await(with_scope([&](scope& children) {
        children.spawn(waits, 1);
        children.spawn(waits, 2);
        await(waits(0));
      }));
      ended += "!";
    };
    auto handle = as_fiber ? rt.spawn(in_fiber) : rt.spawn(in_task);
    auto stopper = [&]() -> task<> {
      for (int i = 0; i < 3; ++i) co_await yield_now();
      handle.request_stop();
      EXPECT_EQ((co_await handle).error(), errc::stopped);
    };
    rt.run(stopper());
    EXPECT_EQ(ended, "012");
  }
}

TEST(with_scope, may_stop_itself) {
  auto body = [](scope& children) -> async<int> {
    children.spawn(sleep_for(for_ever));
    children.request_stop();
    co_await sleep_for(for_ever);
    co_return 1;
  };
  EXPECT_EQ(run(with_scope(body)).error(), errc::stopped);
}

TEST(with_scope, stops_children_that_are_spawned_while_it_stops_before_they_begin) {
  bool began = false;
  auto body = [&](scope& children) -> task<int> {
    children.request_stop();
    auto late = children.spawn([&] { began = true; });
    co_return 3;
  };
  EXPECT_EQ(run(with_scope(body)), 3);
  EXPECT_FALSE(began);
}

task<int> nested(int depth) {
  auto body = [depth](scope& children) -> task<int> {
    children.spawn(yield_now());
    if (depth == 0) co_await sleep_for(for_ever);
    co_return 1 + co_await nested(depth - 1);
  };
  co_return co_await with_scope(body);
}

TEST(with_scope, nested_deeply_is_stopped_without_growing_the_stack) {
  runtime rt;
  auto handle = rt.spawn([] { return nested(20'000); });
  auto stopper = [&]() -> task<> {
    for (int i = 0; i < 100'000; ++i) co_await yield_now();
    handle.request_stop();
    EXPECT_EQ((co_await handle).error(), errc::stopped);
  };
  rt.run(stopper());
}

}  // namespace
