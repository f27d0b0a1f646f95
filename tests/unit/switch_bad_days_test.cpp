// Whatever lives in registers while stacks are switched, on threads and under signals, is there again afterwards.
#include <pthread.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "bare_coroutine.hpp"

namespace {

using namespace std::chrono_literals;
using bare = support::bare_coroutine;
using pair [[gnu::vector_size(16)]] = std::uint64_t;

// More values than a callee keeps in registers, of each kind that has registers. A step adds to each of them something of
// its own; all that is added is a whole number, so nothing is rounded.
struct held_values {
  static constexpr std::size_t count = 14;

  explicit held_values(std::uint64_t seed) {
    std::mt19937_64 random(seed);
    for (std::size_t i = 0; i < count; ++i) {
      whole[i] = random();
      floating[i] = static_cast<double>(random() >> 16);
      vectors[i] = pair{random(), random()};
    }
  }

  // Written without a loop, so that no element needs memory.
  CORDAGE_ALWAYS_INLINE void step() {
    [this]<std::size_t... I>(std::index_sequence<I...>) __attribute__((always_inline)) {
      ((whole[I] += 2 * I + 1), ...);
      ((floating[I] += 3 * I + 1), ...);
      ((vectors[I] += pair{I, I + 1}), ...);
    }(std::make_index_sequence<count>());
  }

  // What `steps` steps from the same seed make, computed at once.
  bool come_from(std::uint64_t seed, std::uint64_t steps) const {
    const held_values first(seed);
    bool same = true;
    for (std::size_t i = 0; i < count; ++i) {
      same = same && whole[i] == first.whole[i] + (2 * i + 1) * steps;
      same = same && floating[i] == first.floating[i] + static_cast<double>((3 * i + 1) * steps);
      same = same && vectors[i][0] == first.vectors[i][0] + i * steps;
      same = same && vectors[i][1] == first.vectors[i][1] + (i + 1) * steps;
    }
    return same;
  }

  std::uint64_t whole[count];
  double floating[count];
  pair vectors[count];
};

// A coroutine that holds values of its own. With each turn it yields in one of two ways.
struct holding_coroutine : bare {
  explicit holding_coroutine(std::uint64_t of) : bare(hold), seed(of) {}

  static void hold(bare& b) {
    auto& self = static_cast<holding_coroutine&>(b);
    held_values held(self.seed);
    std::minstd_rand ways(static_cast<unsigned>(self.seed));
    for (std::uint64_t steps = 0; !self.last_turn; ++steps) {
      self.kept = self.kept && (steps % 1024 != 0 || held.come_from(self.seed, steps));
      held.step();
      if (ways() % 2 == 0) {
        self.yield();
      } else {
        self.yield_opaquely();
      }
      self.turns = steps + 1;
    }
    self.kept = self.kept && held.come_from(self.seed, self.turns);
  }

  const std::uint64_t seed;
  std::uint64_t turns = 0;
  bool kept = true;
  bool last_turn = false;
};

// Holds values on the outside, too, while `turns` times one of two such coroutines goes on. True if nothing was lost.
bool switches_lose_nothing(std::uint64_t seed, std::uint64_t turns) {
  holding_coroutine first(seed + 1);
  holding_coroutine second(seed + 2);
  held_values held(seed);
  std::minstd_rand ways(static_cast<unsigned>(seed + 3));
  for (std::uint64_t i = 0; i < turns; ++i) {
    const unsigned way = static_cast<unsigned>(ways()) % 4;
    holding_coroutine& next = way / 2 == 0 ? first : second;
    held.step();
    if (way % 2 == 0) {
      next.resume();
    } else {
      next.resume_opaquely();
    }
  }
  for (holding_coroutine* each : {&first, &second}) {
    each->last_turn = true;
    each->resume();
    if (!each->done || !each->kept) return false;
  }
  return held.come_from(seed, turns) && first.turns + second.turns == turns;
}

std::uint64_t any_seed() {
  std::random_device random;
  return random();
}

TEST(switch_bad_days, a_million_switches_lose_nothing_that_is_in_registers) {
  const auto seed = any_seed();
  EXPECT_TRUE(switches_lose_nothing(seed, 500'000)) << "seed " << seed;
}

TEST(switch_bad_days, each_thread_switches_its_own_stacks) {
  const auto seed = any_seed();
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < 4; ++i)
    threads.emplace_back([&right, seed = seed + 10 * i] { right += switches_lose_nothing(seed, 50'000); });
  for (std::thread& each : threads) each.join();
  EXPECT_EQ(right, 4) << "seed " << seed;
}

std::atomic<int> signals_seen{0};

// Writes to all that it may: to the registers that a caller keeps, and to the stack below what was interrupted.
void on_signal(int) {
  volatile char noise[1024];
  for (volatile char& each : noise) each = 1;
  held_values other(static_cast<std::uint64_t>(signals_seen.load()));
  other.step();
  if (other.come_from(static_cast<std::uint64_t>(signals_seen.load()), 1)) ++signals_seen;
}

TEST(switch_bad_days, signals_arrive_in_the_middle_of_switches) {
  struct sigaction action {};
  struct sigaction before {};
  action.sa_handler = on_signal;
  sigaction(SIGUSR1, &action, &before);
  signals_seen = 0;
  std::atomic<bool> over{false};
  std::thread other([&over, switching = pthread_self()] {
    while (!over) {
      pthread_kill(switching, SIGUSR1);
      std::this_thread::sleep_for(20us);
    }
  });
  const auto seed = any_seed();
  const auto limit = std::chrono::steady_clock::now() + 20s;
  bool right = true;
  while (right && signals_seen < 1000 && std::chrono::steady_clock::now() < limit)
    right = switches_lose_nothing(seed, 10'000);
  over = true;
  other.join();
  sigaction(SIGUSR1, &before, nullptr);
  EXPECT_TRUE(right) << "seed " << seed;
  EXPECT_GE(signals_seen, 1000);
}

}  // namespace
