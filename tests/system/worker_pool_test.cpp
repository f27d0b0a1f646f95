// examples/worker_pool: jobs that succeed, fail, hang or are left out, with workers that are tasks and that are fibers.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <csignal>
#include <future>
#include <ostream>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "child_process.hpp"
#include "guarded_io.hpp"
#include "owned_fd.hpp"
#include "system_calls.hpp"
#include "wrong_command_line.hpp"

namespace {

using namespace support;

const std::string worker_pool_path = CORDAGE_EXAMPLES_DIR "/worker_pool";
const std::string for_ever = "100000s";

// What is asked. The system accepts connections for it; the test takes them when it likes.
class asked_server {
 public:
  asked_server() : socket_(open_stream_socket(AF_INET)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof at;
    auto* const generic = reinterpret_cast<sockaddr*>(&at);
    if (::bind(socket_.get(), generic, length) < 0 || ::listen(socket_.get(), 1000) < 0 ||
        ::getsockname(socket_.get(), generic, &length) < 0)
      fail_with_errno("a server to ask");
    address_ = "127.0.0.1:" + std::to_string(ntohs(at.sin_port));
  }

  const std::string& address() const noexcept { return address_; }

  // The next that has connected.
  owned_fd accept() const {
    wait_until_ready(socket_.get(), POLLIN, "a connection");
    owned_fd connection = accept_from(socket_.get());
    if (::fcntl(connection.get(), F_SETFL, O_NONBLOCK) < 0) fail_with_errno("fcntl");
    return connection;
  }
  bool is_asked() const { return is_ready(socket_.get(), POLLIN); }
  void greet(std::string_view bytes) const { write_all(accept().get(), bytes); }

  // Refuses from now on.
  void close() noexcept { socket_.close(); }

 private:
  owned_fd socket_;
  std::string address_;
};

std::vector<std::string> sorted_lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream all(text);
  for (std::string line; std::getline(all, line);) lines.push_back(line);
  std::ranges::sort(lines);
  return lines;
}

void expect_end(child_process& program, int exit_code, const std::string& output, const std::string& errors) {
  const ending end = program.wait();
  EXPECT_EQ(end.exit_code, exit_code) << end;
  EXPECT_EQ(end.output, output);
  EXPECT_EQ(end.errors, errors);
}

// Each test runs once with workers that are tasks and once with fibers.
class worker_pool : public testing::TestWithParam<std::string> {
 protected:
  std::vector<std::string> command(const std::vector<std::string>& further) const {
    std::vector<std::string> arguments{worker_pool_path, "--style", GetParam(), "--timeout", for_ever};
    arguments.insert(arguments.end(), further.begin(), further.end());
    return arguments;
  }
};

const std::string finishing = "worker_pool: finishing what has begun; a second signal stops it\n";

void send_signal_and_wait_until_heeded(child_process& program, int number) {
  program.send_signal(number);
  eventually("the signal is heeded", [&] { return program.errors_so_far() == finishing; });
}

TEST_P(worker_pool, prints_what_each_server_says_first) {
  const asked_server one, two, three;
  child_process program(command({"--workers", "1", one.address(), two.address(), three.address()}));
  one.greet("220 ready\r\nand more\r\n");
  two.greet("SSH-2.0-test\n");
  three.greet("no end of line");
  expect_end(program, 0,
             one.address() + ": 220 ready\n" + two.address() + ": SSH-2.0-test\n" + three.address() +
                 ": no end of line\n",
             "");
}

TEST_P(worker_pool, prints_in_the_order_of_the_answers) {
  const asked_server one, two;
  child_process program(command({one.address(), two.address()}));
  const owned_fd first = one.accept();
  two.greet("quick\n");
  std::string said(two.address().size() + 8, ' ');
  EXPECT_EQ(read_some(program.output(), said), said.size());
  EXPECT_EQ(said, two.address() + ": quick\n");
  write_all(first.get(), "slow\n");
  expect_end(program, 0, one.address() + ": slow\n", "");
}

TEST_P(worker_pool, goes_on_after_jobs_that_fail) {
  asked_server refuses, falls_silent, speaks;
  refuses.close();
  child_process program(
      command({"--workers", "1", refuses.address(), "nonsense", falls_silent.address(), speaks.address()}));
  falls_silent.accept();
  speaks.greet("hello\n");
  expect_end(program, 1, speaks.address() + ": hello\n",
             "worker_pool: " + refuses.address() + ": Connection refused\n" +
                 "worker_pool: nonsense: not a numeric ADDRESS:PORT such as 127.0.0.1:80 or [::1]:80\n" +
                 "worker_pool: " + falls_silent.address() + ": end of stream\n");
}

TEST_P(worker_pool, gives_up_a_server_that_says_nothing) {
  const asked_server silent;
  child_process program(command({"--timeout", "20ms", silent.address(), silent.address(), silent.address()}));
  const std::string line = "worker_pool: " + silent.address() + ": timed out\n";
  expect_end(program, 1, "", line + line + line);
}

TEST_P(worker_pool, asks_as_many_at_a_time_as_there_are_workers) {
  const asked_server all;
  std::vector<std::string> arguments{"--workers", "3", "--queue", "1"};
  arguments.resize(arguments.size() + 10, all.address());
  child_process program(command(arguments));
  std::vector<owned_fd> open;
  for (int i = 0; i < 3; ++i) open.push_back(all.accept());
  for (int answered = 0; answered < 7; ++answered) {
    EXPECT_FALSE(all.is_asked());
    write_all(open.front().get(), "hello\n");
    open.erase(open.begin());
    open.push_back(all.accept());
  }
  for (const owned_fd& last : open) write_all(last.get(), "hello\n");
  const ending end = program.wait();
  EXPECT_EQ(end.exit_code, 0) << end;
  EXPECT_EQ(sorted_lines(end.output), std::vector<std::string>(10, all.address() + ": hello"));
}

TEST_P(worker_pool, does_many_jobs) {
  constexpr int count = 500;
  const asked_server all;
  std::vector<std::string> arguments{"--workers", "16", "--queue", "2"};
  arguments.resize(arguments.size() + count, all.address());
  child_process program(command(arguments));
  auto answers = std::async(std::launch::async, [&] {
    for (int i = 0; i < count; ++i) all.greet("number " + std::to_string(i) + "\n");
  });
  const ending end = program.wait();
  answers.get();
  EXPECT_EQ(end.exit_code, 0) << end;
  std::vector<std::string> expected;
  for (int i = 0; i < count; ++i) expected.push_back(all.address() + ": number " + std::to_string(i));
  std::ranges::sort(expected);
  EXPECT_EQ(sorted_lines(end.output), expected);
}

TEST_P(worker_pool, makes_garbage_printable_and_cuts_what_does_not_end) {
  const asked_server garbage, endless;
  child_process program(command({"--workers", "1", garbage.address(), endless.address()}));
  garbage.greet(std::string_view("\0\x1b[2J\xff\n", 7));
  const owned_fd asked = endless.accept();
  write_all(asked.get(), std::string(5000, 'x'));
  expect_end(program, 0, garbage.address() + ": ??[2J\xff\n" + endless.address() + ": " + std::string(1000, 'x') + '\n', "");
}

// One is being asked and one is in the queue; the third waits for room there, and the others behind it.
TEST_P(worker_pool, finishes_at_a_signal_what_was_submitted) {
  for (const int signal : {SIGINT, SIGTERM}) {
    const asked_server all;
    std::vector<std::string> arguments{"--workers", "1", "--queue", "1"};
    arguments.resize(arguments.size() + 5, all.address());
    child_process program(command(arguments));
    const owned_fd first = all.accept();
    send_signal_and_wait_until_heeded(program, signal);
    write_all(first.get(), "first\n");
    all.greet("second\n");
    expect_end(program, 1, all.address() + ": first\n" + all.address() + ": second\n",
               finishing + "worker_pool: 3 of 5 were left out\n");
    EXPECT_FALSE(all.is_asked());
  }
}

TEST_P(worker_pool, stops_at_a_second_signal) {
  const asked_server all;
  std::vector<std::string> arguments{"--workers", "2", "--queue", "1"};
  arguments.resize(arguments.size() + 4, all.address());
  child_process program(command(arguments));
  const owned_fd first = all.accept(), second = all.accept();
  send_signal_and_wait_until_heeded(program, SIGTERM);
  program.send_signal(SIGINT);
  expect_end(program, 1, "", finishing + "worker_pool: 4 of 4 were left out\n");
  EXPECT_EQ(read_until_end(first.get()) + read_until_end(second.get()), "");
}

INSTANTIATE_TEST_SUITE_P(styles, worker_pool, testing::Values("task", "fiber"), [](const auto& each) { return each.param; });

class worker_pool_with_a_wrong_command_line : public testing::TestWithParam<wrong_command_line> {};

TEST_P(worker_pool_with_a_wrong_command_line, says_what_is_wrong_and_how_it_is_used) {
  expect_refusal(worker_pool_path, GetParam());
}

INSTANTIATE_TEST_SUITE_P(
    each, worker_pool_with_a_wrong_command_line,
    testing::Values(
        wrong_command_line{"no_server", {}, "no server to ask"},
        wrong_command_line{"no_workers", {"--workers", "0", "a"}, "--workers takes a number from 1 to 10000, not \"0\""},
        wrong_command_line{"a_queue_that_is_no_number",
                           {"--queue", "long", "a"},
                           "--queue takes a number from 1 to 10000, not \"long\""},
        wrong_command_line{"an_unknown_style", {"--style", "thread", "a"}, "--style is task or fiber, not \"thread\""},
        wrong_command_line{"a_time_without_a_unit",
                           {"--timeout", "5", "a"},
                           "--timeout takes a time from 1ms to 1000000m, as 500ms, 30s or 2m, not \"5\""},
        wrong_command_line{"an_unknown_option", {"--colour"}, "there is no option \"--colour\""}),
    name_of_command_line);

TEST(worker_pool_help, is_the_usage_on_standard_output) {
  const ending end = child_process({worker_pool_path, "--help"}).wait();
  EXPECT_EQ(end.exit_code, 0) << end;
  EXPECT_TRUE(end.output.starts_with("usage: worker_pool ")) << end;
  EXPECT_EQ(end.errors, "");
}

}  // namespace
