// watched_descriptor and standard_input: descriptors that others use as well. See also the contract of backends.
#include <cordage/watched_descriptor.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include <gtest/gtest.h>

#include <cordage/buffered_reader.hpp>
#include <cordage/standard_input.hpp>
#include <cordage/tcp.hpp>
#include <cordage/time.hpp>

#include "both_styles.hpp"
#include "owned_fd.hpp"

namespace {

using namespace cordage;
using support::owned_fd;
using support::style;

struct two_ends {
  two_ends() {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    near = owned_fd(ends[0]);
    far = owned_fd(ends[1]);
  }
  owned_fd near, far;
};

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

// What the process has as standard input, for as long as this lives.
class as_standard_input {
 public:
  explicit as_standard_input(int fd) : before_(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)) {
    if (fd >= 0) ::dup2(fd, STDIN_FILENO);
    if (fd < 0) ::close(STDIN_FILENO);
  }
  ~as_standard_input() {
    ::close(STDIN_FILENO);
    if (before_) ::dup2(before_.get(), STDIN_FILENO);
  }

 private:
  owned_fd before_;
};

task<std::string> all_lines() {
  standard_input input;
  buffered_reader lines(input);
  std::string all;
  while (const auto line = co_await !lines.read_line()) all += std::string(*line) + '|';
  co_return all;
}

TEST(standard_input, gives_a_pipe_as_it_comes) {
  two_ends ends;
  const as_standard_input ours(ends.near.get());
  run([&]() -> task<> {
    auto reads = spawn(all_lines);
    co_await yield_now();
    EXPECT_EQ(::write(ends.far.get(), "a\nb", 3), 3);
    co_await sleep_for(std::chrono::milliseconds(1));
    EXPECT_FALSE(reads.ready());
    EXPECT_EQ(::write(ends.far.get(), "c\n", 2), 2);
    ends.far.close();
    const std::string all = co_await !reads;
    EXPECT_EQ(all, "a|bc|");
  }());
}

TEST(standard_input, reads_a_regular_file_and_lets_others_have_their_turn_meanwhile) {
  const owned_fd file(::memfd_create("input", MFD_CLOEXEC));
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "line " + std::to_string(i) + '\n';
  ASSERT_EQ(::write(file.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  ASSERT_EQ(::lseek(file.get(), 0, SEEK_SET), 0);
  const as_standard_input ours(file.get());
  run([&]() -> task<> {
    auto reads = spawn(all_lines);
    int turns = 0;
    while (!reads.ready()) {
      co_await yield_now();
      ++turns;
    }
    EXPECT_GE(turns, 3);
    const std::string all = co_await !reads;
    EXPECT_EQ(all.size(), text.size());
  }());
}

TEST(standard_input, ends_at_once_where_there_is_nothing) {
  const owned_fd nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const as_standard_input ours(nothing.get());
  EXPECT_EQ(run(all_lines()), "");
}

TEST(standard_input, tells_the_systems_error) {
  const owned_fd directory(::open("/", O_RDONLY | O_CLOEXEC));
  {
    const as_standard_input ours(directory.get());
    try {
      run(all_lines());
      FAIL() << "a directory was read";
    } catch (const std::system_error& failed) {
      EXPECT_EQ(failed.code(), std::errc::is_a_directory);
    }
  }
}

// What a runtime opens does not take its place.
TEST(standard_input, that_was_closed_is_missed_before_and_inside_of_a_runtime) {
  const as_standard_input closed(-1);
  EXPECT_THROW((void)standard_input(), std::system_error);
  EXPECT_THROW(run(all_lines()), std::system_error);
  run([]() -> task<> {
    auto listener = std::move(*tcp::listener::bind(*endpoint::parse("127.0.0.1:0")));
    auto accepts = spawn([&] { return await(!listener.accept()); });
    const tcp::stream near = co_await !tcp::connect(listener.local());
    const tcp::stream far = co_await !accepts;
    EXPECT_EQ(::fcntl(STDIN_FILENO, F_GETFD), -1);
    EXPECT_GT(near.its_descriptor()->fd.get(), STDERR_FILENO);
    EXPECT_GT(far.its_descriptor()->fd.get(), STDERR_FILENO);
  }());
}

}  // namespace
