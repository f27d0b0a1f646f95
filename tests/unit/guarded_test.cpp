#include <cordage/guarded.hpp>

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/time.hpp>
#include <cordage/when.hpp>

#include "both_styles.hpp"
#include "slowly.hpp"
#include "stands_in_line.hpp"

namespace {

using namespace cordage;
using namespace std::chrono_literals;
using namespace support;

// Whether nobody has it; with no time to wait.
task<bool> is_free(guarded<int>& of) {
  co_return (co_await with_timeout(0s, of.lock())).has_value();
}

TEST(guarded, is_made_of_what_its_value_is_made_of) {
  guarded<std::vector<int>> of_arguments(3, 7);
  guarded deduced(std::string("x"));
  static_assert(std::is_same_v<decltype(deduced), guarded<std::string>>);
  struct only_default {
    std::atomic<int> pinned{5};
  };
  guarded<only_default> cannot_move;
  for (const style in : each_style) {
    EXPECT_EQ(await_in(in, [&] { return of_arguments.lock(); })->size(), 3U);
    EXPECT_EQ(*await_in(in, [&] { return deduced.lock(); }), "x");
    EXPECT_EQ(await_in(in, [&] { return cannot_move.lock(); })->pinned, 5);
  }
}

TEST(guarded, gives_access_until_that_is_destroyed_or_unlocked) {
  using access = guarded<int>::access;
  static_assert(!std::is_copy_constructible_v<access> && !std::is_copy_assignable_v<access>);
  guarded<int> number(1), other(2);
  auto all = [&]() -> task<> {
    {
      auto held = co_await number.lock();
      *held = 5;
      EXPECT_FALSE(co_await is_free(number));
      auto moved = std::move(held);
      EXPECT_FALSE(co_await is_free(number));
      moved = co_await other.lock();
      EXPECT_TRUE(co_await is_free(number)) << "what is assigned to gives back what it had";
      EXPECT_EQ(*moved, 2);
      moved.unlock();
      EXPECT_TRUE(co_await is_free(other));
    }
    auto held = co_await number.lock();
    EXPECT_EQ(*held, 5);
    std::thread([&held] { const auto taken = std::move(held); }).join();
    EXPECT_TRUE(co_await is_free(number)) << "unlocked by another thread";
  };
  run(all());
}

TEST(guarded, goes_to_those_who_wait_in_their_order) {
  guarded<int> number(0);
  expect_first_in_first_out([&] { return number.lock(); });
  auto is_even = [](const int& n) { return n % 2 == 0; };
  expect_first_in_first_out([&] { return number.wait_until(is_even); });
}

TEST(guarded, is_not_taken_from_those_who_wait_by_a_loop_that_unlocks_and_locks_again) {
  guarded<int> number(0);
  expect_a_loop_does_not_overtake([&] { return number.lock(); });
}

TEST(guarded, is_not_lost_to_whom_a_stop_finds_before_when_or_after_it_is_handed_over) {
  guarded<int> number(0);
  expect_a_stop_loses_nothing([&] { return number.lock(); });
  auto is_zero = [](const int& n) { return n == 0; };
  expect_a_stop_loses_nothing([&] { return number.wait_until(is_zero); });
}

TEST(guarded, that_is_free_is_not_locked_by_a_strand_that_is_to_stop) {
  guarded<int> number(0);
  bool looked = false;
  auto looks = [&](const int&) { return looked = true; };
  expect_a_stopping_strand_takes_nothing([&] { return number.lock(); });
  expect_a_stopping_strand_takes_nothing([&] { return number.wait_until(looks); });
  EXPECT_FALSE(looked);
  EXPECT_TRUE(run(is_free(number)));
}

TEST(guarded, that_is_always_free_lets_others_go_on) {
  guarded<int> number(0);
  expect_ready_at_once_lets_others_go_on([&] { return number.lock(); });
  auto is_zero = [](const int& n) { return n == 0; };
  expect_ready_at_once_lets_others_go_on([&] { return number.wait_until(is_zero); });
}

TEST(guarded, waits_until_a_condition_holds_at_once_or_later) {
  for (const style in : each_style) {
    guarded<int> number(3);
    std::string order;
    auto waits_for = [&](int wanted) {
      return [&number, wanted]() -> task<int> {
        auto is_there = [wanted](const int& n) { return n >= wanted; };
        const auto held = co_await number.wait_until(is_there);
        co_return *held;
      };
    };
    auto nothing = [](auto&) -> task<> { co_return; };
    EXPECT_TRUE(wait_and_act(in, order, waits_for(3), nothing));
    EXPECT_EQ(order, "3+!");
    auto counts = [&](auto& handle) -> task<> {
      for (const int next : {4, 5, 6}) {
        EXPECT_FALSE(handle.ready());
        auto held = co_await number.lock();
        *held = next;
        held.unlock();
        co_await turns(3);
      }
    };
    EXPECT_TRUE(wait_and_act(in, order, waits_for(6), counts));
    EXPECT_EQ(order, "6+!");
  }
}

TEST(guarded, keeps_the_condition_which_may_change_and_cannot_change_the_value) {
  guarded<int> number(0);
  auto third_time = [kept = std::make_shared<int>(0)](const auto& n) mutable {
    static_assert(std::is_const_v<std::remove_reference_t<decltype(n)>>);
    return ++*kept == 3;
  };
  auto waits = [&]() -> task<> {
    auto op = number.wait_until(outside_await(std::move(third_time)));
    const auto held = co_await op;
  };
  auto all = [&]() -> task<> {
    auto waiter = spawn(waits);
    co_await turns(2);
    for (int i = 0; i < 2; ++i) {
      EXPECT_FALSE(waiter.ready());
      const auto held = co_await number.lock();
    }
    EXPECT_TRUE((co_await waiter).has_value());
  };
  run(all());
}

TEST(guarded, goes_to_the_one_that_waits_longest_of_those_whose_condition_holds) {
  guarded<int> number(0);
  std::string log;
  auto odd = [](const int& n) { return n % 2 == 1; };
  auto even = [](const int& n) { return n != 0 && n % 2 == 0; };
  auto all = [&]() -> task<> {
    std::vector<join_handle<void>> waiters;
    for (int i = 0; i < 4; ++i) {
      auto waits_for_odd = [&] { return number.wait_until(odd); };
      auto waits_for_even = [&] { return number.wait_until(even); };
      waiters.push_back(spawn_waiter(style_of(i), log, static_cast<char>('a' + i), waits_for_odd, 3));
      waiters.push_back(spawn_waiter(style_of(i + 1), log, static_cast<char>('A' + i), waits_for_even, 3));
    }
    co_await turns(3);
    *co_await number.lock() = 2;
    // All that wait for an even number have it, one after the other, and who only locks goes behind them.
    auto held = co_await number.lock();
    EXPECT_EQ(log, "ABCD");
    *held = 1;
    held.unlock();
    for (auto& each : waiters) EXPECT_TRUE((co_await each).has_value());
  };
  run(all());
  EXPECT_EQ(log, "ABCDabcd");
}

TEST(guarded, lets_who_only_locks_pass_by_conditions_that_do_not_hold) {
  guarded<int> number(0);
  std::string log;
  auto is_one = [](const int& n) { return n == 1; };
  auto waits = [&] { return number.wait_until(is_one); };
  auto locks = [&] { return number.lock(); };
  auto all = [&]() -> task<> {
    auto first = co_await number.lock();
    auto one = spawn_waiter(style::task, log, 'c', waits);
    auto other = spawn_waiter(style::fiber, log, 'l', locks);
    co_await turns(2);
    first.unlock();
    EXPECT_TRUE((co_await other).has_value());
    EXPECT_EQ(log, "l");
    *co_await number.lock() = 1;
    EXPECT_TRUE((co_await one).has_value());
  };
  run(all());
  EXPECT_EQ(log, "lc");
}

// One strand makes what others wait for, and each of them hands on to the next: without a notification.
TEST(guarded, hands_on_along_a_chain_of_conditions) {
  guarded<int> number(0);
  constexpr int length = 1000;
  auto all = [&]() -> task<> {
    std::vector<join_handle<void>> waiters;
    for (int i = length; i > 0; --i) {
      auto in_task = [&number, i]() -> task<> {
        auto is_there = [i](const int& n) { return n == i; };
        ++*co_await number.wait_until(is_there);
      };
      auto on_fiber = [&number, i] { ++*await(number.wait_until([i](const int& n) { return n == i; })); };
      if (style_of(i) == style::task) {
        waiters.push_back(spawn(in_task));
      } else {
        waiters.push_back(spawn(on_fiber));
      }
    }
    co_await turns(2);
    *co_await number.lock() = 1;
    for (auto& each : waiters) EXPECT_TRUE((co_await each).has_value());
    const auto held = co_await number.lock();
    EXPECT_EQ(*held, length + 1);
  };
  run(all());
}

// Who begins to wait changes nothing that others wait for.
TEST(guarded, looks_at_a_condition_when_the_wait_begins_and_whenever_the_value_is_unlocked_only) {
  constexpr int waiters = 1000;
  guarded<bool> open(false);
  int looks = 0;
  auto is_open = [&looks](const bool& is) {
    ++looks;
    return is;
  };
  auto waits = [&] { return open.wait_until(is_open); };
  auto all = [&]() -> task<> {
    std::vector<join_handle<void>> handles;
    for (int i = 0; i < waiters; ++i) handles.push_back(spawn_waiter({}, style_of(i), waits, [] {}, 0));
    co_await turns(2);
    EXPECT_EQ(looks, waiters);
    looks = 0;
    (co_await open.lock()).unlock();
    EXPECT_EQ(looks, waiters);
    looks = 0;
    *co_await open.lock() = true;
    for (auto& each : handles) EXPECT_TRUE((co_await each).has_value());
    EXPECT_EQ(looks, waiters);
  };
  run(all());
}

TEST(guarded, has_a_hundred_thousand_waiters) {
  static constexpr int waiters = support::slowly ? 10'000 : 100'000;
  guarded<int> admitted(-1);
  auto may_enter = [](const int& n) { return n >= 0; };
  auto waits = [&]() -> task<> { ++*co_await admitted.wait_until(may_enter); };
  auto all = [&]() -> task<> {
    for (int i = 0; i < waiters; ++i) (void)spawn(waits);
    co_await turns(2);
    *co_await admitted.lock() = 0;
    auto is_last = [](const int& n) { return n == waiters; };
    const auto held = co_await admitted.wait_until(is_last);
  };
  run(all());
}

TEST(guarded, is_given_up_at_the_end_of_a_time) {
  for (const style in : each_style) {
    guarded<int> number(0);
    auto is_one = [](const int& n) { return n == 1; };
    EXPECT_EQ(await_in(in, [&] { return with_timeout(1us, number.wait_until(is_one)); }).error(), errc::timed_out);
    *await_in(in, [&] { return number.lock(); }) = 1;
    EXPECT_EQ(**await_in(in, [&] { return with_timeout(1h, number.wait_until(is_one)); }), 1);
  }
}

TEST(guarded, in_a_select_is_locked_only_where_its_condition_holds_first) {
  for (const style in : each_style) {
    for (const int which : {0, 1}) {
      guarded<int> both[] = {guarded<int>(0), guarded<int>(0)};
      std::string order;
      auto is_one = [](const int& n) { return n == 1; };
      auto selects = [&]() -> task<int> {
        const auto [first, second] = co_await select(both[0].wait_until(is_one), both[1].wait_until(is_one));
        EXPECT_NE(first.has_value(), second.has_value());
        co_return first ? 0 : 1;
      };
      // Both in one turn: the second finds the select decided, and the value goes on to whoever comes.
      auto sets = [&](auto&) -> task<> {
        auto held = co_await both[which].lock();
        auto other = co_await both[1 - which].lock();
        *held = *other = 1;
        held.unlock();
        other.unlock();
        const bool other_is_free = co_await is_free(both[1 - which]);
        EXPECT_TRUE(other_is_free);
      };
      EXPECT_TRUE(wait_and_act(in, order, selects, sets));
      EXPECT_EQ(order, std::to_string(which) + "+!");
      EXPECT_TRUE(run(is_free(both[0])) && run(is_free(both[1])));
    }
  }
}

TEST(guarded, in_a_select_of_two_that_are_there_is_locked_once) {
  for (const style in : each_style) {
    guarded<int> first(0), second(0);
    auto got = await_in(in, [&] { return select(first.lock(), second.lock()); });
    EXPECT_TRUE(std::get<0>(got).has_value());
    EXPECT_FALSE(std::get<1>(got).has_value());
    EXPECT_FALSE(run(is_free(first)));
    EXPECT_TRUE(run(is_free(second)));
  }
}

TEST(guarded, tells_a_dump_who_has_it) {
  guarded<int> number(0);
  auto locks = [&] { return number.lock(); };
  std::string seen = seen_while_it_waits(dump_format::text, locks, false);
  EXPECT_NE(seen.find("fiber \"waiter\" waits for guarded.lock, held by 2\n"), seen.npos) << seen;
  auto is_zero = [](const int& n) { return n == 0; };
  auto waits = [&] { return number.wait_until(is_zero); };
  seen = seen_while_it_waits(dump_format::text, waits, false);
  EXPECT_NE(seen.find("fiber \"waiter\" waits for guarded.wait_until, held by 2\n"), seen.npos) << seen;
  seen = seen_while_it_waits(dump_format::text, locks, true);
  EXPECT_NE(seen.find("fiber \"waiter\" waits for guarded.lock\n"), seen.npos) << seen;
}

TEST(guarded_death, is_not_destroyed_while_somebody_waits_for_it) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  auto destroy_while = [](style in, std::string_view name) {
    auto never = [](const int& n) { return n == 1; };
    destroy_while_awaited(std::make_unique<guarded<int>>(0), in, name, [&](guarded<int>& g) { return g.wait_until(never); });
  };
  EXPECT_DEATH(destroy_while(style::task, "consumer"),
               "a guarded value was destroyed while task \"consumer\" waits for it; who shares it has to keep it alive");
  EXPECT_DEATH(destroy_while(style::fiber, ""), "a guarded value was destroyed while a fiber waits for it; who");
}

TEST(guarded_death, must_not_be_unlocked_twice) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  auto unlock_twice = [] {
    guarded<int> number(0);
    auto held = sync_wait(number.lock());
    held.unlock();
    held.unlock();
  };
  EXPECT_DEATH(unlock_twice(), "unlocked twice, or after it was moved from");
}

}  // namespace
