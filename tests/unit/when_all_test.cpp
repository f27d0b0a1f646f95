// when_all, in both styles: what it gives, in which order its children run, and how it fails.
#include <cordage/when.hpp>

#include <chrono>
#include <memory>
#include <ranges>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/fiber.hpp>
#include <cordage/promise.hpp>
#include <cordage/runtime.hpp>
#include <cordage/stop.hpp>
#include <cordage/task.hpp>
#include <cordage/time.hpp>

#include "both_styles.hpp"
#include "counted.hpp"
#include "manual_operation.hpp"

// GCC warns of coroutines with arguments of a type that has no linkage, as the driver of foreign awaitables would have.
// Somebody else's awaitable, which is resumed by hand.
struct foreign {
  std::coroutine_handle<> waiter;
  int value = 0;
  bool await_ready() const noexcept { return value != 0; }
  void await_suspend(std::coroutine_handle<> h) noexcept { waiter = h; }
  int await_resume() const noexcept { return value; }
};

namespace {

using namespace cordage;
using namespace std::chrono_literals;
using support::await_in;
using support::each_style;
using support::gives;
using support::gives_or_fails;
using support::steps_in_task;
using support::steps_on_fiber;

constexpr auto for_ever = 24h;

struct no_default {
  explicit no_default(int v) : value(v) {}
  int value;
};

task<> nothing() { co_return; }
task<int> throws(const char* what, int turns = 0) {
  for (int i = 0; i < turns; ++i) co_await yield_now();
  throw std::runtime_error(what);
}
// Adds a letter when it ends, by a stop too, since it does nothing else.
task<> sleeps(std::string& log, char letter) {
  at_exit note{[&log, letter] { log += letter; }};
  co_await sleep_for(for_ever);
  log += '!';
}

template <class X>
using value_of_await = decltype(detail::value_when_awaited(std::declval<X>()));

TEST(when_all, gives_a_tuple_in_the_order_of_the_arguments) {
  static_assert(std::is_same_v<
                value_of_await<decltype(when_all(gives(1), gives_or_fails(1), nothing(), sleep_for(1s)))>,
                std::tuple<int, result<int>, std::monostate, std::monostate>>);
  static_assert(std::is_same_v<value_of_await<decltype(when_all(std::declval<task<int&>>(),
                                                                std::declval<task<std::unique_ptr<int>>>()))>,
                               std::tuple<int&, std::unique_ptr<int>>>);
  static_assert(std::is_same_v<value_of_await<decltype(when_all())>, std::tuple<>>);
  static_assert(std::is_same_v<value_of_await<decltype(when_all(!gives_or_fails(1), gives_or_fails(1)))>,
                               result<std::tuple<int, result<int>>>>);
  static_assert(std::is_same_v<
                value_of_await<decltype(!when_all(gives_or_fails(1), gives(1), std::declval<async<>>()))>,
                std::tuple<int, int, std::monostate>>);
  static_assert(std::is_same_v<value_of_await<decltype(!when_all(!gives_or_fails(1), gives_or_fails(1)))>,
                               std::tuple<int, int>>);
  static_assert(std::is_same_v<value_of_await<decltype(when_all(when_all(gives(1)), when_all()))>,
                               std::tuple<std::tuple<int>, std::tuple<>>>);
  for (const auto in : each_style) {
    auto [last, first, none] = await_in(in, [] { return when_all(gives(3, 3), gives(1), nothing()); });
    EXPECT_EQ(last, 3);
    EXPECT_EQ(first, 1);
    EXPECT_EQ(none, std::monostate());
    EXPECT_EQ(await_in(in, [] { return when_all(); }), std::tuple<>());
  }
}

TEST(when_all, gives_values_that_are_only_moved_have_no_default_or_are_references) {
  for (const auto in : each_style) {
    int there = 1;
    auto refers = [&]() -> task<int&> { co_return there; };
    auto moves = []() -> task<std::unique_ptr<int>> { co_return std::make_unique<int>(2); };
    auto constructs = [] { return no_default(3); };
    auto [reference, pointer, object] =
        await_in(in, [&] { return when_all(refers(), moves(), fiber<no_default>(constructs)); });
    EXPECT_EQ(&reference, &there);
    EXPECT_EQ(*pointer, 2);
    EXPECT_EQ(object.value, 3);
    std::vector<std::unique_ptr<int>> pointers;
    auto many = [&] {
      std::vector<task<std::unique_ptr<int>>> tasks;
      for (int i = 0; i < 3; ++i) tasks.push_back(moves());
      return when_all(std::move(tasks));
    };
    pointers = await_in(in, many);
    EXPECT_EQ(pointers.size(), 3U);
    auto references = [&] {
      std::vector<task<int&>> tasks;
      for (int i = 0; i < 3; ++i) tasks.push_back(refers());
      return when_all(std::move(tasks));
    };
    const std::vector<std::reference_wrapper<int>> got = await_in(in, references);
    EXPECT_EQ(&got.at(2).get(), &there);
  }
}

TEST(when_all, takes_whatever_can_be_awaited) {
  for (const auto in : each_style) {
    manual kept, referred;
    promise<int> provided;
    auto given = provided.get_future();
    std::thread provider;
    foreign lvalue;
    manual_operation operation(referred);
    task<int> named = gives(1, 1);
    auto on_fiber = [] { return 3; };
    auto completes = [&]() -> task<int> {
      co_await yield_now();
      kept.complete(5), referred.complete(6);
      lvalue.value = 7;
      if (lvalue.waiter) lvalue.waiter.resume();
      provider = std::thread([&] { provided.set_value(8); });
      co_return 9;
    };
    auto make = [&] {
      auto spawned = spawn(completes);
      return when_all(named, gives_or_fails(2, 2), fiber<int>(on_fiber), manual_operation(kept), operation,
                      lvalue, foreign{{}, 4}, given, std::move(spawned));
    };
    const auto [one, two, three, five, six, seven, four, eight, nine] = await_in(in, make);
    provider.join();
    EXPECT_FALSE(named.valid());
    EXPECT_EQ(one, 1);
    EXPECT_EQ(two, 2);
    EXPECT_EQ(three, 3);
    EXPECT_EQ(four, 4);
    EXPECT_EQ(five, 5);
    EXPECT_EQ(six, 6);
    EXPECT_EQ(seven, 7);
    EXPECT_EQ(eight, 8);
    EXPECT_EQ(nine, 9);
  }
}

TEST(when_all, begins_tasks_at_once_in_order_and_fibers_in_their_next_turn) {
  for (const auto in : each_style) {
    std::string log;
    await_in(in, [&] { return when_all(steps_in_task(log, 'a'), steps_in_task(log, 'b')); });
    EXPECT_EQ(log, "a1 b1 a2 b2 ");
    log.clear();
    await_in(in, [&] { return when_all(steps_on_fiber(log, 'a'), steps_on_fiber(log, 'b')); });
    EXPECT_EQ(log, "a1 b1 a2 b2 ");
    log.clear();
    await_in(in, [&] { return when_all(steps_on_fiber(log, 'a'), steps_in_task(log, 'b')); });
    EXPECT_EQ(log, "b1 a1 b2 a2 ");
  }
}

TEST(when_all, begins_nothing_before_it_is_awaited) {
  for (const auto in : each_style) {
    std::string log;
    auto make = [&] {
      auto whole = when_all(steps_in_task(log, 'a'), steps_in_task(log, 'b'));
      log += "- ";
      return whole;
    };
    await_in(in, make);
    EXPECT_EQ(log, "- a1 b1 a2 b2 ");
    log.clear();
    { auto dropped = when_all(steps_in_task(log, 'a'), steps_on_fiber(log, 'b')); }
    EXPECT_EQ(log, "");
  }
}

TEST(when_all, needs_no_turn_for_what_is_ready_at_once) {
  std::string log;
  run([&]() -> task<> {
    auto other = [&] { log += "other "; };
    auto handle = spawn(other);
    co_await when_all(gives(1), gives(2), sleep_for(0s));
    log += "all ";
    co_await yield_now();
  }());
  EXPECT_EQ(log, "all other ");
}

TEST(when_all, nests_in_any_depth_and_keeps_the_order) {
  for (const auto in : each_style) {
    std::string log;
    auto three_levels = [&] {
      return when_all(
          when_all(steps_in_task(log, 'a'), when_all(steps_in_task(log, 'b'), steps_on_fiber(log, 'c'))),
          when_any(steps_in_task(log, 'd'), when_all(steps_in_task(log, 'e'))), steps_in_task(log, 'f'));
    };
    auto [left, any, right] = await_in(in, three_levels);
    EXPECT_EQ(log, "a1 b1 d1 e1 f1 a2 b2 c1 d2 e2 f2 c2 ");
    EXPECT_EQ(left, std::tuple('a', std::tuple('b', 'c')));
    EXPECT_EQ(std::get<0>(any), 'd');
    EXPECT_EQ(right, 'f');
  }
}

TEST(when_all, an_error_value_does_not_stop_siblings) {
  for (const auto in : each_style) {
    const auto [failed, value] = await_in(in, [] { return when_all(gives_or_fails(-1), gives(2, 5)); });
    EXPECT_EQ(failed.error(), errc::closed);
    EXPECT_EQ(value, 2);
  }
}

TEST(when_all, an_exception_stops_siblings_and_is_thrown_when_all_have_ended) {
  for (const auto in : each_style) {
    std::string log;
    auto slow_to_stop = [&]() -> task<> {
      co_await shield(gives(1, 10));
      log += "s";
      co_await yield_now();
      log += "!";
    };
    auto make = [&] {
      return when_all(sleeps(log, 'a'), throws("first", 2), slow_to_stop(), sleeps(log, 'b'),
                      throws("second", 3));
    };
    try {
      await_in(in, make);
      ADD_FAILURE();
    } catch (const std::runtime_error& e) {
      EXPECT_STREQ(e.what(), "first");
    }
    EXPECT_EQ(log, "abs");
  }
}

TEST(when_all, an_exception_at_once_lets_later_children_never_begin) {
  for (const auto in : each_style) {
    std::string log;
    EXPECT_THROW(await_in(in, [&] { return when_all(sleeps(log, 'a'), throws("now"), sleeps(log, 'b')); }),
                 std::runtime_error);
    EXPECT_EQ(log, "a");
  }
}

TEST(when_all, checked_stops_at_the_first_error_waits_and_gives_it) {
  for (const auto in : each_style) {
    std::string log;
    auto make = [&] { return when_all(sleeps(log, 'a'), !gives_or_fails(-1, 2), sleeps(log, 'b')); };
    const result<std::tuple<std::monostate, int, std::monostate>> got = await_in(in, make);
    EXPECT_EQ(got.error(), errc::closed);
    EXPECT_EQ(log, "ab");

    log.clear();
    auto as_whole = [&] { return !when_all(sleeps(log, 'a'), gives_or_fails(-1, 2), gives_or_fails(7)); };
    try {
      await_in(in, as_whole);
      ADD_FAILURE();
    } catch (const std::system_error& e) {
      EXPECT_EQ(e.code(), errc::closed);
    }
    EXPECT_EQ(log, "a");
    EXPECT_EQ(await_in(in, [] { return !when_all(gives_or_fails(1, 1), gives(2)); }), std::tuple(1, 2));
    const auto both = await_in(in, [] { return when_all(!gives_or_fails(1, 1), gives_or_fails(-2)); });
    EXPECT_EQ(std::get<0>(*both), 1);
    EXPECT_EQ(std::get<1>(*both).error(), errc::closed);
  }
}

TEST(when_all, checked_in_an_async_passes_the_error_on_without_an_exception) {
  std::string log;
  auto inner = [&]() -> async<int> {
    const auto [first, second] = co_await !when_all(gives_or_fails(1), gives_or_fails(-1, 1));
    log += "!";
    co_return first + second;
  };
  auto outer = [&]() -> async<int> {
    at_exit note{[&] { log += "o"; }};
    const int got = co_await !inner();
    log += "!";
    co_return got;
  };
  EXPECT_EQ(run(outer()).error(), errc::closed);
  EXPECT_EQ(log, "o");
}

TEST(when_all, an_exception_beats_an_error_that_was_earlier) {
  for (const auto in : each_style) {
    auto throws_in_the_end = []() -> task<int> {
      co_await shield(gives(1, 5));
      throw std::runtime_error("late");
    };
    EXPECT_THROW(await_in(in, [&] { return !when_all(gives_or_fails(-1, 1), throws_in_the_end()); }),
                 std::runtime_error);
  }
}

TEST(when_all, a_child_that_stops_by_itself_stops_siblings_and_the_whole_is_stopped) {
  for (const auto in : each_style) {
    std::string log;
    stop_source stops;
    auto stopper = [&] { stops.request_stop(); };
    auto make = [&] {
      spawn(stopper);
      return as_result(
          when_all(sleeps(log, 'a'), with_stop(stops.token(), sleeps(log, 'b')), sleeps(log, 'c')));
    };
    EXPECT_EQ(await_in(in, make).error(), errc::stopped);
    EXPECT_EQ(log, "bac");
  }
}

TEST(when_all, of_what_is_ready_lets_others_run) {
  for (const auto in : each_style) {
    bool others_ran = false;
    int rounds = 0;
    auto other = [&] { others_ran = true; };
    auto in_task = [&]() -> task<> {
      spawn(other);
      for (; !others_ran && rounds < 1'000'000; ++rounds) {
        if (rounds % 3 == 0) co_await when_all(sleep_for(0s), sleep_for(0s));
        if (rounds % 3 == 1) co_await when_all(gives(1), gives(2));
        if (rounds % 3 == 2) co_await when_all();
      }
    };
    auto in_fiber = [&] {
      spawn(other);
      for (; !others_ran && rounds < 1'000'000; ++rounds) await(when_all(gives(1), gives(2)));
    };
    in == support::style::task ? run(in_task()) : run(fiber{in_fiber});
    EXPECT_TRUE(others_ran);
    EXPECT_LE(rounds, executor::turn_budget);
  }
}

TEST(when_all, of_a_range_gives_a_vector) {
  for (const auto in : each_style) {
    const auto many = [&](int count) {
      std::vector<task<int>> tasks;
      for (int i = 0; i < count; ++i) tasks.push_back(gives(i, i % 7));
      return when_all(std::move(tasks));
    };
    EXPECT_TRUE(await_in(in, [&] { return many(0); }).empty());
    EXPECT_EQ(await_in(in, [&] { return many(1); }), std::vector{0});
    const std::vector<int> thousand = await_in(in, [&] { return many(1000); });
    ASSERT_EQ(thousand.size(), 1000U);
    for (int i = 0; i < 1000; ++i) EXPECT_EQ(thousand[static_cast<std::size_t>(i)], i);

    std::vector<task<int>> named;
    named.push_back(gives(1));
    named.push_back(gives(2, 1));
    EXPECT_EQ(await_in(in, [&] { return when_all(named); }), (std::vector{1, 2}));
    EXPECT_FALSE(named.front().valid());
  }
}

TEST(when_all, of_a_view_takes_what_the_view_makes) {
  for (const auto in : each_style) {
    auto made = std::views::iota(0, 100) | std::views::transform([](int i) { return gives(i, i % 3); });
    const std::vector<int> of_lvalue = await_in(in, [&] { return when_all(made); });
    ASSERT_EQ(of_lvalue.size(), 100U);
    EXPECT_EQ(of_lvalue[99], 99);
    auto of_rvalue = [] {
      return when_all(std::views::iota(0, 5) | std::views::transform([](int i) { return gives(i, 5 - i); }));
    };
    EXPECT_EQ(await_in(in, of_rvalue), (std::vector{0, 1, 2, 3, 4}));
    auto nothings = [] {
      return when_all(std::views::iota(0, 2) | std::views::transform([](int) { return nothing(); }));
    };
    EXPECT_EQ(await_in(in, nothings).size(), 2U);
  }
}

TEST(when_all, of_a_range_whose_making_throws_drops_what_was_made) {
  counted::alive = 0;
  auto waits = [](counted) -> task<> { co_await sleep_for(for_ever); };
  auto make = [&](int i) {
    if (i == 3) throw std::runtime_error("no more");
    return waits(counted(i));
  };
  auto all = when_all(std::views::iota(0, 5) | std::views::transform(make));
  EXPECT_THROW((void)run(all), std::runtime_error);
  EXPECT_EQ(counted::alive, 0);
}

TEST(when_all, of_a_range_fails_like_any_other) {
  for (const auto in : each_style) {
    auto range = [](int failing) {
      std::vector<async<int>> children;
      for (int i = 0; i < 5; ++i) children.push_back(gives_or_fails(i == failing ? -1 : i, i));
      return children;
    };
    const auto values = await_in(in, [&] { return when_all(range(2)); });
    EXPECT_EQ(values.at(2).error(), errc::closed);
    EXPECT_EQ(values.at(4), 4);
    EXPECT_EQ(await_in(in, [&] { return !when_all(range(-1)); }), (std::vector{0, 1, 2, 3, 4}));
    EXPECT_THROW(await_in(in, [&] { return !when_all(range(2)); }), std::system_error);
    auto throwing = [] {
      return when_all(std::views::iota(0, 5) |
                      std::views::transform([](int i) { return i == 3 ? throws("3", 1) : gives(i, 2); }));
    };
    EXPECT_THROW(await_in(in, throwing), std::runtime_error);
  }
}

TEST(when_all, of_operations_in_a_range_waits_for_them_where_they_are) {
  for (const auto in : each_style) {
    manual first, second;
    std::vector<manual_result_operation> operations{manual_result_operation(first),
                                                    manual_result_operation(second)};
    auto completes = [&] { second.complete(2), first.complete(1); };
    auto make = [&] {
      spawn(completes);
      return when_all(operations);
    };
    const auto values = await_in(in, make);
    EXPECT_EQ(values.at(0), 1);
    EXPECT_EQ(values.at(1), 2);
  }
}

TEST(when_all, of_a_span_leaves_what_it_refers_to_where_it_is) {
  for (const auto in : each_style) {
    std::vector<promise<int>> promises(2);
    std::vector<future<int>> futures;
    for (auto& each : promises) futures.push_back(each.get_future());
    const auto late = await_in(in, [&] { return with_timeout(1ms, when_all(std::span(futures))); });
    EXPECT_EQ(late.error(), errc::timed_out);
    for (auto& each : promises) each.set_value(3);
    const auto values = await_in(in, [&] { return !when_all(std::span(futures)); });
    EXPECT_EQ(values, (std::vector{3, 3}));
  }
}

}  // namespace
