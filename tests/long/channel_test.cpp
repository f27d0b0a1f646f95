#include "many_at_a_channel.hpp"

namespace {

TEST(channel, tells_a_million_tasks_that_it_is_closed) { support::wait_and_close(support::style::task, 1'000'000); }
TEST(channel, tells_a_hundred_thousand_fibers_that_it_is_closed) {
  support::wait_and_close(support::style::fiber, 100'000);
}

}  // namespace
