// See also the contract of backends, and tests/system/stdin_loop_test.cpp for terminals.
#include <cordage/standard_input.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <system_error>

#include <gtest/gtest.h>

#include <cordage/buffered_reader.hpp>
#include <cordage/fiber.hpp>
#include <cordage/runtime.hpp>
#include <cordage/task.hpp>
#include <cordage/tcp.hpp>
#include <cordage/time.hpp>

#include "owned_fd.hpp"
#include "system_calls.hpp"
#include "two_ends.hpp"

namespace {

using namespace cordage;
using support::owned_fd;
using support::two_ends;

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
  const owned_fd file = support::open_nameless_file();
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
