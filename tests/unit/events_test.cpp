#include <cordage/events.hpp>

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

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

// Waiters a, b, c … of both styles for an event, and what is done to it while they wait.
template <class Event, class Act>
std::string told(Event& event, int waiters, Act act) {
  std::string log;
  auto waits = [&] { return event.wait(); };
  auto all = [&]() -> task<> {
    std::vector<join_handle<void>> handles;
    for (int i = 0; i < waiters; ++i) handles.push_back(spawn_waiter(style_of(i), log, static_cast<char>('a' + i), waits, 0));
    co_await turns(3);
    co_await act(log);
    for (auto& each : handles) {
      each.request_stop();
      (void)co_await each;
    }
  };
  run(all());
  return log;
}

TEST(manual_reset_event, tells_all_who_wait_in_their_order_and_who_comes_later) {
  manual_reset_event event;
  EXPECT_FALSE(event.is_set());
  EXPECT_FALSE(event.try_wait());
  auto sets = [&](std::string& log) -> task<> {
    EXPECT_EQ(log, "");
    event.set();
    co_await turns(3);
  };
  EXPECT_EQ(told(event, 5, sets), "abcde");
  EXPECT_TRUE(event.is_set());
  EXPECT_TRUE(event.try_wait());
  EXPECT_TRUE(event.is_set()) << "it stays";
  for (const style in : each_style) await_in(in, [&] { return event.wait(); });
}

TEST(manual_reset_event, holds_back_again_when_it_is_reset) {
  manual_reset_event event(true);
  EXPECT_TRUE(event.is_set());
  event.reset();
  EXPECT_FALSE(event.is_set());
  auto waits_in_vain = [&](std::string&) -> task<> { co_await turns(3); };
  EXPECT_EQ(told(event, 2, waits_in_vain), "");
  auto sets_and_resets = [&](std::string&) -> task<> {
    event.set();
    event.reset();
    co_await turns(3);
  };
  EXPECT_EQ(told(event, 3, sets_and_resets), "abc") << "who waited when it was set has been told";
  EXPECT_FALSE(event.try_wait());
}

TEST(auto_reset_event, tells_one_by_each_set_in_their_order) {
  auto_reset_event event;
  auto sets_one_by_one = [&](std::string& log) -> task<> {
    for (const char* const so_far : {"a", "ab", "abc"}) {
      event.set();
      EXPECT_FALSE(event.is_set()) << "it is forgotten";
      co_await turns(3);
      EXPECT_EQ(log, so_far);
    }
  };
  EXPECT_EQ(told(event, 4, sets_one_by_one), "abc");
  auto sets_at_once = [&](std::string&) -> task<> {
    event.set();
    event.set();
    co_await turns(3);
  };
  EXPECT_EQ(told(event, 4, sets_at_once), "ab") << "each found somebody who waited";
  EXPECT_FALSE(event.is_set());
}

TEST(auto_reset_event, that_is_set_twice_before_a_wait_is_set_once) {
  for (const style in : each_style) {
    auto_reset_event event;
    event.set();
    event.set();
    EXPECT_TRUE(event.is_set());
    await_in(in, [&] { return event.wait(); });
    EXPECT_FALSE(event.is_set());
    EXPECT_FALSE(event.try_wait());
    EXPECT_EQ(await_in(in, [&] { return with_timeout(1us, event.wait()); }).error(), errc::timed_out);
    event.set();
    event.reset();
    EXPECT_FALSE(event.is_set());
  }
  auto_reset_event from_the_beginning(true);
  EXPECT_TRUE(from_the_beginning.try_wait());
  EXPECT_FALSE(from_the_beginning.try_wait()) << "trying resets it";
}

TEST(auto_reset_event, is_set_for_the_next_where_a_waiter_has_been_stopped) {
  for (const style in : each_style) {
    auto_reset_event event;
    std::string log;
    auto waits = [&] { return event.wait(); };
    auto all = [&]() -> task<> {
      auto stopped = spawn_waiter(in, log, 'a', waits, 0);
      auto next = spawn_waiter(in, log, 'b', waits, 0);
      co_await turns(2);
      stopped.request_stop();
      co_await turns(2);
      event.set();
      EXPECT_EQ((co_await stopped).error(), errc::stopped);
      EXPECT_TRUE((co_await next).has_value());
    };
    run(all());
    EXPECT_EQ(log, "b");
  }
}

TEST(auto_reset_event, that_was_set_before_a_stop_arrived_counts_as_seen) {
  for (const style in : each_style) {
    auto_reset_event event;
    std::string log;
    auto waits = [&] { return event.wait(); };
    auto all = [&]() -> task<> {
      auto stopped = spawn_waiter(in, log, 'a', waits, 1);
      auto next = spawn_waiter(in, log, 'b', waits, 0);
      co_await turns(2);
      stopped.request_stop();
      std::thread([&] { event.set(); }).join();
      EXPECT_EQ((co_await stopped).error(), errc::stopped);
      co_await turns(2);
      EXPECT_EQ(log, "a") << "it was told, and goes on until its next wait";
      next.request_stop();
      EXPECT_EQ((co_await next).error(), errc::stopped);
    };
    run(all());
  }
}

TEST(events, that_are_set_are_not_seen_by_a_strand_that_is_to_stop) {
  manual_reset_event manual(true);
  auto_reset_event automatic(true);
  expect_a_stopping_strand_takes_nothing([&] { return manual.wait(); });
  expect_a_stopping_strand_takes_nothing([&] { return automatic.wait(); });
  EXPECT_TRUE(automatic.try_wait());
}

TEST(events, that_are_always_set_let_others_go_on) {
  manual_reset_event manual(true);
  auto_reset_event automatic(true);
  expect_ready_at_once_lets_others_go_on([&] { return manual.wait(); });
  expect_ready_at_once_lets_others_go_on([&] {
    automatic.set();
    return automatic.wait();
  });
}

TEST(auto_reset_event, in_a_select_is_reset_for_one_alternative) {
  for (const style in : each_style) {
    auto_reset_event both[] = {auto_reset_event(true), auto_reset_event(true)};
    const auto got = await_in(in, [&] { return select(both[0].wait(), both[1].wait()); });
    EXPECT_TRUE(std::get<0>(got) && !std::get<1>(got));
    EXPECT_TRUE(!both[0].is_set() && both[1].is_set());
  }
}

TEST(auto_reset_event, in_a_select_that_was_told_by_another_stays_set) {
  for (const style in : each_style) {
    for (const int which : {0, 1}) {
      auto_reset_event both[2];
      std::string order;
      auto selects = [&]() -> task<int> {
        const auto [first, second] = co_await select(both[0].wait(), both[1].wait());
        EXPECT_NE(first.has_value(), second.has_value());
        co_return first ? 0 : 1;
      };
      auto sets = [&](auto&) -> task<> {
        both[which].set();
        both[1 - which].set();
        co_return;
      };
      EXPECT_TRUE(wait_and_act(in, order, selects, sets));
      EXPECT_EQ(order, std::to_string(which) + "+!");
      EXPECT_FALSE(both[which].is_set());
      EXPECT_TRUE(both[1 - which].is_set());
    }
  }
}

TEST(auto_reset_event, goes_past_a_select_that_is_decided_to_the_next_who_waits) {
  for (const style in : each_style) {
    auto_reset_event both[2];
    std::string log;
    auto selects = [&]() -> task<> {
      co_await select(both[0].wait(), both[1].wait());
      log += 's';
    };
    auto waits = [&] { return both[1].wait(); };
    auto all = [&]() -> task<> {
      auto selecting = in == style::task ? spawn(selects) : spawn([&] { await(selects()); });
      co_await turns(2);
      auto next = spawn_waiter(in, log, 'n', waits, 0);
      co_await turns(2);
      both[0].set();
      both[1].set();
      EXPECT_TRUE((co_await next).has_value());
      EXPECT_TRUE((co_await selecting).has_value());
    };
    run(all());
    EXPECT_FALSE(both[0].is_set() || both[1].is_set());
  }
}

TEST(manual_reset_event, is_set_by_a_thread_for_strands_of_two_runtimes_which_see_what_that_did) {
  constexpr std::size_t rounds = 10'000 / 4;
  struct round {
    int data = 0;  // no atomic
    manual_reset_event happened;
  };
  std::deque<round> all(rounds);
  const threads sets(1, [&](int) {
    for (round& each : all) {
      each.data = 1;
      each.happened.set();
    }
  });
  auto strand = [&](int) -> task<> {
    for (round& each : all) {
      co_await each.happened.wait();
      EXPECT_EQ(each.data, 1);
    }
  };
  run_on_two_threads(2, strand);
}

TEST(auto_reset_event, set_by_a_thread_ten_thousand_times_tells_ten_thousand_waits_of_two_runtimes) {
  constexpr int rounds = 10'000, strands = 8;
  auto_reset_event go, done;
  int waits = 0;  // no atomic: one at a time
  const threads sets(1, [&](int) {
    for (int i = 0; i < rounds; ++i) {
      EXPECT_EQ(waits, i);
      go.set();
      while (!done.try_wait()) std::this_thread::yield();
    }
  });
  auto strand = [&](int) -> task<> {
    for (int i = 0; i < rounds / strands; ++i) {
      co_await go.wait();
      ++waits;
      done.set();
    }
  };
  run_on_two_threads(strands / 2, strand);
  EXPECT_EQ(waits, rounds);
}

TEST(auto_reset_event, passed_on_is_a_lock_among_strands_and_threads) {
  auto_reset_event free(true);
  int passed = 0;
  auto tries = [&](int) {
    for (int i = 0; i < 1'000;) {
      if (free.try_wait()) {
        ++passed;
        free.set();
        ++i;
      } else {
        std::this_thread::yield();
      }
    }
  };
  auto strand = [&](int) -> task<> {
    for (int i = 0; i < 1'000; ++i) {
      co_await free.wait();
      ++passed;
      if (i % 3 == 0) co_await yield_now();
      free.set();
    }
  };
  {
    const threads outside(2, tries);
    run_on_two_threads(4, strand);
  }
  sync_wait(free.wait());
  EXPECT_GE(passed, 8'000);
}

TEST(manual_reset_event, has_a_hundred_thousand_waiters) { wait_for_an_event(support::slowly ? 10'000 : 100'000); }

TEST(events_death, are_not_destroyed_while_somebody_waits_for_them) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  auto destroy_manual = [](style in, std::string_view name) {
    destroy_while_awaited(std::make_unique<manual_reset_event>(), in, name, [](auto& event) { return event.wait(); });
  };
  auto destroy_automatic = [](style in, std::string_view name) {
    destroy_while_awaited(std::make_unique<auto_reset_event>(), in, name, [](auto& event) { return event.wait(); });
  };
  EXPECT_DEATH(destroy_manual(style::task, "loader"),
               "a manual_reset_event was destroyed while task \"loader\" waits for it; who shares it has to keep it alive");
  EXPECT_DEATH(destroy_manual(style::fiber, ""), "a manual_reset_event was destroyed while a fiber waits for it; who");
  EXPECT_DEATH(destroy_automatic(style::fiber, "loader"),
               "an auto_reset_event was destroyed while fiber \"loader\" waits for it; who");
}

}  // namespace
