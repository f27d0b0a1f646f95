// See also the contract of backends.
#include <cordage/watched_descriptor.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <system_error>

#include <gtest/gtest.h>


#include "both_styles.hpp"
#include "two_ends.hpp"

namespace {

using namespace cordage;
using support::style;
using support::two_ends;

class watched_in : public testing::TestWithParam<style> {};

TEST_P(watched_in, waits_until_there_is_something_to_read_and_reads_nothing) {
  two_ends ends;
  watched_descriptor watched(ends.near.get());
  const auto wait = [&] { return watched.readable(); };
  run([&]() -> task<> {
    auto waits = support::spawn_in(GetParam(), wait);
    co_await yield_now();
    EXPECT_FALSE(waits.ready());
    EXPECT_EQ(::write(ends.far.get(), "abc", 3), 3);
    const result<> first = co_await waits;
    EXPECT_TRUE(first.has_value());
    const result<> again = co_await watched.readable();
    EXPECT_TRUE(again.has_value());
    char text[8];
    EXPECT_EQ(::read(ends.near.get(), text, sizeof text), 3);
  }());
}

TEST_P(watched_in, a_stopped_wait_leaves_the_descriptor_usable) {
  two_ends ends;
  watched_descriptor watched(ends.near.get());
  const auto wait = [&] { return watched.readable(); };
  run([&]() -> task<> {
    auto waits = support::spawn_in(GetParam(), wait);
    co_await yield_now();
    waits.request_stop();
    const auto ended = co_await waits;
    EXPECT_EQ(ended.error(), errc::stopped);
    ends.far.close();
    const result<> at_end = co_await watched.readable();
    EXPECT_TRUE(at_end.has_value());
  }());
}

INSTANTIATE_TEST_SUITE_P(styles, watched_in, testing::ValuesIn(support::each_style),
                         [](const auto& which) { return support::name_of(which.param); });

TEST(watched_descriptor, outlives_the_descriptor_it_was_made_of) {
  two_ends ends;
  watched_descriptor watched(ends.near.get());
  ends.near.close();
  run([&]() -> task<> {
    auto waits = spawn([&] { return await(watched.readable()); });
    co_await yield_now();
    EXPECT_EQ(::write(ends.far.get(), "a", 1), 1);
    const result<> woken = co_await waits;
    EXPECT_TRUE(woken.has_value());
  }());
}

TEST(watched_descriptor, is_refused_where_there_is_no_such_descriptor) {
  EXPECT_THROW((void)watched_descriptor{-1}, std::system_error);
}

TEST(watched_descriptor, two_may_watch_the_same) {
  two_ends ends;
  watched_descriptor one(ends.near.get());
  watched_descriptor other(ends.near.get());
  run([&]() -> task<> {
    auto first = spawn([&] { return await(one.readable()); });
    auto second = spawn([&] { return await(other.readable()); });
    co_await yield_now();
    EXPECT_EQ(::write(ends.far.get(), "a", 1), 1);
    const result<> one_woken = co_await first;
    const result<> other_woken = co_await second;
    EXPECT_TRUE(one_woken.has_value() && other_woken.has_value());
  }());
}

}  // namespace
