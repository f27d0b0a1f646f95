#include "many_waiters.hpp"

namespace {

// About half a gigabyte each.
TEST(semaphore, has_a_million_waiters) { support::stand_in_line(1'000'000); }

TEST(manual_reset_event, has_a_million_waiters) { support::wait_for_an_event(1'000'000); }

}  // namespace
