// What it costs to wait for several things at once, with a time limit, and to take a chain of frames down.
//
// Exit status: 0 all gates met, 1 a gate missed.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <cordage/cordage.hpp>

#include "counted_allocations.hpp"
#include "support/micro.hpp"
#include "support/micro_program.hpp"

namespace {

using namespace std::chrono_literals;
using cordage::async;
using cordage::task;

[[gnu::noinline]] task<std::uint64_t> trivial(std::uint64_t value) { co_return value; }

task<> await_trivial(std::uint64_t times) {
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < times; ++i) sum += co_await trivial(i);
  bench::keep(sum);
}

// --- several things at once ------------------------------------------------------------------------------------------

task<> all_of_two(std::uint64_t times) {
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < times; ++i) {
    const auto [a, b] = co_await cordage::when_all(trivial(i), trivial(1));
    sum += a + b;
  }
  bench::keep(sum);
}

task<> all_of_ten(std::uint64_t times) {
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < times; ++i) {
    const auto got = co_await cordage::when_all(trivial(i), trivial(1), trivial(2), trivial(3), trivial(4), trivial(5),
                                                trivial(6), trivial(7), trivial(8), trivial(9));
    sum += std::get<0>(got) + std::get<9>(got);
  }
  bench::keep(sum);
}

task<> all_of_a_thousand(std::uint64_t times) {
  std::uint64_t sum = 0;
  std::vector<task<std::uint64_t>> tasks;
  tasks.reserve(1000);
  for (std::uint64_t i = 0; i < times; ++i) {
    tasks.clear();
    for (std::uint64_t n = 0; n < 1000; ++n) tasks.push_back(trivial(n));
    const std::vector<std::uint64_t> got = co_await cordage::when_all(tasks);
    sum += got.back();
  }
  bench::keep(sum);
}

task<> any_of_two(std::uint64_t times) {
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < times; ++i) {
    const auto got = co_await cordage::when_any(trivial(i), trivial(1));
    sum += *std::get<0>(got);
  }
  bench::keep(sum);
}

[[gnu::noinline]] task<std::uint64_t> after_a_turn(std::uint64_t value) {
  co_await cordage::yield_now();
  co_return value;
}

template <task<std::uint64_t> (*What)(std::uint64_t)>
task<> limited(std::uint64_t times) {
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < times; ++i) {
    const auto got = co_await cordage::with_timeout(1h, What(i));
    sum += *got;
  }
  bench::keep(sum);
}

task<> with_a_loser(std::uint64_t times) {
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < times; ++i) {
    const auto got = co_await cordage::when_any(after_a_turn(i), cordage::timeout(1h));
    sum += *std::get<0>(got);
  }
  bench::keep(sum);
}

// --- chains ----------------------------------------------------------------------------------------------------------

// Its recursion ends by waiting for ever, or with an error.
task<> wait_below(std::uint64_t depth) {
  if (depth == 0) {
    co_await cordage::stopped();
  } else {
    co_await wait_below(depth - 1);
  }
}
async<> fail_below(std::uint64_t depth) {
  if (depth == 0) co_return cordage::unexpected(cordage::errc::closed);
  co_await !fail_below(depth - 1);
  co_return {};
}

task<> stop_chain(std::uint64_t depth) {
  auto chain = cordage::spawn(wait_below, depth);
  co_await cordage::yield_now();
  chain.request_stop();
  (void)co_await chain;
}
task<> fail_chain(std::uint64_t depth) { (void)co_await fail_below(depth); }

// ---------------------------------------------------------------------------------------------------------------------

template <class F>
std::uint64_t allocations_of(F&& operations) {
  operations(10);
  std::uint64_t made = counted_allocations::made;
  operations(1000);
  made = counted_allocations::made - made;
  std::uint64_t of_fewer = counted_allocations::made;
  operations(10);
  of_fewer = counted_allocations::made - of_fewer;
  return made - of_fewer;
}

void report_all(bench::report& out, std::uint64_t seed) {
  const auto in_runtime = [](task<> (*operations)(std::uint64_t)) {
    return [operations](std::uint64_t n) { cordage::run(operations(n)); };
  };
  out.section("allocations in 990 operations");
  const auto allocations = [&](const char* what, task<> (*operations)(std::uint64_t), double most) {
    out.value(what, static_cast<double>(allocations_of(in_runtime(operations))), {}, {.gate = most, .goal = most});
  };
  allocations("when_all of 2", all_of_two, 0);
  allocations("when_all of 10", all_of_ten, 0);
  allocations("when_all of 1000, whose value is a vector", all_of_a_thousand, 990);
  allocations("when_any of two", any_of_two, 0);
  allocations("with_timeout", limited<after_a_turn>, 0);

  constexpr std::uint64_t deep = 1'000'000;
  constexpr std::uint64_t deep_too = 250'000;
  const std::vector<bench::micro_case> cases{
      {"await", 200'000, in_runtime(await_trivial)},
      {"all 2", 50'000, in_runtime(all_of_two)},
      {"all 10", 10'000, in_runtime(all_of_ten)},
      {"all 1000", 100, in_runtime(all_of_a_thousand)},
      {"any", 50'000, in_runtime(any_of_two)},
      {"limited", 20'000, in_runtime(limited<after_a_turn>)},
      {"limited and ready", 20'000, in_runtime(limited<trivial>)},
      {"loser", 20'000, in_runtime(with_a_loser)},
      {"stop deep", deep, in_runtime(stop_chain)},
      {"stop less deep", deep_too, in_runtime(stop_chain)},
      {"fail deep", deep, in_runtime(fail_chain)},
      {"fail less deep", deep_too, in_runtime(fail_chain)}};
  const auto measured = bench::measure_micro(cases, seed, bench::micro_rounds);
  const auto compare = [&](const std::string& what, std::size_t ours, std::size_t peer, bench::bounds limits) {
    out.compare(what, measured[ours].cycles, measured[peer].cycles, limits);
  };
  out.section("cycles, peer a trivial await");
  compare("when_all of 2 ready tasks", 1, 0, {.gate = 7, .goal = 5});
  compare("when_all of 10 ready tasks", 2, 0, {.gate = 55, .goal = 40});
  compare("when_all of 1000 ready tasks", 3, 0, {.gate = 5500, .goal = 4100});
  compare("when_any of two ready tasks", 4, 0, {.gate = 25, .goal = 18});
  compare("with_timeout that is not needed, after a turn", 5, 0, {.gate = 45, .goal = 33});
  compare("with_timeout of what is ready", 6, 0, {});
  compare("when_any with a timeout that is not needed", 7, 0, {});
  out.section("cycles per frame of a chain of 1,000,000, peer one of 250,000");
  compare("stop it, building included", 8, 9, {.gate = 1.2, .goal = 1.0});
  compare("`!` an error through it, building included", 10, 11, {.gate = 1.2, .goal = 1.0});
}

}  // namespace

int main(int, char** argv) { return bench::micro_program("combinator", argv, report_all); }
