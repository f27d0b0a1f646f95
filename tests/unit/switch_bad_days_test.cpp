// Whatever lives in registers while stacks are switched, on threads and under signals, is there again afterwards.
#include <pthread.h>

#include <atomic>
#include <bit>
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
      ((floating[I] = alone(floating[I]) + (3 * I + 1)), ...);
      ((vectors[I] += pair{I, I + 1}), ...);
    }(std::make_index_sequence<count>());
  }

  // Keeps a compiler from adding several as one vector, which it would keep in memory.
  CORDAGE_ALWAYS_INLINE static double alone(double value) {
    auto bits = std::bit_cast<std::uint64_t>(value);
    asm("" : "+r"(bits));
    return std::bit_cast<double>(bits);
  }

  // Whether `steps` steps from the same seed make these. Given a copy: what a function has the address of is kept in
  // memory, and not in registers.
  [[gnu::noinline]] static bool came_from(std::uint64_t seed, std::uint64_t steps, held_values now) {
    const held_values first(seed);
    const auto& [whole, floating, vectors] = now;
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

// Before the inline form a compiler puts everything into memory. Only where all switches are of the opaque form does it leave
// values in the registers that a callee has to keep.
enum class form { either, opaque };

// A coroutine that holds values of its own.
template <form Form>
struct holding_coroutine : bare {
  explicit holding_coroutine(std::uint64_t of) : bare(hold), seed(of) {}

  static void hold(bare& b) {
    auto& self = static_cast<holding_coroutine&>(b);
    const held_values first(self.seed);
    held_values held = first;
    std::minstd_rand ways(static_cast<unsigned>(self.seed));
    for (std::uint64_t steps = 0; !self.last_turn; ++steps) {
      self.kept = self.kept && (steps % 1024 != 0 || held_values::came_from(self.seed, steps, held));
      held.step();
      if (Form == form::either && ways() % 2 == 0) {
        self.yield();
      } else {
        self.yield_opaquely();
      }
      self.turns = steps + 1;
    }
    self.kept = self.kept && held_values::came_from(self.seed, self.turns, held);
  }

  const std::uint64_t seed;
  std::uint64_t turns = 0;
  bool kept = true;
  bool last_turn = false;
};

// Holds values on the outside, too, while `turns` times one of two such coroutines goes on. True if nothing was lost.
template <form Form>
bool switches_lose_nothing(std::uint64_t seed, std::uint64_t turns) {
  holding_coroutine<Form> first(seed + 1);
  holding_coroutine<Form> second(seed + 2);
  const held_values start(seed);
  held_values held = start;
  std::minstd_rand ways(static_cast<unsigned>(seed + 3));
  for (std::uint64_t i = 0; i < turns; ++i) {
    const unsigned way = static_cast<unsigned>(ways()) % 4;
    holding_coroutine<Form>& next = way / 2 == 0 ? first : second;
    held.step();
    if (Form == form::either && way % 2 == 0) {
      next.resume();
    } else {
      next.resume_opaquely();
    }
  }
  for (auto* const each : {&first, &second}) {
    each->last_turn = true;
    each->resume();
    if (!each->done || !each->kept) return false;
  }
  return held_values::came_from(seed, turns, held) && first.turns + second.turns == turns;
}

std::uint64_t any_seed() {
  std::random_device random;
  return random();
}

TEST(switch_bad_days, a_million_switches_lose_nothing_that_is_in_registers) {
  const auto seed = any_seed();
  EXPECT_TRUE(switches_lose_nothing<form::either>(seed, 500'000)) << "seed " << seed;
}

TEST(switch_bad_days, a_million_opaque_switches_lose_nothing_that_is_in_registers) {
  const auto seed = any_seed();
  EXPECT_TRUE(switches_lose_nothing<form::opaque>(seed, 500'000)) << "seed " << seed;
}

TEST(switch_bad_days, each_thread_switches_its_own_stacks) {
  const auto seed = any_seed();
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < 4; ++i)
    threads.emplace_back([&right, seed = seed + 10 * i] { right += switches_lose_nothing<form::opaque>(seed, 50'000); });
  for (std::thread& each : threads) each.join();
  EXPECT_EQ(right, 4) << "seed " << seed;
}

std::atomic<int> signals_seen{0};
std::atomic<bool> signals_kept_theirs{true};

// Writes to all that it may: to the registers that a caller keeps, and to the stack below what was interrupted.
void on_signal(int) {
  volatile char noise[1024];
  for (volatile char& each : noise) each = 1;
  held_values other(static_cast<std::uint64_t>(signals_seen.load()));
  other.step();
  if (!held_values::came_from(static_cast<std::uint64_t>(signals_seen.load()), 1, other)) signals_kept_theirs = false;
  ++signals_seen;
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
  bool right = true;
  while (right && signals_seen < 1000)
    right = switches_lose_nothing<form::either>(seed, 10'000) && switches_lose_nothing<form::opaque>(seed, 10'000);
  over = true;
  other.join();
  sigaction(SIGUSR1, &before, nullptr);
  EXPECT_TRUE(right) << "seed " << seed;
  EXPECT_TRUE(signals_kept_theirs);
}

}  // namespace
