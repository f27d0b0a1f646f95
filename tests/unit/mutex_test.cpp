#include <cordage/mutex.hpp>

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

bool is_free(mutex& m) { return static_cast<bool>(m.try_lock()); }

TEST(mutex, gives_a_guard_that_unlocks_at_the_end_of_the_block) {
  for (const style in : each_style) {
    mutex m;
    bool was_free = true;
    auto takes = [&] { return m.lock(); };
    auto looks = [&] { was_free = is_free(m); };
    auto all = [&]() -> task<> { EXPECT_TRUE((co_await spawn_waiter({}, in, takes, looks, 0)).has_value()); };
    run(all());
    EXPECT_FALSE(was_free);
    EXPECT_TRUE(is_free(m));
  }
}

TEST(mutex, may_be_held_while_waiting_for_other_things) {
  mutex m;
  bool inside = false;
  auto takes = [&] { return m.lock(); };
  auto all = [&]() -> task<> {
    auto held = co_await m.lock();
    auto other = spawn_waiter({}, style::fiber, takes, [&] { inside = true; }, 0);
    co_await sleep_for(1us);
    co_await turns(10);
    EXPECT_FALSE(inside);
    held.unlock();
    EXPECT_TRUE((co_await other).has_value());
    EXPECT_TRUE(inside);
  };
  run(all());
}

TEST(mutex, goes_to_those_who_wait_in_their_order) {
  mutex m;
  expect_first_in_first_out([&] { return m.lock(); });
}

TEST(mutex, is_not_taken_from_those_who_wait_by_a_loop_that_unlocks_and_locks_again) {
  mutex m;
  expect_a_loop_does_not_overtake([&] { return m.lock(); });
}

TEST(mutex, is_tried_at_once_or_not_at_all_also_where_there_is_no_strand) {
  mutex m;
  auto held = m.try_lock();
  EXPECT_TRUE(held);
  EXPECT_FALSE(m.try_lock());
  held.unlock();
  EXPECT_TRUE(m.try_lock());
  // Not even when it has been unlocked, if somebody waits: it is theirs already.
  auto all = [&]() -> task<> {
    auto mine = co_await m.lock();
    auto takes = [&] { return m.lock(); };
    auto waiter = spawn_waiter({}, style::task, takes, [] {}, 0);
    co_await yield_now();
    mine.unlock();
    EXPECT_FALSE(m.try_lock());
    EXPECT_TRUE((co_await waiter).has_value());
    EXPECT_TRUE(m.try_lock());
  };
  run(all());
}

TEST(mutex, is_not_recursive_a_strand_that_locks_it_twice_waits_for_itself) {
  for (const style in : each_style) {
    mutex m;
    std::string order;
    auto locks_twice = [&]() -> task<> {
      const auto first = co_await m.lock();
      const auto second = co_await m.lock();
    };
    auto stops = [](auto& handle) -> task<> {
      handle.request_stop();
      co_return;
    };
    EXPECT_EQ(wait_and_act(in, order, locks_twice, stops).error(), errc::stopped);
    EXPECT_EQ(order, "");
    EXPECT_TRUE(is_free(m));
  }
}

TEST(mutex_guard, moves_and_is_false_where_it_holds_nothing) {
  static_assert(!std::is_copy_constructible_v<mutex::guard> && !std::is_copy_assignable_v<mutex::guard>);
  mutex m;
  mutex::guard nothing;
  EXPECT_FALSE(nothing);
  auto held = m.try_lock();
  auto moved = std::move(held);
  EXPECT_FALSE(held);
  EXPECT_TRUE(moved);
  EXPECT_FALSE(is_free(m));
  auto& same = moved;
  moved = std::move(same);
  EXPECT_TRUE(moved);
  EXPECT_FALSE(is_free(m));
  nothing = std::move(moved);
  EXPECT_FALSE(moved);
  EXPECT_FALSE(is_free(m));
  nothing = mutex::guard();
  EXPECT_TRUE(is_free(m)) << "what is assigned to gives back what it held";
}

TEST(mutex_guard, of_another_mutex_may_be_assigned) {
  mutex one, other;
  auto held = one.try_lock();
  held = other.try_lock();
  EXPECT_TRUE(is_free(one));
  EXPECT_FALSE(is_free(other));
}

TEST(mutex_guard, is_unlocked_early_and_on_another_thread) {
  mutex m;
  auto all = [&]() -> task<> {
    auto held = co_await m.lock();
    held.unlock();
    EXPECT_FALSE(held);
    EXPECT_TRUE(is_free(m));
    held = co_await m.lock();
    for (const style in : each_style) {
      auto takes = [&] { return m.lock(); };
      auto waiter = spawn_waiter({}, in, takes, [] {}, 0);
      co_await yield_now();
      std::thread([&held] { const auto taken = std::move(held); }).join();
      EXPECT_TRUE((co_await waiter).has_value());
      held = co_await m.lock();
    }
  };
  run(all());
  EXPECT_TRUE(is_free(m));
}

TEST(mutex, is_not_lost_to_whom_a_stop_finds_before_when_or_after_it_is_handed_over) {
  mutex m;
  expect_a_stop_loses_nothing([&] { return m.lock(); });
  EXPECT_TRUE(is_free(m));
}

TEST(mutex, that_is_free_is_not_locked_by_a_strand_that_is_to_stop) {
  mutex m;
  expect_a_stopping_strand_takes_nothing([&] { return m.lock(); });
  EXPECT_TRUE(is_free(m));
}

TEST(mutex, that_is_always_free_lets_others_go_on) {
  mutex m;
  expect_ready_at_once_lets_others_go_on([&] { return m.lock(); });
}

TEST(mutex, stops_many_waiters_at_once) {
  mutex m;
  auto takes = [&] { return m.lock(); };
  auto all = [&]() -> task<> {
    auto held = co_await m.lock();
    std::vector<join_handle<void>> waiters;
    for (int i = 0; i < 1000; ++i) waiters.push_back(spawn_waiter({}, style_of(i), takes, [] {}, 0));
    co_await turns(2);
    for (auto& each : waiters) each.request_stop();
    for (auto& each : waiters) EXPECT_EQ((co_await each).error(), errc::stopped);
    held.unlock();
    EXPECT_TRUE(is_free(m));
  };
  run(all());
}

TEST(mutex, is_given_up_at_the_end_of_a_time) {
  for (const style in : each_style) {
    mutex m;
    auto held = m.try_lock();
    auto got = await_in(in, [&] { return with_timeout(1us, m.lock()); });
    EXPECT_EQ(got.error(), errc::timed_out);
    held.unlock();
    got = await_in(in, [&] { return with_timeout(0s, m.lock()); });
    EXPECT_TRUE(got.has_value()) << "what is free needs no time";
    EXPECT_FALSE(is_free(m));
  }
}

TEST(mutex, keeps_strands_of_two_runtimes_and_threads_apart) {
  mutex m;
  int passed = 0;  // no atomic: the mutex is what keeps them apart
  pass_around([&] { return m.lock(); }, [&] { return m.try_lock(); }, [&] { ++passed; });
  EXPECT_EQ(passed, passed_around);
  EXPECT_TRUE(is_free(m));
}

TEST(mutex, in_a_select_of_two_that_are_free_is_locked_once) {
  for (const style in : each_style) {
    mutex first, second;
    auto got = await_in(in, [&] { return select(first.lock(), second.lock()); });
    EXPECT_TRUE(std::get<0>(got).has_value());
    EXPECT_FALSE(std::get<1>(got).has_value());
    EXPECT_FALSE(is_free(first));
    EXPECT_TRUE(is_free(second));
  }
}

TEST(mutex, in_a_select_is_locked_where_it_is_unlocked_first) {
  for (const style in : each_style) {
    for (const int which : {0, 1}) {
      mutex both[2];
      mutex::guard held[] = {both[0].try_lock(), both[1].try_lock()};
      std::string order;
      auto selects = [&]() -> task<int> {
        const auto [first, second] = co_await select(both[0].lock(), both[1].lock());
        EXPECT_NE(first.has_value(), second.has_value());
        co_return first ? 0 : 1;
      };
      auto unlocks = [&](auto&) -> task<> {
        held[which].unlock();
        co_return;
      };
      EXPECT_TRUE(wait_and_act(in, order, selects, unlocks));
      EXPECT_EQ(order, std::to_string(which) + "+!");
      EXPECT_TRUE(is_free(both[which]));
      held[1 - which].unlock();
      EXPECT_TRUE(is_free(both[1 - which])) << "what loses has locked nothing";
    }
  }
}

TEST(mutex, in_a_select_of_two_that_are_unlocked_at_once_goes_to_the_next_in_line) {
  for (const style in : each_style) {
    for (const int earlier : {0, 1}) {
      mutex both[2];
      std::string log;
      auto selects = [&]() -> task<> {
        const auto [first, second] = co_await select(both[0].lock(), both[1].lock());
        EXPECT_EQ(first.has_value(), earlier == 0);
        EXPECT_EQ(second.has_value(), earlier == 1);
        log += 's';
        // Keeps what it has; the other one must not wait for that.
        while (log.size() < 2) co_await yield_now();
      };
      auto all = [&]() -> task<> {
        mutex::guard held[] = {both[0].try_lock(), both[1].try_lock()};
        auto selecting = in == style::task ? spawn(selects) : spawn([&] { await(selects()); });
        co_await turns(2);
        auto takes_other = [&] { return both[1 - earlier].lock(); };
        auto next = spawn_waiter(in, log, 'n', takes_other);
        co_await turns(2);
        held[earlier].unlock();
        held[1 - earlier].unlock();
        EXPECT_TRUE((co_await next).has_value());
        EXPECT_TRUE((co_await selecting).has_value());
      };
      run(all());
      EXPECT_TRUE(is_free(both[0]) && is_free(both[1]));
    }
  }
}

TEST(mutex, in_a_select_that_is_stopped_is_not_locked) {
  for (const style in : each_style) {
    mutex both[2];
    mutex::guard held[] = {both[0].try_lock(), both[1].try_lock()};
    std::string order;
    auto selects = [&]() -> task<int> {
      co_await select(both[0].lock(), both[1].lock());
      co_return 1;
    };
    auto stops = [](auto& handle) -> task<> {
      handle.request_stop();
      co_return;
    };
    EXPECT_EQ(wait_and_act(in, order, selects, stops).error(), errc::stopped);
    EXPECT_EQ(order, "");
    for (int i : {0, 1}) {
      held[i].unlock();
      EXPECT_TRUE(is_free(both[i]));
    }
  }
}

// An alternative that begins when another has completed already, which nobody knows yet: the turn's budget was spent.
TEST(mutex, that_is_free_can_be_locked_while_a_select_in_vain_is_about_to_give_it_up) {
  mutex first, second;
  bool selected = false;
  auto selects = [&]() -> task<> {
    for (int i = 1; i < executor::turn_budget; ++i) {
      const auto one = co_await first.lock();
    }
    const auto [one, other] = co_await select(first.lock(), second.lock());
    EXPECT_TRUE(one.has_value());
    EXPECT_FALSE(other.has_value());
    selected = true;
  };
  auto all = [&]() -> task<> {
    auto handle = spawn(selects);
    co_await yield_now();
    EXPECT_FALSE(selected);
    EXPECT_FALSE(is_free(first));
    EXPECT_TRUE(is_free(second)) << "nobody has it, and nobody will";
    EXPECT_TRUE((co_await handle).has_value());
  };
  run(all());
  EXPECT_TRUE(is_free(first) && is_free(second));
}

// Two selects on two runtimes over the same two mutexes, while both are unlocked by threads.
TEST(mutex, in_selects_on_two_threads_is_never_locked_by_two_nor_lost) {
  mutex both[2];
  int had[2] = {0, 0};
  const int times = support::slowly ? 1'000 : 2'500;
  auto strand = [&](int number) -> task<> {
    for (int i = 0; i < times; ++i) {
      const std::size_t first = static_cast<std::size_t>(number % 2);
      const auto [one, other] = co_await select(both[first].lock(), both[1 - first].lock());
      EXPECT_NE(one.has_value(), other.has_value());
      ++had[one ? first : 1 - first];
      if (i % 4 == 0) co_await yield_now();
    }
  };
  run_on_two_threads(2, strand);
  EXPECT_EQ(had[0] + had[1], 4 * times);
  EXPECT_TRUE(is_free(both[0]) && is_free(both[1]));
}

TEST(mutex, tells_a_dump_who_has_it) {
  mutex m;
  auto locks = [&] { return m.lock(); };
  std::string seen = seen_while_it_waits(dump_format::text, locks, false);
  EXPECT_NE(seen.find(" 2  task \"holder\" "), seen.npos) << seen;
  EXPECT_NE(seen.find("fiber \"waiter\" waits for mutex.lock, held by 2\n"), seen.npos) << seen;
  seen = seen_while_it_waits(dump_format::json, locks, false);
  EXPECT_NE(seen.find("\"held_by\": 2"), seen.npos) << seen;
}

TEST(mutex, tells_a_dump_nothing_of_a_holder_that_has_ended) {
  mutex m;
  auto locks = [&] { return m.lock(); };
  std::string seen = seen_while_it_waits(dump_format::text, locks, true);
  EXPECT_NE(seen.find("fiber \"waiter\" waits for mutex.lock\n"), seen.npos) << seen;
  seen = seen_while_it_waits(dump_format::json, locks, true);
  EXPECT_EQ(seen.find("\"held_by\": 2"), seen.npos) << seen;
  EXPECT_EQ(seen.find("\"held_by\": 1"), seen.npos) << seen;
}

TEST(mutex_death, is_not_destroyed_while_somebody_waits_for_it) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  auto destroy_while = [](style in, std::string_view name) {
    auto held = std::make_unique<mutex>();
    auto mine = held->try_lock();
    destroy_while_awaited(std::move(held), in, name, [](mutex& m) { return m.lock(); });
  };
  EXPECT_DEATH(destroy_while(style::task, ""), "a mutex was destroyed while a task waits for it; who shares it has to keep it alive");
  EXPECT_DEATH(destroy_while(style::fiber, ""), "a mutex was destroyed while a fiber waits for it; who");
  EXPECT_DEATH(destroy_while(style::task, "poller"), "a mutex was destroyed while task \"poller\" waits for it; who");
  EXPECT_DEATH(destroy_while(style::fiber, "poller"), "a mutex was destroyed while fiber \"poller\" waits for it; who");
}

TEST(mutex_death, must_not_be_unlocked_by_a_guard_that_holds_nothing) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(mutex::guard().unlock(), "what was unlocked is not held");
  EXPECT_DEATH(
      {
        mutex m;
        auto held = m.try_lock();
        held.unlock();
        held.unlock();
      },
      "what was unlocked is not held");
  EXPECT_DEATH(
      {
        mutex m;
        auto held = m.try_lock();
        auto moved = std::move(held);
        held.unlock();
      },
      "what was unlocked is not held");
}

}  // namespace
