// Cycles of short operations on a machine whose cycle counter cannot be read.
//
// A chain of dependent additions of registers takes one cycle per addition on every processor this library runs on, so
// timing such a chain right before and after a measured run tells how long a cycle was just then, whatever the clock
// frequency does: cycles = nanoseconds / nanoseconds per dependent addition. Every case is measured in turns with all
// others, in shuffled order.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>
#include <vector>

namespace bench {

// Something to measure. `run(n)` performs the operation n times; it is called through this erasure once per sample, so
// the loop belongs inside. Choose `operations` so that a sample takes around a millisecond: long against the clock's
// reading, short against a time slice.
struct micro_case {
  std::string name;
  std::uint64_t operations = 0;
  std::function<void(std::uint64_t)> run;
};

// Per operation, one element for each round; feed them to statistics.hpp or report.hpp. Elements of equal index were
// measured in the same round.
struct micro_samples {
  std::vector<double> nanoseconds;
  std::vector<double> cycles;
};

inline constexpr int fewest_micro_rounds = 21;

// The samples of each case, in the order of the cases. Runs at least 21 rounds, and one more to warm up which is not
// counted. Pin the thread first (placement.hpp).
std::vector<micro_samples> measure_micro(const std::vector<micro_case>& cases, std::uint64_t seed,
                                         int rounds = fewest_micro_rounds);

// How long one dependent addition takes now.
double nanoseconds_per_cycle();

// The compiler has to produce this value, and to assume that it may be anything afterwards. What fits a register stays
// in one: forced into memory, a counter would be stored and loaded on every turn of the loop that is measured.
template <class Value>
inline void keep(Value& value) {
  if constexpr (std::is_scalar_v<Value> && sizeof(Value) <= sizeof(void*))
    asm volatile("" : "+r"(value) : : "memory");
  else
    asm volatile("" : "+m"(value) : : "memory");
}
template <class Value>
inline void keep(const Value& value) {
  asm volatile("" : : "g"(value) : "memory");
}

}  // namespace bench
