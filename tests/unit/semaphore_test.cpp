#include <cordage/semaphore.hpp>

#include <atomic>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/promise.hpp>
#include <cordage/time.hpp>
#include <cordage/when.hpp>

#include "both_styles.hpp"
#include "many_waiters.hpp"
#include "slowly.hpp"
#include "stands_in_line.hpp"

namespace {

using namespace cordage;
using namespace std::chrono_literals;
using namespace support;

TEST(semaphore, gives_permits_that_are_there_at_once) {
  for (const style in : each_style) {
    semaphore permits(5);
    await_in(in, [&] { return permits.acquire(); });
    EXPECT_EQ(permits.available(), 4U);
    await_in(in, [&] { return permits.acquire(4); });
    EXPECT_EQ(permits.available(), 0U);
    await_in(in, [&] { return permits.acquire(0); });
    permits.release(5);
    EXPECT_EQ(permits.available(), 5U);
  }
}

TEST(semaphore, gives_permits_back_at_the_end_of_the_block_or_early_or_elsewhere) {
  static_assert(!std::is_copy_constructible_v<semaphore::permits> && !std::is_copy_assignable_v<semaphore::permits>);
  for (const style in : each_style) {
    semaphore all(5);
    {
      auto one = await_in(in, [&] { return all.permit(); });
      auto three = await_in(in, [&] { return all.permit(3); });
      EXPECT_TRUE(one && three);
      EXPECT_EQ(all.available(), 1U);
      one = std::move(three);
      EXPECT_EQ(all.available(), 2U) << "what is assigned to gives back what it held";
      EXPECT_TRUE(one);
      EXPECT_FALSE(three);
      three = await_in(in, [&] { return all.permit(); });
      three.unlock();
      EXPECT_FALSE(three);
      EXPECT_EQ(all.available(), 2U);
      three = await_in(in, [&] { return all.permit(2); });
      std::thread([&] { const auto taken = std::move(three); }).join();
      EXPECT_EQ(all.available(), 2U);
    }
    EXPECT_EQ(all.available(), 5U);
  }
  EXPECT_FALSE(semaphore::permits());
}

TEST(semaphore, is_tried_at_once_or_not_at_all_also_where_there_is_no_strand) {
  semaphore permits(3);
  EXPECT_FALSE(permits.try_acquire(4));
  EXPECT_EQ(permits.available(), 3U);
  EXPECT_TRUE(permits.try_acquire(2));
  EXPECT_FALSE(permits.try_acquire(2));
  EXPECT_TRUE(permits.try_acquire());
  EXPECT_FALSE(permits.try_acquire());
  permits.release(3);
  EXPECT_EQ(permits.available(), 3U);
}

TEST(semaphore, takes_permits_that_nobody_has_acquired) {
  semaphore permits(0);
  EXPECT_FALSE(permits.try_acquire());
  permits.release(7);
  EXPECT_TRUE(permits.try_acquire(7));
  semaphore full(std::numeric_limits<std::size_t>::max());
  EXPECT_TRUE(full.try_acquire(3));
  full.release(3);
  EXPECT_EQ(full.available(), std::numeric_limits<std::size_t>::max());
}

TEST(semaphore, of_one_is_passed_on_as_a_mutex_is) {
  semaphore one(1);
  auto make = [&] { return one.permit(); };
  expect_first_in_first_out(make);
  expect_a_loop_does_not_overtake(make);
  expect_a_stop_loses_nothing(make);
  expect_a_stopping_strand_takes_nothing(make);
  expect_a_stopping_strand_takes_nothing([&] { return one.acquire(); });
  expect_ready_at_once_lets_others_go_on(make);
  expect_ready_at_once_lets_others_go_on([&] { return one.acquire(0); });
  EXPECT_EQ(one.available(), 1U);
}

// Strands that acquire so many, one after the other; each writes its name when it has them.
struct line_of_strands {
  semaphore permits;
  std::string log{};
  std::vector<join_handle<void>> strands{};

  void add(style in, char name, std::size_t count) {
    auto acquires = [this, count] { return permits.acquire(count); };
    strands.push_back(spawn_waiter(in, log, name, acquires, 0));
  }
  task<> all_end() {
    for (auto& each : strands) (void)co_await each;
  }
};

TEST(semaphore, does_not_let_who_asks_for_few_overtake_who_asks_for_many) {
  for (const style in : each_style) {
    line_of_strands line{semaphore(2)};
    auto all = [&]() -> task<> {
      line.add(in, 'm', 5);
      co_await turns(2);
      EXPECT_FALSE(line.permits.try_acquire()) << "there are two, for who waits";
      line.add(in, 'a', 1);
      line.add(in, 'b', 1);
      co_await turns(3);
      EXPECT_EQ(line.log, "");
      line.permits.release(2);
      co_await turns(3);
      EXPECT_EQ(line.log, "");
      EXPECT_EQ(line.permits.available(), 4U);
      line.permits.release(2);
      co_await turns(3);
      EXPECT_EQ(line.log, "ma");
      line.permits.release(1);
      co_await line.all_end();
    };
    run(all());
    EXPECT_EQ(line.log, "mab");
    EXPECT_EQ(line.permits.available(), 0U);
  }
}

TEST(semaphore, wakes_by_one_release_all_for_whom_there_is_enough) {
  for (const style in : each_style) {
    line_of_strands line{semaphore(0)};
    auto all = [&]() -> task<> {
      line.add(in, 'a', 1);
      line.add(in, 'b', 2);
      line.add(in, 'c', 3);
      line.add(in, 'd', 1);
      co_await turns(2);
      line.permits.release(6);
      co_await turns(2);
      EXPECT_EQ(line.log, "abc");
      std::thread([&] { line.permits.release(); }).join();
      co_await line.all_end();
    };
    run(all());
    EXPECT_EQ(line.log, "abcd");
  }
}

TEST(semaphore, lets_those_in_who_ask_for_few_when_who_asks_for_many_is_stopped) {
  for (const style in : each_style) {
    line_of_strands line{semaphore(2)};
    auto all = [&]() -> task<> {
      line.add(in, 'm', 5);
      line.add(in, 'a', 1);
      line.add(in, 'b', 1);
      line.add(in, 'c', 1);
      co_await turns(3);
      EXPECT_EQ(line.log, "");
      line.strands.front().request_stop();
      co_await turns(3);
      EXPECT_EQ(line.log, "ab");
      line.permits.release();
      co_await line.all_end();
    };
    run(all());
    EXPECT_EQ(line.log, "abc");
  }
}

TEST(semaphore, leaves_what_a_stopped_strand_has_acquired_to_it) {
  for (const style in : each_style) {
    semaphore permits(0);
    std::string log;
    auto acquires = [&] { return permits.acquire(2); };
    auto all = [&]() -> task<> {
      auto strand = spawn_waiter({}, in, acquires, [&] { permits.release(2); }, 1);
      co_await turns(2);
      strand.request_stop();
      std::thread([&] { permits.release(2); }).join();
      EXPECT_EQ(permits.available(), 0U) << "they are its own already";
      EXPECT_EQ((co_await strand).error(), errc::stopped);
    };
    run(all());
    EXPECT_EQ(permits.available(), 2U);
  }
}

TEST(semaphore, is_given_up_at_the_end_of_a_time_and_takes_nothing) {
  for (const style in : each_style) {
    semaphore permits(1);
    EXPECT_EQ(await_in(in, [&] { return with_timeout(1us, permits.acquire(2)); }).error(), errc::timed_out);
    EXPECT_EQ(permits.available(), 1U);
    EXPECT_TRUE(await_in(in, [&] { return with_timeout(0s, permits.permit()); }).has_value());
    EXPECT_EQ(permits.available(), 1U);
  }
}

TEST(semaphore, of_one_permit_serves_one_of_two_selects_and_then_the_other) {
  for (const style in : each_style) {
    semaphore one(1), never(0);
    std::string log;
    auto selects = [&](char name) -> task<> {
      const auto [waited, got] = co_await select(never.acquire(), one.permit());
      EXPECT_TRUE(got.has_value());
      EXPECT_FALSE(waited.has_value());
      log += name;
      co_await yield_now();
      EXPECT_EQ(one.available(), 0U);
    };
    auto all = [&]() -> task<> {
      auto first = in == style::task ? spawn(selects, 'a') : spawn([&] { await(selects('a')); });
      auto second = in == style::task ? spawn(selects, 'b') : spawn([&] { await(selects('b')); });
      EXPECT_TRUE((co_await first).has_value());
      EXPECT_TRUE((co_await second).has_value());
    };
    run(all());
    EXPECT_EQ(log, "ab");
    EXPECT_EQ(one.available(), 1U);
    EXPECT_EQ(never.available(), 0U);
    never.release();
    EXPECT_TRUE(never.try_acquire()) << "nobody stands in line any more";
  }
}

TEST(semaphore, in_a_select_loses_no_permit_whichever_alternative_is_first) {
  for (const style in : each_style) {
    for (const int which : {0, 1}) {
      semaphore both[] = {semaphore(0), semaphore(0)};
      std::string order;
      auto selects = [&]() -> task<int> {
        const auto [first, second] = co_await select(both[0].acquire(2), both[1].acquire(2));
        EXPECT_NE(first.has_value(), second.has_value());
        co_return first ? 0 : 1;
      };
      auto releases = [&](auto&) -> task<> {
        both[which].release(2);
        both[1 - which].release(2);
        co_return;
      };
      EXPECT_TRUE(wait_and_act(in, order, selects, releases));
      EXPECT_EQ(order, std::to_string(which) + "+!");
      EXPECT_EQ(both[which].available(), 0U);
      EXPECT_EQ(both[1 - which].available(), 2U);
    }
  }
}

// A timer fires in the turn in which the permits come.
TEST(semaphore, in_a_select_with_a_time_is_taken_or_not_and_says_so) {
  for (const style in : each_style) {
    for (const bool released_first : {false, true}) {
      semaphore permits(0);
      promise<> over;
      auto at_the_end = over.get_future();
      std::string order;
      auto selects = [&]() -> task<int> {
        const auto [ended, got] = co_await select(std::move(at_the_end), permits.acquire());
        co_return (ended ? 1 : 0) + (got ? 2 : 0);
      };
      auto both = [&](auto&) -> task<> {
        if (released_first) permits.release();
        over.set_value();
        if (!released_first) permits.release();
        co_return;
      };
      EXPECT_TRUE(wait_and_act(in, order, selects, both));
      EXPECT_EQ(permits.available(), order[0] == '1' ? 1U : 0U) << order;
    }
  }
}

TEST(semaphore, conserves_its_permits_among_two_runtimes_and_threads) {
  constexpr std::size_t count = 3;
  semaphore permits(count);
  std::atomic<std::size_t> taken{0};
  auto take = [&](std::size_t some) { EXPECT_LE(taken += some, count); };
  destroyer<semaphore::permits> elsewhere;
  auto tries = [&](int) {
    for (int i = 0; i < 1'000;) {
      if (permits.try_acquire(2)) {
        take(2);
        taken -= 2;
        permits.release(2);
        ++i;
      } else {
        std::this_thread::yield();
      }
    }
  };
  auto strand = [&](int number) -> task<> {
    for (int i = 0; i < 1'000; ++i) {
      const std::size_t some = 1 + static_cast<std::size_t>(i + number) % count;
      if (i % 2 == 0) {
        co_await permits.acquire(some);
        take(some);
        if (i % 3 == 0) co_await yield_now();
        taken -= some;
        permits.release(some);
      } else {
        auto got = co_await permits.permit(some);
        take(some);
        taken -= some;
        if (i % 3 == 0) elsewhere.take(std::move(got));
      }
    }
  };
  {
    const threads outside(2, tries);
    run_on_two_threads(4, strand);
  }
  sync_wait(permits.acquire(count));
  EXPECT_EQ(taken, 0U);
  EXPECT_EQ(permits.available(), 0U);
}

TEST(semaphore, of_one_keeps_strands_and_threads_apart) {
  semaphore one(1);
  int passed = 0;
  pass_around([&] { return one.permit(); },
              [&]() -> std::unique_ptr<semaphore, void (*)(semaphore*)> {
                return {one.try_acquire() ? &one : nullptr, [](semaphore* s) { s->release(); }};
              },
              [&] { ++passed; });
  EXPECT_EQ(passed, passed_around);
  EXPECT_EQ(one.available(), 1U);
}

TEST(semaphore, has_a_hundred_thousand_waiters) { stand_in_line(support::slowly ? 10'000 : 100'000); }

TEST(semaphore_death, is_not_destroyed_while_somebody_waits_for_it) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  auto destroy_while = [](style in, std::string_view name) {
    destroy_while_awaited(std::make_unique<semaphore>(1), in, name, [](semaphore& s) { return s.acquire(2); });
  };
  EXPECT_DEATH(destroy_while(style::fiber, "worker"),
               "a semaphore was destroyed while fiber \"worker\" waits for it; who shares it has to keep it alive");
  EXPECT_DEATH(destroy_while(style::task, ""), "a semaphore was destroyed while a task waits for it; who");
}

TEST(semaphore_death, must_not_be_given_what_was_given_back_or_more_than_it_can_count) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(semaphore::permits().unlock(), "what was unlocked is not held");
  EXPECT_DEATH(semaphore(std::numeric_limits<std::size_t>::max()).release(), "more permits were released than a semaphore");
}

}  // namespace
