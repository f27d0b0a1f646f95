// What tasks and generators cost: against the same with frames from malloc, and against an iterator written by hand.
//
// Exit status: 0 all gates met, 1 a gate missed.
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <cordage/cordage.hpp>

#include "counted_allocations.hpp"
#include "support/micro.hpp"
#include "support/micro_program.hpp"

namespace {

using cordage::generator;
using cordage::task;

// --- tasks -----------------------------------------------------------------------------------------------------------

[[gnu::noinline]] task<std::uint64_t> trivial(std::uint64_t value) { co_return value; }
[[gnu::noinline]] task<std::uint64_t> trivial_by_malloc(std::allocator_arg_t, std::allocator<std::byte>,
                                                        std::uint64_t value) {
  co_return value;
}

task<> await_trivial(std::uint64_t times) {
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < times; ++i) sum += co_await trivial(i);
  bench::keep(sum);
}
task<> await_trivial_by_malloc(std::uint64_t times) {
  const std::allocator<std::byte> heap;
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < times; ++i) sum += co_await trivial_by_malloc(std::allocator_arg, heap, i);
  bench::keep(sum);
}

[[gnu::noinline]] task<std::uint64_t> fib(std::uint64_t n) {
  if (n < 2) co_return n;
  const std::uint64_t one = co_await fib(n - 1);
  co_return one + co_await fib(n - 2);
}
[[gnu::noinline]] task<std::uint64_t> fib_by_malloc(std::allocator_arg_t, std::allocator<std::byte> heap, std::uint64_t n) {
  if (n < 2) co_return n;
  const std::uint64_t one = co_await fib_by_malloc(std::allocator_arg, heap, n - 1);
  co_return one + co_await fib_by_malloc(std::allocator_arg, heap, n - 2);
}
constexpr std::uint64_t fib_argument = 25;
constexpr std::uint64_t fib_calls = 242'785;

// --- generators ------------------------------------------------------------------------------------------------------

// Its ++ is a call, as that of a generator is; both refer to the value.
class counting_iterator {
 public:
  [[gnu::noinline]] counting_iterator& operator++() {
    ++value_;
    return *this;
  }
  const std::uint64_t& operator*() const { return value_; }

 private:
  std::uint64_t value_ = 0;
};

void iterate_by_hand(std::uint64_t times) {
  std::uint64_t sum = 0;
  counting_iterator at;
  for (std::uint64_t i = 0; i < times; ++i) sum += *++at;
  bench::keep(sum);
}

generator<std::uint64_t> count() {
  for (std::uint64_t i = 0;; ++i) co_yield i;
}

void iterate_generator(std::uint64_t times) {
  std::uint64_t sum = 0;
  auto counter = count();
  auto at = counter.begin();
  for (std::uint64_t i = 0; i < times; ++i) sum += *++at;
  bench::keep(sum);
}

generator<std::uint64_t> count_below(int depth) {
  if (depth > 1) {
    co_yield cordage::elements_of(count_below(depth - 1));
  } else {
    for (std::uint64_t i = 0; i + 1 != 0; ++i) co_yield i;
  }
}

template <int Depth>
void iterate_at_depth(std::uint64_t times) {
  std::uint64_t sum = 0;
  auto counter = count_below(Depth);
  auto at = counter.begin();
  for (std::uint64_t i = 0; i < times; ++i, ++at) sum += *at;
  bench::keep(sum);
}

// ---------------------------------------------------------------------------------------------------------------------

double allocations_of_1000_awaits() {
  std::uint64_t allocated = 0;
  cordage::run([&]() -> task<> {
    co_await await_trivial(100);
    const std::uint64_t before = counted_allocations::made;
    co_await await_trivial(1000);
    allocated = counted_allocations::made - before;
  }());
  return static_cast<double>(allocated);
}

void report_all(bench::report& out, std::uint64_t seed) {
  const std::vector<bench::micro_case> cases{
      {"await", 200'000, [](std::uint64_t n) { cordage::run(await_trivial(n)); }},
      {"await, malloc", 200'000, [](std::uint64_t n) { cordage::run(await_trivial_by_malloc(n)); }},
      {"fib", fib_calls, [](std::uint64_t) { (void)cordage::run(fib(fib_argument)); }},
      {"fib, malloc", fib_calls, [](std::uint64_t) { (void)cordage::run(fib_by_malloc(std::allocator_arg, {}, fib_argument)); }},
      {"by hand", 400'000, iterate_by_hand},
      {"generator", 400'000, iterate_generator},
      {"depth 1", 400'000, iterate_at_depth<1>},
      {"depth 1000", 400'000, iterate_at_depth<1000>}};
  const auto measured = bench::measure_micro(cases, seed, bench::micro_rounds);
  const auto compare = [&](const std::string& what, std::size_t ours, std::size_t peer, bench::bounds limits) {
    out.compare(what, measured[ours].cycles, measured[peer].cycles, limits);
  };
  out.section("cycles");
  compare("await a trivial task, peer with frames from malloc", 0, 1, {.gate = 0.65, .goal = 0.5});
  compare("a call of fib(25) by awaits, peer with frames from malloc", 2, 3, {.gate = 0.6, .goal = 0.48});
  compare("next of a generator, peer an iterator by hand", 5, 4, {.gate = 1.1, .goal = 1});
  compare("next of a recursive generator 1000 deep, peer 1 deep", 7, 6, {.gate = 1.2, .goal = 1});
  out.section("memory");
  out.value("await a trivial task 1000 times, allocations", allocations_of_1000_awaits(), {}, {.gate = 0, .goal = 0});
}

}  // namespace

int main(int, char** argv) { return bench::micro_program("stackless", argv, report_all); }
