#include <cordage/shared_mutex.hpp>

#include <functional>
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
#include "stands_in_line.hpp"

namespace {

using namespace cordage;
using namespace std::chrono_literals;
using namespace support;

bool is_free(shared_mutex& m) { return static_cast<bool>(m.try_lock()); }

TEST(shared_mutex, has_many_readers_or_one_writer) {
  for (const style in : each_style) {
    shared_mutex m;
    auto reading = await_in(in, [&] { return m.lock_shared(); });
    auto also = await_in(in, [&] { return m.lock_shared(); });
    EXPECT_FALSE(m.try_lock());
    EXPECT_TRUE(m.try_lock_shared());
    reading.unlock();
    EXPECT_FALSE(m.try_lock());
    also.unlock();
    auto writing = await_in(in, [&] { return m.lock(); });
    EXPECT_FALSE(m.try_lock());
    EXPECT_FALSE(m.try_lock_shared());
    writing.unlock();
    EXPECT_TRUE(is_free(m));
  }
}

TEST(shared_mutex, goes_to_writers_as_a_mutex_does) {
  shared_mutex m;
  auto make = [&] { return m.lock(); };
  expect_first_in_first_out(make);
  expect_a_loop_does_not_overtake(make);
  expect_a_stop_loses_nothing(make);
  expect_a_stopping_strand_takes_nothing(make);
  expect_a_stopping_strand_takes_nothing([&] { return m.lock_shared(); });
  expect_ready_at_once_lets_others_go_on(make);
  expect_ready_at_once_lets_others_go_on([&] { return m.lock_shared(); });
  EXPECT_TRUE(is_free(m));
}

TEST(shared_mutex_guard, moves_and_unlocks_the_way_it_was_locked) {
  static_assert(!std::is_same_v<shared_mutex::guard, shared_mutex::shared_guard>);
  static_assert(!std::is_copy_constructible_v<shared_mutex::shared_guard>);
  shared_mutex m;
  auto one = m.try_lock_shared();
  auto other = m.try_lock_shared();
  auto moved = std::move(one);
  EXPECT_FALSE(one);
  moved = std::move(other);
  EXPECT_FALSE(other);
  EXPECT_FALSE(m.try_lock());
  std::thread([&moved] { moved.unlock(); }).join();
  EXPECT_TRUE(is_free(m)) << "one was given back by the assignment";
}

// Strands that read, R, or write, W, one after the other. Each writes its name to the log when it has got in.
struct line_of_strands {
  shared_mutex m;
  std::string log;
  std::vector<join_handle<void>> strands;
  bool may_leave = false;

  void add(style in, char kind, char name) {
    auto got_in = [this, name] { log += name; };
    auto in_task = [this, kind, got_in]() -> task<> {
      if (kind == 'R') {
        const auto held = co_await m.lock_shared();
        got_in();
        while (!may_leave) co_await yield_now();
      } else {
        const auto held = co_await m.lock();
        got_in();
        while (!may_leave) co_await yield_now();
      }
    };
    auto on_fiber = [this, kind, got_in] {
      if (kind == 'R') {
        const auto held = await(m.lock_shared());
        got_in();
        while (!may_leave) await(yield_now());
      } else {
        const auto held = await(m.lock());
        got_in();
        while (!may_leave) await(yield_now());
      }
    };
    strands.push_back(in == style::task ? spawn(in_task) : spawn(on_fiber));
  }
  task<> expect_soon(std::string_view grown) {
    co_await turns(5);
    EXPECT_EQ(log, grown);
  }
  task<> all_leave() {
    may_leave = true;
    for (auto& each : strands) (void)co_await each;
    EXPECT_TRUE(is_free(m));
  }
};

TEST(shared_mutex, lets_readers_that_stand_next_to_each_other_in_together) {
  for (const int first : {0, 1}) {
    line_of_strands line;
    auto all = [&]() -> task<> {
      auto writing = co_await line.m.lock();
      for (const char name : {'a', 'b', 'c'}) line.add(style_of(name + first), 'R', name);
      line.add(style_of(first), 'W', 'w');
      line.add(style_of(first + 1), 'R', 'd');
      co_await turns(3);
      writing.unlock();
      co_await line.expect_soon("abc");
      co_await line.all_leave();
    };
    run(all());
    EXPECT_EQ(line.log, "abcwd");
  }
}

TEST(shared_mutex, lets_no_reader_pass_a_writer_that_waits) {
  for (const style in : each_style) {
    line_of_strands line;
    auto all = [&]() -> task<> {
      line.add(in, 'R', 'a');
      co_await turns(2);
      line.add(in, 'W', 'w');
      co_await turns(2);
      EXPECT_FALSE(line.m.try_lock_shared());
      line.add(in, 'R', 'b');
      co_await line.expect_soon("a");
      co_await line.all_leave();
    };
    run(all());
    EXPECT_EQ(line.log, "awb");
  }
}

// New readers come all the time, so that there is always one.
TEST(shared_mutex, does_not_starve_writers) {
  for (const style in : each_style) {
    shared_mutex m;
    bool written = false;
    auto reads = [&]() -> task<> {
      while (!written) {
        const auto held = co_await m.lock_shared();
        co_await turns(3);
      }
    };
    auto locks = [&] { return m.lock(); };
    auto all = [&]() -> task<> {
      std::vector<join_handle<void>> readers;
      for (int i = 0; i < 4; ++i) {
        readers.push_back(spawn(reads));
        co_await yield_now();
      }
      auto writer = spawn_waiter({}, in, locks, [&] { written = true; }, 0);
      for (auto& each : readers) EXPECT_TRUE((co_await each).has_value());
      EXPECT_TRUE((co_await writer).has_value());
    };
    run(all());
  }
}

TEST(shared_mutex, lets_the_readers_behind_a_writer_in_that_is_stopped) {
  for (const style in : each_style) {
    line_of_strands line;
    auto all = [&]() -> task<> {
      auto reading = co_await line.m.lock_shared();
      line.add(in, 'W', 'w');
      line.add(in, 'R', 'a');
      line.add(in, 'R', 'b');
      line.add(in, 'W', 'x');
      line.add(in, 'R', 'c');
      co_await line.expect_soon("");
      line.strands.front().request_stop();
      co_await line.expect_soon("ab");
      reading.unlock();
      co_await line.all_leave();
    };
    run(all());
    EXPECT_EQ(line.log, "abxc");
  }
}

TEST(shared_mutex, is_not_lost_to_a_reader_that_is_stopped_as_it_gets_in) {
  for (const style in : each_style) {
    shared_mutex m;
    std::string log;
    auto reads = [&] { return m.lock_shared(); };
    auto writes = [&] { return m.lock(); };
    auto all = [&]() -> task<> {
      auto held = co_await m.lock();
      auto stopped = spawn_waiter(in, log, 'a', reads);
      auto other = spawn_waiter(in, log, 'b', reads);
      auto next = spawn_waiter(in, log, 'w', writes);
      co_await turns(3);
      stopped.request_stop();
      std::thread([&] { held.unlock(); }).join();
      EXPECT_EQ((co_await stopped).error(), errc::stopped);
      EXPECT_TRUE((co_await other).has_value());
      EXPECT_TRUE((co_await next).has_value());
    };
    run(all());
    EXPECT_EQ(log, "abw");
    EXPECT_TRUE(is_free(m));
  }
}

TEST(shared_mutex, is_given_up_at_the_end_of_a_time) {
  for (const style in : each_style) {
    shared_mutex m;
    auto reading = m.try_lock_shared();
    EXPECT_EQ(await_in(in, [&] { return with_timeout(1us, m.lock()); }).error(), errc::timed_out);
    EXPECT_TRUE(await_in(in, [&] { return with_timeout(1us, m.lock_shared()); }).has_value());
    reading.unlock();
    EXPECT_TRUE(is_free(m));
  }
}

TEST(shared_mutex, in_a_select_is_locked_one_way) {
  for (const style in : each_style) {
    shared_mutex m;
    {
      auto got = await_in(in, [&] { return select(m.lock_shared(), m.lock()); });
      EXPECT_TRUE(std::get<0>(got).has_value());
      EXPECT_FALSE(std::get<1>(got).has_value());
      EXPECT_FALSE(m.try_lock());
      EXPECT_TRUE(m.try_lock_shared()) << "what has lost keeps nobody out";
    }
    EXPECT_TRUE(is_free(m));
    std::string order;
    auto writing = m.try_lock();
    auto selects = [&]() -> task<int> {
      const auto [exclusively, shared] = co_await select(m.lock(), m.lock_shared());
      EXPECT_FALSE(shared.has_value());
      co_return exclusively ? 1 : 0;
    };
    auto unlocks = [&](auto&) -> task<> {
      writing.unlock();
      co_return;
    };
    EXPECT_TRUE(wait_and_act(in, order, selects, unlocks));
    EXPECT_EQ(order, "1+!");
    EXPECT_TRUE(is_free(m));
  }
}

TEST(shared_mutex, keeps_writers_of_two_runtimes_and_threads_apart) {
  shared_mutex m;
  int passed = 0;
  pass_around([&] { return m.lock(); }, [&] { return m.try_lock(); }, [&] { ++passed; });
  EXPECT_EQ(passed, passed_around);
  EXPECT_TRUE(is_free(m));
}

TEST(shared_mutex, keeps_readers_and_writers_of_two_runtimes_and_threads_apart) {
  shared_mutex m;
  int left = 0, right = 0;  // equal whenever nobody writes
  destroyer<shared_mutex::shared_guard> elsewhere;
  const threads outside(2, [&](int) {
    for (int i = 0; i < 1'000;) {
      if (const auto reading = m.try_lock_shared()) {
        EXPECT_EQ(left, right);
        ++i;
      } else {
        std::this_thread::yield();
      }
    }
  });
  auto strand = [&](int number) -> task<> {
    for (int i = 0; i < 1'000; ++i) {
      if ((i + number) % 4 == 0) {
        const auto writing = co_await m.lock();
        ++left;
        if (i % 8 == 0) co_await yield_now();
        ++right;
      } else {
        auto reading = co_await m.lock_shared();
        EXPECT_EQ(left, right);
        if (i % 3 == 0) co_await yield_now();
        if (i % 5 == 0) elsewhere.take(std::move(reading));
      }
    }
  };
  run_on_two_threads(4, strand);
  const auto reading = sync_wait(m.lock_shared());
  EXPECT_EQ(left, 2'000);
  EXPECT_EQ(right, 2'000);
}

TEST(shared_mutex, tells_a_dump_who_has_it) {
  shared_mutex m;
  auto locks = [&] { return m.lock(); };
  std::string seen = seen_while_it_waits(dump_format::text, locks, false);
  EXPECT_NE(seen.find("fiber \"waiter\" waits for shared_mutex.lock, held by 2\n"), seen.npos) << seen;
  seen = seen_while_it_waits(dump_format::text, locks, true);
  EXPECT_NE(seen.find("fiber \"waiter\" waits for shared_mutex.lock\n"), seen.npos) << seen;
}

TEST(shared_mutex, tells_a_dump_of_a_reader_only_while_that_has_it) {
  shared_mutex m;
  std::string while_both_read, while_one_reads;
  bool over = false, first_over = false;
  auto reads = [&](const bool& until) -> task<> {
    auto held = co_await m.lock_shared();
    while (!until) co_await yield_now();
    held.unlock();
    while (!over) co_await yield_now();
  };
  auto locks = [&] { return m.lock(); };
  auto all = [&]() -> task<> {
    auto one = spawn({.name = "one"}, reads, std::cref(over));
    auto latest = spawn({.name = "latest"}, reads, std::cref(first_over));
    co_await turns(2);
    auto writer = spawn_waiter({.name = "writer"}, style::task, locks, [] {}, 0);
    co_await turns(2);
    while_both_read = dump();
    first_over = true;
    co_await turns(2);
    while_one_reads = dump();
    over = true;
    EXPECT_TRUE((co_await one).has_value());
    EXPECT_TRUE((co_await latest).has_value());
    EXPECT_TRUE((co_await writer).has_value());
  };
  run(all());
  EXPECT_NE(while_both_read.find("3  task \"latest\" "), std::string::npos) << while_both_read;
  EXPECT_NE(while_both_read.find("task \"writer\" waits for shared_mutex.lock, held by 3\n"), std::string::npos) << while_both_read;
  EXPECT_NE(while_one_reads.find("task \"writer\" waits for shared_mutex.lock\n"), std::string::npos) << while_one_reads;
}

TEST(shared_mutex_death, is_not_destroyed_while_somebody_waits_for_it) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  auto destroy_while = [](style in, std::string_view name, auto make) {
    auto held = std::make_unique<shared_mutex>();
    auto mine = held->try_lock();
    destroy_while_awaited(std::move(held), in, name, make);
  };
  auto reads = [](shared_mutex& m) { return m.lock_shared(); };
  auto writes = [](shared_mutex& m) { return m.lock(); };
  EXPECT_DEATH(destroy_while(style::task, "reader", reads),
               "a shared_mutex was destroyed while task \"reader\" waits for it; who shares it has to keep it alive");
  EXPECT_DEATH(destroy_while(style::fiber, "", writes), "a shared_mutex was destroyed while a fiber waits for it; who");
}

TEST(shared_mutex_death, must_not_be_unlocked_by_a_guard_that_holds_nothing) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(shared_mutex::guard().unlock(), "what was unlocked is not held");
  EXPECT_DEATH(shared_mutex::shared_guard().unlock(), "what was unlocked is not held");
}

}  // namespace
