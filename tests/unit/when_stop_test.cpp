// Stopping strands that wait for combinators: what reaches the children, and what is known all the same. Deep chains.
#include <cordage/when.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/fiber.hpp>
#include <cordage/runtime.hpp>
#include <cordage/stop.hpp>
#include <cordage/task.hpp>
#include <cordage/time.hpp>

#include "both_styles.hpp"
#include "counted.hpp"
#include "counted_allocations.hpp"
#include "manual_operation.hpp"
#include "slowly.hpp"

namespace {

using namespace cordage;
using namespace std::chrono_literals;
using support::each_style;
using support::gives;
using support::spawn_in;
using support::style;

constexpr auto for_ever = 24h;

task<> sleeps(std::string& log, char letter) {
  counted local;
  at_exit note{[&log, letter] { log += letter; }};
  co_await sleep_for(for_ever);
  log += '!';
}
auto sleeps_on_fiber(std::string& log, char letter) {
  auto body = [&log, letter] {
    counted local;
    at_exit note{[&log, letter] { log += letter; }};
    await(sleep_for(for_ever));
    log += '!';
  };
  return fiber<void>(body);
}

// A strand in the given style waits for make(); after some turns it is stopped. Gives how it ended.
template <class Make>
auto stopped_in(style in, Make make, int turns = 3) {
  using value = decltype(detail::value_when_awaited(make()));
  auto body = [&]() -> task<detail::as_result_of<value>> {
    auto handle = spawn_in(in, make);
    for (int i = 0; i < turns; ++i) co_await yield_now();
    EXPECT_TRUE(handle.request_stop());
    co_return co_await handle;
  };
  return run(body());
}

TEST(stop_of_combinators, reaches_all_children_and_completes_as_stopped_when_they_have_ended) {
  for (const auto in : each_style) {
    counted::alive = 0;
    std::string log;
    auto all = [&] {
      return when_all(sleeps(log, 'a'), gives(1), sleeps_on_fiber(log, 'b'), sleeps(log, 'c'));
    };
    EXPECT_EQ(stopped_in(in, all).error(), errc::stopped);
    EXPECT_EQ(log, "abc");
    log.clear();
    auto any = [&] { return when_any(sleeps(log, 'a'), sleeps_on_fiber(log, 'b'), sleeps(log, 'c')); };
    EXPECT_EQ(stopped_in(in, any).error(), errc::stopped);
    EXPECT_EQ(log, "abc");
    log.clear();
    auto nested = [&] {
      return when_all(when_any(sleeps(log, 'a'), when_all(sleeps(log, 'b'))),
                      with_timeout(for_ever, sleeps(log, 'c')),
                      expect<0>(when_any(sleeps(log, 'd'), timeout(for_ever))));
    };
    EXPECT_EQ(stopped_in(in, nested).error(), errc::stopped);
    EXPECT_EQ(log.size(), 4U);
    EXPECT_EQ(log.find('!'), std::string::npos);
    EXPECT_EQ(counted::alive, 0);
  }
}

TEST(stop_of_combinators, before_they_begin_lets_no_child_begin) {
  for (const auto in : each_style) {
    std::string log;
    manual m;
    auto waits = [&]() -> task<> {
      co_await manual_operation(m);
      co_await when_all(sleeps(log, 'a'), sleeps_on_fiber(log, 'b'));
    };
    auto make = [&] { return waits(); };
    auto body = [&]() -> task<> {
      auto handle = spawn_in(in, make);
      co_await yield_now();
      co_await yield_now();
      m.complete(1);  // completion beats stop, and the next wait stops
      handle.request_stop();
      EXPECT_EQ((co_await handle).error(), errc::stopped);
    };
    run(body());
    EXPECT_EQ(log, "");
  }
}

TEST(stop_of_combinators, in_the_turn_in_which_fibers_are_to_begin_ends_them_at_their_first_wait) {
  for (const auto in : each_style) {
    counted::alive = 0;
    std::string log;
    auto make = [&] { return when_all(sleeps_on_fiber(log, 'a'), sleeps_on_fiber(log, 'b')); };
    for (int turns = 0; turns < 4; ++turns) {
      EXPECT_EQ(stopped_in(in, make, turns).error(), errc::stopped);
      EXPECT_EQ(counted::alive, 0);
      EXPECT_EQ(log.find('!'), std::string::npos);
    }
  }
}

TEST(stop_of_combinators, does_not_beat_children_that_complete_all_the_same) {
  for (const auto in : each_style) {
    manual first, second;
    first.can_be_withdrawn = second.can_be_withdrawn = false;
    const auto complete_both = [&]() -> task<> {
      while (first.cancels == 0 || second.cancels == 0) co_await yield_now();
      second.complete(2), first.complete(1);
    };
    auto all = [&] {
      spawn(complete_both);
      return when_all(manual_operation(first), manual_operation(second), shield(gives(3, 9)));
    };
    EXPECT_EQ(stopped_in(in, all), (std::tuple{1, 2, 3}));

    first.cancels = second.cancels = 0;
    std::string log;
    auto any = [&] {
      spawn(complete_both);
      return when_any(sleeps(log, 'a'), manual_operation(second), manual_operation(first));
    };
    const auto got = stopped_in(in, any);
    ASSERT_TRUE(got);
    EXPECT_FALSE(std::get<0>(*got));
    EXPECT_EQ(std::get<1>(*got), 2);
    EXPECT_EQ(std::get<2>(*got), 1);

    // One that does not is enough for when_all.
    first.cancels = second.cancels = 0;
    auto not_all = [&] {
      spawn(complete_both);
      return when_all(manual_operation(first), manual_operation(second), sleeps(log, 'b'));
    };
    EXPECT_EQ(stopped_in(in, not_all).error(), errc::stopped);
  }
}

TEST(stop_of_combinators, does_not_beat_a_failure_or_a_winner_known_before) {
  for (const auto in : each_style) {
    auto fails = []() -> async<int> {
      co_await yield_now();
      co_return unexpected(errc::closed);
    };
    auto failed = [&] { return when_all(!fails(), shield(gives(1, 30))); };
    EXPECT_EQ(stopped_in(in, failed, 9).error(), errc::closed);
    auto throws_while_stopping = []() -> task<int> {
      co_await shield(gives(1, 9));
      throw std::runtime_error("thrown");
    };
    auto throwing = [&] { return when_all(gives(1, 9), throws_while_stopping()); };
    EXPECT_THROW((void)stopped_in(in, throwing), std::runtime_error);
    auto won = [&] { return when_any(gives(5, 1), shield(gives(6, 30)), gives(7, 30)); };
    const auto got = stopped_in(in, won, 9);
    ASSERT_TRUE(got);
    EXPECT_EQ(*got, (std::tuple{std::optional(5), std::optional(6), std::optional<int>()}));
  }
}

TEST(stop_of_combinators, waits_until_a_shield_around_them_is_over) {
  for (const auto in : each_style) {
    std::string log;
    auto under_shield = [&]() -> task<> {
      const auto [one, two] = co_await shield(when_all(gives(1, 20), gives(2, 30)));
      log += std::to_string(one + two);
      co_await when_all(yield_now());
      log += '!';
    };
    auto make = [&] { return under_shield(); };
    EXPECT_EQ(stopped_in(in, make).error(), errc::stopped);
    EXPECT_EQ(log, "3");
  }
}

TEST(stop_of_combinators, comes_through_a_shield_whose_time_is_over) {
  for (const auto in : each_style) {
    counted::alive = 0;
    std::string log;
    auto make = [&] {
      return shield_for(1ms, when_all(sleeps(log, 'a'), when_any(sleeps(log, 'b'), sleeps(log, 'c'))));
    };
    EXPECT_EQ(stopped_in(in, make).error(), errc::stopped);
    EXPECT_EQ(log, "abc");
    EXPECT_EQ(counted::alive, 0);
  }
}

TEST(stop_of_combinators, runs_destructors_that_wait_for_combinators_on_fibers) {
  std::string log;
  auto body = [&] {
    at_exit says{[&] { log += std::to_string(std::get<1>(await(when_all(yield_now(), gives(5, 5))))); }};
    await(when_all(sleeps(log, 'a')));
    log += '!';
  };
  auto make = [&] { return fiber<void>(body); };
  for (const auto in : each_style) {
    log.clear();
    EXPECT_EQ(stopped_in(in, make).error(), errc::stopped);
    EXPECT_EQ(log, "a5");
  }
}

// Each level waits for the one below it as a child of a combinator.
enum class by { all, any, range, limit, shields, results, cleanups, turns };

task<int> chain(by how, int depth, bool ends) {
  const auto on_the_heap = std::make_unique<counted>(depth);
  if (depth == 0) {
    if (!ends) co_await sleep_for(for_ever);
    co_return 0;
  }
  int below = 0;
  by next = how == by::turns ? static_cast<by>(depth % 7) : how;
  if (next == by::shields && !ends) next = by::all;  // or no stop would arrive
  if (next == by::all) {
    const auto got = co_await when_all(chain(how, depth - 1, ends));
    below = std::get<0>(got);
  } else if (next == by::any) {
    const auto got = co_await when_any(chain(how, depth - 1, ends), sleep_for(for_ever));
    below = *std::get<0>(got);
  } else if (next == by::range) {
    std::vector<task<int>> one;
    one.push_back(chain(how, depth - 1, ends));
    const auto got = co_await when_all(one);
    below = got[0];
  } else if (next == by::shields) {
    below = co_await shield(chain(how, depth - 1, ends));
  } else if (next == by::results) {
    // Goes on after a stop, as far as its next wait.
    const auto got = co_await as_result(chain(how, depth - 1, ends));
    if (!got) co_await yield_now();
    below = *got;
  } else if (next == by::cleanups) {
    below = co_await finally(chain(how, depth - 1, ends), yield_now());
  } else {
    const auto got = co_await with_timeout(for_ever, chain(how, depth - 1, ends));
    below = *got;
  }
  co_return below + 1;
}

constexpr int deep = support::slowly ? 100'000 : 1'000'000;
constexpr by each_way[] = {by::all,     by::any,     by::range,    by::limit,
                           by::shields, by::results, by::cleanups, by::turns};

class deep_chain : public testing::TestWithParam<by> {};

TEST_P(deep_chain, completes_without_growing_the_stack) {
  counted::alive = 0;
  EXPECT_EQ(run(chain(GetParam(), deep, true)), deep);
  EXPECT_EQ(counted::alive, 0);
}

TEST_P(deep_chain, is_stopped_without_growing_the_stack) {
  for (const auto in : each_style) {
    counted::alive = 0;
    auto make = [] { return chain(GetParam(), deep, false); };
    EXPECT_EQ(stopped_in(in, make, deep / 8).error(), errc::stopped);
    EXPECT_EQ(counted::alive, 0);
  }
}

TEST_P(deep_chain, is_stopped_while_it_begins) {
  for (const int turns : {0, 1, 2, 5, 100}) {
    counted::alive = 0;
    auto make = [] { return chain(GetParam(), 10'000, false); };
    EXPECT_EQ(stopped_in(style::task, make, turns).error(), errc::stopped);
    EXPECT_EQ(counted::alive, 0);
  }
}

std::string name_of_way(const testing::TestParamInfo<by>& info) {
  const char* const names[] = {"when_all",     "when_any", "when_all_of_a_range",
                               "with_timeout", "shield",   "as_result",
                               "finally",      "in_turns"};
  return names[static_cast<int>(info.param)];
}
INSTANTIATE_TEST_SUITE_P(ways, deep_chain, testing::ValuesIn(each_way), name_of_way);

TEST(combinators, allocate_nothing_but_frames_which_are_recycled) {
  if (config::sanitized) GTEST_SKIP() << "under a sanitizer every frame is allocated";
  // One frame for each: one for all would be larger than those that are recycled, and so is one for expect.
  auto all = []() -> task<> { co_await when_all(gives(1, 1), gives(2), yield_now()); };
  auto any = []() -> task<> { co_await when_any(gives(1, 1), sleep_for(for_ever)); };
  auto alternative = []() -> task<> { co_await when_any(gives(1, 1), timeout(for_ever)); };
  auto limit = []() -> task<> { (void)co_await with_timeout(for_ever, gives(1, 2)); };
  auto round = [&]() -> task<> {
    co_await all();
    co_await any();
    co_await alternative();
    co_await limit();
  };
  run([&]() -> task<> {
    co_await round();
    const auto before = counted_allocations::made;
    for (int i = 0; i < 100; ++i) co_await round();
    EXPECT_EQ(counted_allocations::made, before);
  }());
}

}  // namespace
