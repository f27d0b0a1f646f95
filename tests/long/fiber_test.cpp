#include "many_fibers.hpp"
#include "system_calls.hpp"

namespace {

// About 4.3 GB.
TEST(fibers, a_million_are_suspended_at_once) {
  constexpr double needed = 5.0 * 1024 * 1024 * 1024;
  const double free = support::free_memory();
  if (free < needed) GTEST_SKIP() << "only " << free / 1e9 << " GB are free here, 5.4 are needed";
  support::suspend_and_resume(1'000'000);
}

}  // namespace
