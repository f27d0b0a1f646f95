// What strands themselves cost: awaiting a task, and taking turns through the run queue.
//
// Exit status: 0 all gates met, 1 a gate missed.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include <cordage/cordage.hpp>

#include "counted_allocations.hpp"
#include "support/instructions.hpp"
#include "support/micro.hpp"
#include "support/micro_program.hpp"

namespace {

using bench::bounds;

// The promises of the issue that these rows are for; instructions differ by compiler.
#if defined(__clang__)
constexpr bounds trivial_instructions{.gate = 100, .goal = 80};
#else
constexpr bounds trivial_instructions{.gate = 130, .goal = 110};
#endif
constexpr bounds no_allocation{.gate = 0, .goal = 0};
constexpr bounds fiber_turn{.gate = 30, .goal = 18};
constexpr bounds task_turn{.gate = 15, .goal = 8};

constexpr std::uint64_t strands = 1000;

// The cost of code that does nothing but compute is what remains when nobody disturbs it: a neighbour on the same
// physical core makes such a round up to twice as long, and no chain of additions tells. So these rows are judged by
// their lowest decile; the median stands beside it.
double least_disturbed(std::vector<double> cycles) {
  const auto decile = cycles.begin() + static_cast<std::ptrdiff_t>(cycles.size() / 10);
  std::nth_element(cycles.begin(), decile, cycles.end());
  return *decile;
}

[[gnu::noinline]] cordage::task<std::uint64_t> trivial(std::uint64_t value) { co_return value; }

cordage::task<> await_trivial(std::uint64_t times) {
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < times; ++i) sum += co_await trivial(i);
  bench::keep(sum);
}

cordage::task<> take_turns_as_task(std::uint64_t turns) {
  for (std::uint64_t i = 0; i < turns; ++i) co_await cordage::yield_now();
}
void take_turns_as_fiber(std::uint64_t turns) {
  for (std::uint64_t i = 0; i < turns; ++i) cordage::await(cordage::yield_now());
}

template <class Strand>
void take_turns(Strand strand, std::uint64_t operations) {
  cordage::runtime runtime;
  for (std::uint64_t i = 0; i < strands; ++i) runtime.spawn(strand, operations / strands);
  runtime.run(cordage::yield_now());
}

// Warm, so that the recycler has frames to give.
cordage::task<> count_instructions(std::uint64_t times, void (*begin)(), void (*end)()) {
  co_await await_trivial(100);
  begin();
  co_await await_trivial(times);
  end();
}

void report_await(bench::report& out) {
  const auto instructions = bench::instructions_per_operation(
      400, [](std::uint64_t n, auto begin, auto end) { cordage::run(count_instructions(n, begin, end)); });
  if (instructions) {
    out.value("await a trivial task, instructions", *instructions, {}, trivial_instructions);
  } else {
    out.remark("await a trivial task, instructions", "not counted here");
  }
  std::uint64_t allocated = 0;
  cordage::run([&]() -> cordage::task<> {
    co_await await_trivial(100);
    const std::uint64_t before = counted_allocations::made;
    co_await await_trivial(1000);
    allocated = counted_allocations::made - before;
  }());
  out.value("await a trivial task 1000 times, allocations", static_cast<double>(allocated), {}, no_allocation);
}

void report_turns(bench::report& out, std::uint64_t seed) {
  const std::vector<bench::micro_case> cases{
      {"fiber", 10'000'000, [](std::uint64_t n) { take_turns(take_turns_as_fiber, n); }},
      {"task", 10'000'000, [](std::uint64_t n) { take_turns(take_turns_as_task, n); }},
      {"await", 1'000'000, [](std::uint64_t n) { cordage::run(await_trivial(n)); }}};
  const auto samples = bench::measure_micro(cases, seed, bench::micro_rounds);
  const auto row = [&](const std::string& what, const std::vector<double>& cycles, bounds limits) {
    out.value(what + ", cycles, least disturbed", least_disturbed(cycles), {}, limits);
    out.value(what + ", cycles, median", bench::median(cycles), {});
  };
  row("fiber: a turn of the run queue, 1000 of them", samples[0].cycles, fiber_turn);
  row("task: a turn of the run queue, 1000 of them", samples[1].cycles, task_turn);
  row("await a trivial task", samples[2].cycles, {});
  out.value("await a trivial task, nanoseconds, median", bench::median(samples[2].nanoseconds), {});
}

void report_all(bench::report& out, std::uint64_t seed) {
  report_await(out);
  report_turns(out, seed);
}

}  // namespace

int main(int, char** argv) { return bench::micro_program("strand", argv, report_all); }
