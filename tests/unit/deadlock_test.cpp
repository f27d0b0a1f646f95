#include <cordage/cordage.hpp>

#include <cstdio>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "both_styles.hpp"

namespace {

using namespace cordage;
using namespace std::chrono_literals;
using support::each_style;
using support::style;

constexpr runtime_options watched{.fail_on_deadlock = true};

// The text of the failure that running x ends with; empty if it does not fail like that.
template <class X>
std::string deadlock_of(X&& x, const runtime_options& options = watched) {
  try {
    run(std::forward<X>(x), options);
  } catch (const deadlock_error& e) {
    return e.what();
  }
  return {};
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != text.npos; }

// How often `part` occurs.
std::size_t occurrences(const std::string& text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++count;
  return count;
}

struct two_locks {
  mutex left, right;

  task<> in_task(mutex& first, mutex& second) {
    auto one = co_await first.lock();
    co_await yield_now();
    auto other = co_await second.lock();
  }
  void on_fiber(mutex& first, mutex& second) {
    auto one = await(first.lock());
    await(yield_now());
    auto other = await(second.lock());
  }
  void begin(style in, const char* name, mutex& first, mutex& second) {
    auto as_task = [this, &first, &second] { return in_task(first, second); };
    auto as_fiber = [this, &first, &second] { on_fiber(first, second); };
    const spawn_options options{.name = name};
    if (in == style::task) {
      spawn(options, as_task);
    } else {
      spawn(options, as_fiber);
    }
  }
};

TEST(deadlock, two_strands_that_lock_two_mutexes_in_either_order_are_named_with_what_each_holds) {
  for (const style one : each_style) {
    for (const style other : each_style) {
      two_locks locks;
      auto both = [&]() -> task<> {
        locks.begin(one, "alice", locks.left, locks.right);
        locks.begin(other, "bob", locks.right, locks.left);
        co_return;
      };
      const std::string text = deadlock_of(both());
      EXPECT_TRUE(contains(text, "cordage: deadlock: nothing can run")) << text;
      EXPECT_TRUE(contains(text, std::string("1  ") + name_of(one) + " \"alice\" waits for mutex.lock, held by 2\n")) << text;
      EXPECT_TRUE(contains(text, std::string("2  ") + name_of(other) + " \"bob\" waits for mutex.lock, held by 1\n")) << text;
      EXPECT_EQ(occurrences(text, " waits for "), 2U) << text;
    }
  }
}

TEST(deadlock, whoever_locks_a_mutex_twice_waits_for_itself) {
  for (const style in : each_style) {
    mutex m;
    auto twice_in_task = [&]() -> task<> {
      auto once = co_await m.lock();
      auto again = co_await m.lock();
    };
    auto twice_on_fiber = [&] {
      auto once = await(m.lock());
      auto again = await(m.lock());
    };
    const std::string text = in == style::task ? deadlock_of(twice_in_task()) : deadlock_of(fiber{twice_on_fiber});
    EXPECT_TRUE(contains(text, " waits for mutex.lock, held by 1\n")) << text;
  }
}

// The wait for the lock was a child, which has ended: it is the strand that has it.
TEST(deadlock, names_who_has_locked_within_a_time_or_in_a_select) {
  for (const style in : each_style) {
    mutex m;
    auto in_task = [&]() -> task<> {
      auto within = co_await !with_timeout(1h, m.lock());
      within.unlock();
      auto selected = co_await select(m.lock(), m.lock());
      auto again = co_await m.lock();
    };
    auto on_fiber = [&] {
      auto within = await(!with_timeout(1h, m.lock()));
      within.unlock();
      auto selected = await(select(m.lock(), m.lock()));
      auto again = await(m.lock());
    };
    const std::string text = in == style::task ? deadlock_of(in_task()) : deadlock_of(fiber{on_fiber});
    EXPECT_TRUE(contains(text, " waits for mutex.lock, held by 1\n")) << text;
  }
}

TEST(deadlock, a_strand_that_is_left_when_what_was_run_has_ended_is_named) {
  for (const style in : each_style) {
    channel<int> nobody_sends;
    auto leaks = [&]() -> task<> {
      auto in_task = [&]() -> task<> { (void)co_await nobody_sends.receive(); };
      auto on_fiber = [&] { (void)await(nobody_sends.receive()); };
      const spawn_options options{.name = "forgotten"};
      if (in == style::task) {
        spawn(options, in_task);
      } else {
        spawn(options, on_fiber);
      }
      co_return;
    };
    const std::string text = deadlock_of(leaks());
    EXPECT_TRUE(contains(text, "\"forgotten\" waits for channel.receive\n")) << text;
    EXPECT_EQ(occurrences(text, " waits for "), 1U) << text;
  }
}

struct counts_its_end {
  int& ends;
  ~counts_its_end() { ++ends; }
};

TEST(deadlock, all_strands_are_stopped_before_run_throws) {
  int ends = 0;
  manual_reset_event never;
  auto in_task = [&]() -> task<> {
    const counts_its_end counted{ends};
    co_await never.wait();
  };
  auto on_fiber = [&] {
    const counts_its_end counted{ends};
    await(never.wait());
  };
  auto both = [&]() -> task<> { co_await when_all(in_task(), fiber{on_fiber}); };
  const std::string text = deadlock_of(both());
  EXPECT_EQ(occurrences(text, "waits for manual_reset_event.wait"), 2U) << text;
  EXPECT_EQ(ends, 2);
}

// Where strands share what one of them owns, stopping them may end the program.
TEST(deadlock, is_written_to_standard_error_before_any_strand_is_stopped) {
  struct says_its_end {
    ~says_its_end() { std::fputs("a strand has ended\n", stderr); }
  };
  manual_reset_event never;
  auto waits = [&]() -> task<> {
    const says_its_end told;
    co_await never.wait();
  };
  testing::internal::CaptureStderr();
  const std::string text = deadlock_of(waits());
  const std::string written = testing::internal::GetCapturedStderr();
  EXPECT_EQ(written.find(text), 0U) << written;
  EXPECT_GE(written.find("a strand has ended\n"), text.size()) << written;
}

TEST(deadlock, a_promise_that_nobody_keeps_is_one) {
  promise<int> kept_by_the_waiter;
  auto waits = [&]() -> task<> { (void)co_await kept_by_the_waiter.get_future(); };
  EXPECT_TRUE(contains(deadlock_of(waits()), "waits for future\n"));
}

TEST(deadlock, who_sleeps_is_waited_for_in_either_time) {
  manual_reset_event slept;
  auto waits = [&]() -> task<> {
    auto sleeps = [&]() -> task<> {
      co_await sleep_for(1ms);
      slept.set();
    };
    auto sleeper = spawn(sleeps);
    co_await slept.wait();
  };
  EXPECT_EQ(deadlock_of(waits()), "");
  slept.reset();
  virtual_clock clock;
  EXPECT_EQ(deadlock_of(waits(), {.clock = &clock, .fail_on_deadlock = true}), "");
}

TEST(deadlock, one_in_virtual_time_comes_when_the_last_timer_has_fired) {
  virtual_clock clock;
  const auto began = clock.now();
  manual_reset_event never;
  auto waits = [&]() -> task<> {
    co_await sleep_for(1h);
    co_await never.wait();
  };
  EXPECT_TRUE(contains(deadlock_of(waits(), {.clock = &clock, .fail_on_deadlock = true}), "manual_reset_event.wait"));
  EXPECT_EQ(clock.now() - began, 1h);
}

TEST(deadlock, who_waits_for_input_is_not_in_one) {
  auto listener = tcp::listener::bind(*endpoint::parse("127.0.0.1:0"));
  ASSERT_TRUE(listener);
  const endpoint at = listener->local();
  // Connects when the runtime has nothing left but to wait for that.
  std::thread client([at] {
    auto connects = [at]() -> task<> { [[maybe_unused]] const auto peer = co_await !tcp::connect(at); };
    run(connects());
  });
  auto accepts = [&]() -> task<> { [[maybe_unused]] const auto peer = co_await !listener->accept(); };
  EXPECT_EQ(deadlock_of(accepts()), "");
  client.join();
}

TEST(deadlock, is_no_failure_unless_asked_for) {
  channel<int> fed_by_a_thread;
  auto waits = [&]() -> task<int> { co_return co_await !fed_by_a_thread.receive(); };
  std::thread feeder([&] {
    while (!*fed_by_a_thread.try_send(7)) std::this_thread::yield();
  });
  EXPECT_EQ(run(waits()), 7);
  feeder.join();
}

TEST(deadlock_death, of_strands_that_cannot_be_stopped_ends_the_program_with_the_same_text) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto shields_for_ever = [] {
    manual_reset_event never;
    auto waits = [&]() -> task<> { co_await shield(never.wait()); };
    run(waits(), watched);
  };
  EXPECT_DEATH(shields_for_ever(), "deadlock of strands that were asked to stop(.|\n)*manual_reset_event.wait, is to stop");
}

}  // namespace
