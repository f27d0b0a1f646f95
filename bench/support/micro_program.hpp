// What every benchmark of short operations does around its rows.
#pragma once

#include <cstdint>
#include <cstdio>
#include <exception>

#include "support/failure.hpp"
#include "support/placement.hpp"
#include "support/report.hpp"
#include "support/rounds.hpp"

namespace bench {

inline constexpr int micro_rounds = 31;

// For main: fill(report, seed) measures; gives the exit status.
template <class Fill>
int micro_program(const char* name, char** argv, Fill&& fill) try {
  fix_addresses(argv);
  pin_to_cpu(0);
  const std::uint64_t seed = fresh_seed();
  std::printf("%s: seed %llu, %d interleaved rounds\n\n", name, static_cast<unsigned long long>(seed), micro_rounds);
  report out;
  fill(out, seed);
  out.print(stdout);
  return out.status();
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s_bench: %s\n", name, e.what());
  return could_not_measure;
}

}  // namespace bench
