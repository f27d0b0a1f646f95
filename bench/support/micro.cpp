#include "support/micro.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "support/rounds.hpp"

namespace bench {
namespace {

using clock = std::chrono::steady_clock;

constexpr int adds_per_step = 64;
constexpr int steps_per_chain = 500;  // about ten microseconds

double nanoseconds_since(clock::time_point began) {
  return std::chrono::duration<double, std::nano>(clock::now() - began).count();
}

// Register plus register, never a constant: recent processors fold additions of constants while renaming registers.
// The empty asm makes each sum unknown to the compiler without an instruction of its own, on any architecture.
template <int... Step>
void dependent_adds(std::uint64_t& sum, std::uint64_t addend, std::integer_sequence<int, Step...>) {
  const auto add = [&](int) {
    sum += addend;
    asm volatile("" : "+r"(sum));
  };
  (add(Step), ...);
}

double chain_nanoseconds() {
  std::uint64_t sum = 0, addend = 3;
  asm volatile("" : "+r"(addend));
  const auto began = clock::now();
  for (int step = 0; step < steps_per_chain; ++step)
    dependent_adds(sum, addend, std::make_integer_sequence<int, adds_per_step>());
  return nanoseconds_since(began);
}

// Runs the case at another depth of the stack each time: where the low bits of the stack pointer happen to agree with
// those of the data, loads wait for unrelated stores, and a process that started so would be slow from end to end.
[[gnu::noinline]] void run_at_depth(const micro_case& measured, std::size_t depth) {
  void* const below = __builtin_alloca(depth);
  asm volatile("" : : "r"(below) : "memory");
  measured.run(measured.operations);
}

void take_sample(const micro_case& measured, micro_samples& samples) {
  const std::size_t depth = samples.cycles.size() * 1072 % 4096 + 16;
  const double cycle_before = nanoseconds_per_cycle();
  const auto began = clock::now();
  run_at_depth(measured, depth);
  const double nanoseconds = nanoseconds_since(began) / static_cast<double>(measured.operations);
  const double cycle_after = nanoseconds_per_cycle();
  samples.nanoseconds.push_back(nanoseconds);
  samples.cycles.push_back(nanoseconds / ((cycle_before + cycle_after) / 2));
}

}  // namespace

double nanoseconds_per_cycle() {
  // Interruptions only ever lengthen a chain, so the shortest of a few short ones is the undisturbed one.
  double shortest = chain_nanoseconds();
  for (int again = 0; again < 4; ++again) shortest = std::min(shortest, chain_nanoseconds());
  return shortest / (adds_per_step * steps_per_chain);
}

std::vector<micro_samples> measure_micro(const std::vector<micro_case>& cases, std::uint64_t seed, int rounds) {
  for (const micro_case& warmed : cases) warmed.run(warmed.operations);
  std::vector<micro_samples> samples(cases.size());
  shuffled_rounds(std::max(rounds, fewest_micro_rounds), cases.size(), seed,
                  [&](std::size_t which) { take_sample(cases[which], samples[which]); });
  return samples;
}

}  // namespace bench
