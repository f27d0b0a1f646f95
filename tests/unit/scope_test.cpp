#include <cordage/scope.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include <cordage/runtime.hpp>
#include <cordage/time.hpp>

#include "counted.hpp"
#include "manual_operation.hpp"

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

// `!with_scope(f)` is for an f whose value is a result: elsewhere there is no error to pass on.
template <class F>
concept with_scope_can_be_checked = requires(F f) { !with_scope(std::move(f)); };
struct gives_a_number {
  task<int> operator()(scope&) const { co_return 1; }
};
struct gives_a_result {
  task<result<int>> operator()(scope&) const { co_return 1; }
};
struct is_an_async {
  async<> operator()(scope&) const { co_return {}; }
};
struct gives_a_result_on_a_fiber {
  result<> operator()(scope&) const { return {}; }
};
struct gives_nothing_on_a_fiber {
  void operator()(scope&) const {}
};
static_assert(with_scope_can_be_checked<gives_a_result>);
static_assert(with_scope_can_be_checked<is_an_async>);
static_assert(with_scope_can_be_checked<gives_a_result_on_a_fiber>);
static_assert(!with_scope_can_be_checked<gives_a_number>);
static_assert(!with_scope_can_be_checked<gives_nothing_on_a_fiber>);

// How a scope ends whose children, all in one turn and in this order, throw (x), fail with an error (e), and stop the
// scope (s). A child that ran before it was stopped keeps its outcome.
std::string ending(std::string_view children_do) {
  auto body = [&](scope& children) -> async<int> {
    auto child = [&children](char what) -> async<> {
      if (what == 's') children.request_stop();
      if (what == 'e') co_return detail::fail(errc::closed);
      co_return {};
    };
    auto throwing_child = [] { throw std::runtime_error("exception"); };
    for (const char what : children_do) {
      if (what == 'x') {
        children.spawn(throwing_child);
      } else {
        children.spawn(child, what);
      }
    }
    for (int i = 0; i < 5; ++i) co_await yield_now();
    co_return 5;
  };
  try {
    const result<int> value = run(with_scope(body));
    return value ? std::to_string(*value) : value.error().message();
  } catch (const std::exception& e) {
    return e.what();
  }
}

TEST(with_scope, gives_an_exception_before_an_error_before_a_stop_before_the_value) {
  const std::string stopped = error(errc::stopped).message();
  EXPECT_EQ(ending(""), "5");
  EXPECT_EQ(ending("s"), stopped);
  EXPECT_EQ(ending("e"), "closed");
  EXPECT_EQ(ending("x"), "exception");
  EXPECT_EQ(ending("es"), "closed");
  EXPECT_EQ(ending("xs"), "exception");
  EXPECT_EQ(ending("xes"), "exception");
  // The rest is stopped before it begins, and then it has nothing to give.
  EXPECT_EQ(ending("se"), stopped);
  EXPECT_EQ(ending("sx"), stopped);
  EXPECT_EQ(ending("ex"), "closed");
}

// Children that go on in the very turn in which another one fails: their failures are there as well.
TEST(with_scope, of_what_fails_in_one_turn_gives_the_exception_whichever_came_first) {
  for (const bool error_first : {false, true}) {
    manual gates[2];
    auto fails = [&]() -> async<> {
      (void)co_await manual_operation(gates[0]);
      co_return detail::fail(errc::closed);
    };
    auto throws = [&] {
      (void)await(manual_operation(gates[1]));
      throw std::runtime_error("exception");
    };
    auto body = [&](scope& children) -> async<int> {
      children.spawn(fails);
      children.spawn(throws);
      co_await yield_now();
      gates[error_first ? 0 : 1].complete(0);
      gates[error_first ? 1 : 0].complete(0);
      co_await sleep_for(for_ever);
      co_return 1;
    };
    EXPECT_THROW((void)run(with_scope(body)), std::runtime_error);
  }
}

TEST(with_scope, an_error_stops_the_rest_only_if_the_handle_was_dropped_before_the_end) {
  for (const bool drop : {false, true}) {
    std::string log;
    auto body = [&](scope& children) -> async<int> {
      auto handle = std::make_unique<join_handle<result<>>>(children.spawn([]() -> async<> {
        co_await yield_now();
        co_return detail::fail(errc::closed);
      }));
      children.spawn([&]() -> task<> {
        for (int i = 0; i < 5; ++i) co_await yield_now();
        log += "sibling ";
      });
      if (drop) handle.reset();
      for (int i = 0; i < 10; ++i) co_await yield_now();
      handle.reset();  // too late to matter
      co_await yield_now();
      log += "function";
      co_return 1;
    };
    const auto ended = run(with_scope(body));
    if (drop) {
      EXPECT_EQ(ended.error(), errc::closed);
      EXPECT_EQ(log, "");
    } else {
      EXPECT_EQ(ended, 1);
      EXPECT_EQ(log, "sibling function");
    }
  }
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
