// Locks, permits, events and guarded values on their bad days: random strands of both styles, alone, in selects and with time
// limits, stopped from everywhere while they wait, have got what they wait for, and pass it on.
//
// Whatever happens: nothing is had by two, nothing is lost, and no wake is lost, so that all strands end; see `world`.
#include <cordage/barrier.hpp>
#include <cordage/events.hpp>
#include <cordage/guarded.hpp>
#include <cordage/latch.hpp>
#include <cordage/mutex.hpp>
#include <cordage/semaphore.hpp>
#include <cordage/shared_mutex.hpp>

#include <atomic>
#include <chrono>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/fiber.hpp>
#include <cordage/runtime.hpp>
#include <cordage/task.hpp>
#include <cordage/time.hpp>
#include <cordage/virtual_clock.hpp>
#include <cordage/when.hpp>

#include "counted.hpp"
#include "seeded_bytes.hpp"
#include "slowly.hpp"
#include "stands_in_line.hpp"

namespace {

using namespace cordage;
using namespace std::chrono_literals;
using namespace support;

using random_source = std::minstd_rand;

constexpr std::size_t permits = 3;

// What the strands of a round share. The numbers are no atomics: what keeps the strands apart is what is looked at.
struct world {
  explicit world(unsigned seed) : seed_of_round(seed) {}

  unsigned seed_of_round;
  mutex lock;
  int in_lock = 0;
  shared_mutex shared;
  int left = 0, right = 0;  // equal whenever nobody writes
  semaphore permits_of_all{permits};
  std::atomic<std::size_t> taken{0};
  auto_reset_event token{true};
  int with_token = 0;
  guarded<int> number{0};
  // For these somebody has to do something in the end.
  manual_reset_event late;
  latch counted_down{1};
  barrier in_step{2};

  void open() {
    late.set();
    counted_down.count_down();
  }

  // Whatever was taken has been given back.
  task<> expect_all_is_there() {
    EXPECT_TRUE(lock.try_lock());
    EXPECT_TRUE(shared.try_lock());
    EXPECT_EQ(permits_of_all.available(), permits);
    EXPECT_TRUE(token.is_set());
    EXPECT_TRUE((co_await with_timeout(0s, number.lock())).has_value());
    EXPECT_EQ(left, right);
    EXPECT_EQ(in_lock, 0);
    EXPECT_EQ(with_token, 0);
    EXPECT_EQ(taken, 0U);
  }
};

// One strand of a round: it does a few things, one after the other.
class actor {
 public:
  actor(world& of, unsigned number) : w_(of), random_(of.seed_of_round * 31 + number) {}

  // Only what ends by itself, or also what somebody has to end.
  task<> live(bool ends_by_itself) {
    for (unsigned steps = 1 + pick(5); steps > 0; --steps) {
      switch (pick(ends_by_itself ? 11 : 16)) {
        case 0: co_await locks(); break;
        case 1: co_await reads(); break;
        case 2: co_await writes(); break;
        case 3: co_await acquires(); break;
        case 4: co_await has_permit(); break;
        case 5: co_await has_token(); break;
        case 6: co_await changes_number(); break;
        case 7: co_await waits_for_number(); break;
        case 8: co_await locks_in_time(); break;
        case 9: co_await selects(); break;
        case 10: co_await selects_among_many(); break;
        case 11: co_await w_.late.wait(); break;
        case 12: co_await w_.counted_down.wait(); break;
        case 13: co_await w_.in_step.arrive_and_wait(); break;
        case 14: co_await waits_for_a_number_that_never_comes(); break;
        default: co_await select(w_.late.wait(), w_.counted_down.wait(), w_.in_step.arrive_and_wait());
      }
    }
  }

 private:
  unsigned pick(unsigned below) { return static_cast<unsigned>(random_() >> 8) % below; }
  task<> some_turns() {
    if (pick(4) == 0) co_return co_await sleep_for(std::chrono::nanoseconds(pick(50)));
    for (unsigned i = pick(4); i > 0; --i) co_await yield_now();
  }

  // While it has what it has waited for.
  task<> is_alone(int& with) {
    EXPECT_EQ(with, 0);
    at_exit leaves{[&with] { --with; }};
    ++with;
    co_await some_turns();
    EXPECT_EQ(with, 1);
  }
  task<> only_reads() {
    EXPECT_EQ(w_.left, w_.right);
    co_await some_turns();
    EXPECT_EQ(w_.left, w_.right);
  }
  task<> has_permits(std::size_t count) {
    EXPECT_LE(w_.taken += count, permits);
    at_exit leaves{[this, count] { w_.taken -= count; }};
    co_await some_turns();
  }

  task<> locks() {
    const auto held = co_await w_.lock.lock();
    co_await is_alone(w_.in_lock);
  }
  task<> reads() {
    const auto held = co_await w_.shared.lock_shared();
    co_await only_reads();
  }
  task<> writes() {
    const auto held = co_await w_.shared.lock();
    EXPECT_EQ(w_.left, w_.right);
    ++w_.left;
    at_exit balances{[this] { ++w_.right; }};
    co_await some_turns();
  }
  task<> acquires() {
    const std::size_t count = pick(permits + 1);
    co_await w_.permits_of_all.acquire(count);
    at_exit gives_back{[this, count] { w_.permits_of_all.release(count); }};
    co_await has_permits(count);
  }
  task<> has_permit() {
    const std::size_t count = 1 + pick(permits);
    const auto held = co_await w_.permits_of_all.permit(count);
    co_await has_permits(count);
  }
  task<> has_token() {
    co_await w_.token.wait();
    at_exit passes_on{[this] { w_.token.set(); }};  // before any wait, which may stop
    co_await is_alone(w_.with_token);
  }
  task<> changes_number() {
    const auto held = co_await w_.number.lock();
    ++*held;
    co_await some_turns();
  }
  // Any of two numbers that follow each other will do.
  task<> waits_for_number() {
    const int wanted = static_cast<int>(pick(2));
    auto comes = [wanted](const int& n) { return n % 2 == wanted || n > 0; };
    auto got = co_await with_timeout(std::chrono::nanoseconds(pick(100)), w_.number.wait_until(comes));
    if (!got) co_return;
    EXPECT_TRUE(comes(**got));
    ++**got;
    co_await some_turns();
  }
  task<> waits_for_a_number_that_never_comes() {
    auto never = [](const int& n) { return n < 0; };
    const auto held = co_await w_.number.wait_until(never);
    ADD_FAILURE();
  }
  task<> locks_in_time() {
    const auto got = co_await with_timeout(std::chrono::nanoseconds(pick(100)), w_.lock.lock());
    if (got) co_await is_alone(w_.in_lock);
  }
  task<> selects() {
    const auto [locked, permitted] = co_await select(w_.lock.lock(), w_.permits_of_all.permit(2));
    EXPECT_NE(locked.has_value(), permitted.has_value());
    if (locked) co_await is_alone(w_.in_lock);
    if (permitted) co_await has_permits(2);
  }
  task<> selects_among_many() {
    auto even = [](const int& n) { return n % 2 == 0; };
    const auto [told, reading, held, late] =
        co_await select(w_.token.wait(), w_.shared.lock_shared(), w_.number.wait_until(even), sleep_for(20ns));
    at_exit passes_on{[this, was_told = told.has_value()] {
      if (was_told) w_.token.set();
    }};
    EXPECT_LE(told.has_value() + reading.has_value() + held.has_value(), 1);
    if (told) co_await is_alone(w_.with_token);
    if (reading) co_await only_reads();
    if (held) {
      EXPECT_EQ(**held % 2, 0);
      ++**held;
    }
  }

  world& w_;
  random_source random_;
};

// The strands of one runtime in a round.
class population {
 public:
  population(world& of, random_source& random, unsigned first, bool end_by_themselves) : random_(random) {
    for (unsigned i = 0, count = 2 + pick(6); i < count; ++i) {
      auto in_task = [&of, number = first + i, end_by_themselves]() -> task<> {
        actor one(of, number);
        co_await one.live(end_by_themselves);
      };
      auto on_fiber = [&of, number = first + i, end_by_themselves] {
        actor one(of, number);
        await(one.live(end_by_themselves));
      };
      if (pick(2) == 0) {
        strands_.push_back(spawn(in_task));
      } else {
        strands_.push_back(spawn(on_fiber));
      }
    }
  }

  task<> stop_some() {
    for (unsigned i = pick(4); i > 0; --i) {
      for (unsigned turn = pick(6); turn > 0; --turn) co_await yield_now();
      strands_[pick(static_cast<unsigned>(strands_.size()))].request_stop();
    }
  }
  void stop_all() {
    for (auto& each : strands_) each.request_stop();
  }
  // Whether all of them end, in a time in which nothing else can happen.
  task<bool> ends() {
    for (auto& each : strands_) {
      const auto ended = co_await with_timeout(10s, each);
      if (!ended && ended.error() == errc::timed_out) co_return false;
    }
    co_return true;
  }

 private:
  unsigned pick(unsigned below) { return static_cast<unsigned>(random_() >> 8) % below; }

  random_source& random_;
  std::vector<join_handle<void>> strands_;
};

// On one runtime, whose clock goes on when nobody has anything to do: so a wake that is lost is found, and does not hang.
TEST(sync_bad_days, random_strands_stopped_at_random_lose_nothing) {
  const auto seed = static_cast<unsigned>(choose_seed());
  const unsigned rounds = support::slowly ? 2'000 : 10'000;
  virtual_clock clock;
  auto all_days = [&]() -> task<> {
    for (unsigned round = 0; round < rounds && !testing::Test::HasFailure(); ++round) {
      SCOPED_TRACE("round " + std::to_string(round));
      random_source random(seed + round);
      const bool end_by_themselves = random() % 2 == 0;
      world of(seed + round);
      population strands(of, random, 0, end_by_themselves);
      co_await strands.stop_some();
      if (!end_by_themselves) {
        if (random() % 2 == 0) of.open();
        co_await turns(5);
        strands.stop_all();
      }
      const bool ended = co_await strands.ends();
      EXPECT_TRUE(ended) << "somebody was not woken";
      if (!ended) strands.stop_all();
      EXPECT_TRUE(co_await strands.ends());
      co_await of.expect_all_is_there();
    }
  };
  run(all_days(), {.clock = &clock});
}

// On two, each on a thread of its own.
TEST(sync_bad_days, random_strands_of_two_runtimes_lose_nothing) {
  const auto seed = static_cast<unsigned>(choose_seed());
  const unsigned rounds = support::slowly ? 200 : 1'000;
  for (unsigned round = 0; round < rounds && !testing::Test::HasFailure(); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    world of(seed + round);
    {
      const threads both(2, [&](int which) {
        random_source random(seed + round + static_cast<unsigned>(which) * 7919);
        auto all = [&]() -> task<> {
          population strands(of, random, 100 * static_cast<unsigned>(which), (seed + round) % 2 == 0);
          co_await strands.stop_some();
          if ((seed + round) % 2 == 1) {
            co_await turns(5);
            if (which == 0) of.open();
            strands.stop_all();
          }
          EXPECT_TRUE(co_await strands.ends());
        };
        run(all());
      });
    }
    run(of.expect_all_is_there());
  }
}

}  // namespace
