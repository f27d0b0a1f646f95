// when_any and expect, in both styles: who wins, what is kept, and what becomes of the losers.
#include <cordage/when.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <string>
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

namespace {

using namespace cordage;
using namespace std::chrono_literals;
using support::await_in;
using support::each_style;
using support::gives;
using support::gives_or_fails;
using support::style;

constexpr auto for_ever = 24h;

async<> succeeds(int turns = 0) {
  for (int i = 0; i < turns; ++i) co_await yield_now();
  co_return {};
}
async<bool> answers(bool value) { co_return value; }
task<int> throws(int turns) {
  for (int i = 0; i < turns; ++i) co_await yield_now();
  throw std::runtime_error("thrown");
}
task<int> sleeps(counted) {
  co_await sleep_for(for_ever);
  co_return 0;
}
template <class X>
using value_of_await = decltype(detail::value_when_awaited(std::declval<X>()));
template <class X>
concept can_be_checked = requires(X x) {
  !std::move(x);
};

TEST(when_any, gives_a_tuple_of_optionals) {
  static_assert(std::is_same_v<
                value_of_await<decltype(when_any(gives(1), gives_or_fails(1), sleep_for(1s)))>,
                std::tuple<std::optional<int>, std::optional<result<int>>, std::optional<std::monostate>>>);
  static_assert(std::is_same_v<
                value_of_await<decltype(when_any(std::declval<task<int&>>(),
                                                 std::declval<task<std::unique_ptr<int>>>()))>,
                std::tuple<std::optional<std::reference_wrapper<int>>, std::optional<std::unique_ptr<int>>>>);
  static_assert(std::is_same_v<value_of_await<decltype(when_any(!gives_or_fails(1), gives(1)))>,
                               result<std::tuple<std::optional<int>, std::optional<int>>>>);
  static_assert(std::is_same_v<value_of_await<decltype(when_any(std::declval<std::vector<task<int>>>()))>,
                               std::vector<std::optional<int>>>);
  static_assert(std::is_same_v<value_of_await<decltype(when_any(when_any(gives(1))))>,
                               std::tuple<std::optional<std::tuple<std::optional<int>>>>>);
}

TEST(when_any, the_first_to_complete_stops_the_others_and_their_frames_are_gone_when_it_goes_on) {
  for (const auto in : each_style) {
    counted::alive = 0;
    int alive_on_resumption = -1;
    auto body = [] {
      counted on_stack;
      await(sleep_for(for_ever));
      return 0;
    };
    auto make = [&] {
      return when_any(sleeps(counted(1)), gives(7, 3), fiber<int>(body), sleeps(counted(2)),
                      sleep_for(for_ever));
    };
    const auto look = [&](const auto& got) {
      alive_on_resumption = counted::alive;
      EXPECT_EQ(std::get<1>(got), 7);
      EXPECT_FALSE(std::get<0>(got) || std::get<2>(got) || std::get<3>(got) || std::get<4>(got));
    };
    auto in_task = [&]() -> task<> { look(co_await make()); };
    auto in_fiber = [&] { look(await(make())); };
    in == style::task ? run(in_task()) : run(fiber{in_fiber});
    EXPECT_EQ(alive_on_resumption, 0);
    EXPECT_EQ(counted::alive, 0);
  }
}

TEST(when_any, keeps_every_result_that_completed_before_the_losers_had_ended) {
  for (const auto in : each_style) {
    manual late;
    late.can_be_withdrawn = false;
    auto completes = [&]() -> task<> {
      while (late.cancels == 0) co_await yield_now();
      for (int i = 0; i < 5; ++i) co_await yield_now();
      late.complete(4);
    };
    auto make = [&] {
      spawn(completes);
      return when_any(gives(1, 2), shield(gives(2, 9)), gives(3, 9), manual_operation(late));
    };
    const auto [winner, shielded, stopped, not_withdrawn] = await_in(in, make);
    EXPECT_EQ(winner, 1);
    EXPECT_EQ(shielded, 2);
    EXPECT_FALSE(stopped);
    EXPECT_EQ(not_withdrawn, 4);
  }
}

TEST(when_any, a_child_that_is_ready_at_once_lets_later_ones_never_begin) {
  for (const auto in : each_style) {
    counted::alive = 0;
    std::string log;
    auto notes = [&](char name, counted) -> task<int> {
      log += name;
      at_exit note{[&log, name] { log += static_cast<char>(name - 'a' + 'A'); }};
      co_await sleep_for(for_ever);
      co_return 0;
    };
    auto on_fiber = [&] {
      log += '!';
      return 0;
    };
    auto make = [&] {
      return when_any(notes('a', counted()), gives(2), notes('b', counted()), fiber<int>(on_fiber));
    };
    const auto got = await_in(in, make);
    EXPECT_EQ(std::get<1>(got), 2);
    EXPECT_EQ(log, "aA");
    EXPECT_EQ(counted::alive, 0);
  }
}

TEST(when_any, of_children_that_complete_in_the_same_turn_keeps_both) {
  for (const auto in : each_style) {
    manual first, second;
    auto completes = [&] { second.complete(2), first.complete(1); };
    auto make = [&] {
      spawn(completes);
      return when_any(manual_operation(first), manual_operation(second));
    };
    const auto [one, two] = await_in(in, make);
    EXPECT_EQ(one, 1) << "it had completed before it could be stopped";
    EXPECT_EQ(two, 2);
    EXPECT_EQ(first.cancels, 0);
  }
}

TEST(when_any, takes_an_error_for_a_completion) {
  for (const auto in : each_style) {
    const auto [failed, slow] = await_in(in, [] { return when_any(gives_or_fails(-1, 1), gives(1, 9)); });
    EXPECT_EQ(failed->error(), errc::closed);
    EXPECT_FALSE(slow);
    const auto checked_one = await_in(in, [] { return when_any(!gives_or_fails(-1, 1), gives(1, 9)); });
    EXPECT_EQ(checked_one.error(), errc::closed);
    const auto won = await_in(in, [] { return when_any(!gives_or_fails(5, 1), gives(1, 9)); });
    EXPECT_EQ(std::get<0>(*won), 5);
    const auto lost = await_in(in, [] { return when_any(!gives_or_fails(-5, 9), gives(1, 1)); });
    EXPECT_EQ(std::get<1>(*lost), 1);
    EXPECT_FALSE(std::get<0>(*lost));
  }
}

TEST(when_any, throws_the_first_exception_when_all_have_ended) {
  for (const auto in : each_style) {
    counted::alive = 0;
    EXPECT_THROW(await_in(in, [] { return when_any(sleeps(counted()), throws(2), gives(1, 9)); }),
                 std::runtime_error);
    EXPECT_EQ(counted::alive, 0);
    auto throws_while_stopping = []() -> task<int> {
      co_await shield(gives(1, 5));
      throw std::logic_error("late");
    };
    EXPECT_THROW(await_in(in, [&] { return when_any(gives(1, 1), throws_while_stopping()); }),
                 std::logic_error);
    EXPECT_THROW(await_in(in, [&] { return expect<0>(when_any(gives(1, 1), throws_while_stopping())); }),
                 std::logic_error);
  }
}

TEST(when_any, of_a_range_gives_a_vector_of_optionals) {
  for (const auto in : each_style) {
    const auto many = [](int count, int winner) {
      std::vector<task<int>> tasks;
      for (int i = 0; i < count; ++i) tasks.push_back(gives(i, i == winner ? 2 : 1'000'000));
      return when_any(std::move(tasks));
    };
    EXPECT_TRUE(await_in(in, [&] { return many(0, 0); }).empty());
    EXPECT_EQ(await_in(in, [&] { return many(1, 0); }).at(0), 0);
    const auto thousand = await_in(in, [&] { return many(1000, 500); });
    ASSERT_EQ(thousand.size(), 1000U);
    for (int i = 0; i < 1000; ++i) EXPECT_EQ(thousand[static_cast<std::size_t>(i)].has_value(), i == 500);
    auto of_view = [] {
      return when_any(std::views::iota(0, 9) | std::views::transform([](int i) { return gives(i, 9 - i); }));
    };
    EXPECT_EQ(await_in(in, of_view).at(8), 8);
    std::vector<task<int>> named;
    named.push_back(gives(1, 1000));
    named.push_back(gives(2));
    named.push_back(gives(3));
    EXPECT_EQ(await_in(in, [&] { return when_any(named); }).at(1), 2);
  }
}

TEST(when_any, nests_in_itself_and_in_when_all) {
  for (const auto in : each_style) {
    std::string log;
    auto sleeper = [&](char name) -> task<> {
      at_exit note{[&log, name] { log += name; }};
      co_await sleep_for(for_ever);
    };
    auto inner_wins = [&] {
      return when_any(when_any(sleeper('a'), gives(1, 2)),
                      when_all(sleeper('b'), when_any(sleeper('c'), sleeper('d'))));
    };
    const auto [any, all] = await_in(in, inner_wins);
    EXPECT_EQ(std::get<1>(*any), 1);
    EXPECT_FALSE(all);
    EXPECT_EQ(log, "abcd");
    log.clear();
    auto outer_wins = [&] {
      return when_any(gives(5, 1),
                      when_all(gives(1), when_any(sleeper('a'), when_any(sleeper('b'), sleeper('c')))));
    };
    const auto got = await_in(in, outer_wins);
    EXPECT_EQ(std::get<0>(got), 5);
    EXPECT_EQ(log, "abc");
  }
}

// A stop from elsewhere ends one alternative only.
TEST(when_any, goes_on_with_the_others_when_a_child_stops_by_itself) {
  for (const auto in : each_style) {
    stop_source stops;
    stops.request_stop();
    const auto [stopped, other] =
        await_in(in, [&] { return when_any(with_stop(stops.token(), gives(1, 3)), gives(2, 3)); });
    EXPECT_FALSE(stopped);
    EXPECT_EQ(other, 2);
  }
}

TEST(expect, gives_the_value_of_its_alternative_although_another_one_won) {
  for (const auto in : each_style) {
    const auto got =
        await_in(in, [] { return expect<1>(when_any(gives_or_fails(-1, 1), shield(gives_or_fails(2, 5)))); });
    static_assert(std::is_same_v<decltype(got), const result<int>>);
    EXPECT_EQ(got, 2);
    EXPECT_EQ(await_in(in, [] { return expect<0>(when_any(gives(1, 1), gives(2, 9))); }), 1);
    EXPECT_EQ(await_in(in, [] { return !when_any(gives_or_fails(1, 1), timeout(for_ever)); }), 1);
  }
}

TEST(expect, gives_the_error_of_the_winner) {
  for (const auto in : each_style) {
    EXPECT_EQ(await_in(in, [] { return expect<1>(when_any(gives_or_fails(-1, 1), gives(2, 9))); }).error(),
              errc::closed);
    EXPECT_EQ(await_in(in, [] { return expect<0>(when_any(gives_or_fails(-1, 1), gives(2, 9))); }).error(),
              errc::closed);
    EXPECT_EQ(await_in(in, [] { return expect<0>(when_any(sleep_for(for_ever), timeout(1ms))); }).error(),
              errc::timed_out);
    EXPECT_THROW(await_in(in, [] { return !when_any(sleep_for(for_ever), timeout(1ms)); }),
                 std::system_error);
    // Its own error is no value, and it was not the first.
    auto fails_later = []() -> async<int> {
      co_await shield(gives(1, 5));
      co_return unexpected(errc::broken_promise);
    };
    EXPECT_EQ(await_in(in, [&] { return expect<1>(when_any(gives_or_fails(-1, 1), fails_later())); }).error(),
              errc::closed);
  }
}

TEST(expect, says_that_the_race_was_lost_to_a_value) {
  for (const auto in : each_style) {
    EXPECT_EQ(await_in(in, [] { return expect<1>(when_any(gives(1, 1), gives(2, 9))); }).error(),
              errc::lost_race);
    EXPECT_EQ(await_in(in, [] { return expect<1>(when_any(gives(1), gives(2))); }).error(), errc::lost_race);
    EXPECT_EQ(await_in(in, [] { return expect<0>(when_any(gives_or_fails(1, 9), sleep_for(0s))); }).error(),
              errc::lost_race);
  }
}

TEST(expect, of_nothing_of_references_and_of_what_is_only_moved) {
  for (const auto in : each_style) {
    int there = 1;
    auto refers = [&]() -> task<int&> { co_return there; };
    auto moves = []() -> task<std::unique_ptr<int>> { co_return std::make_unique<int>(2); };
    EXPECT_TRUE(await_in(in, [] { return expect<0>(when_any(succeeds(2), sleep_for(for_ever))); }));
    EXPECT_TRUE(await_in(in, [] { return expect<1>(when_any(sleep_for(for_ever), yield_now())); }));
    await_in(in, [] { return !when_any(succeeds(1), sleep_for(for_ever)); });
    EXPECT_EQ(&await_in(in, [&] { return expect<0>(when_any(refers(), gives(1))); })->get(), &there);
    EXPECT_EQ(**await_in(in, [&] { return expect<0>(when_any(moves(), gives(1))); }), 2);
  }
}

TEST(expect, passes_the_error_on_in_an_async) {
  bool went_on = false;
  auto asks = [&]() -> async<int> {
    const int got = co_await !when_any(gives_or_fails(-1, 1), timeout(for_ever));
    went_on = true;
    co_return got;
  };
  EXPECT_EQ(run(asks()).error(), errc::closed);
  EXPECT_FALSE(went_on);
}

TEST(expect, is_not_negated_where_it_gives_a_result_of_bool) {
  using of_bool = decltype(when_any(answers(true), gives(1)));
  using of_plain_bool = decltype(when_any(std::declval<task<bool>>(), gives(1)));
  using of_int = decltype(when_any(gives(1), answers(true)));
  static_assert(!can_be_checked<of_bool>);
  static_assert(!can_be_checked<of_plain_bool>);
  static_assert(!can_be_checked<decltype(expect<0>(std::declval<of_bool>()))>);
  static_assert(can_be_checked<of_int>);
  static_assert(!can_be_checked<decltype(expect<1>(std::declval<of_int>()))>);
  EXPECT_EQ(run(expect<0>(when_any(answers(false), gives(1)))), false);
}

}  // namespace
