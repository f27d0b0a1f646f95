// examples/download. The server is the test itself, which decides when each request is answered: so what is concurrent,
// and what is not, shows without a clock.
#include <sys/socket.h>

#include <chrono>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "child_process.hpp"
#include "guarded_io.hpp"
#include "process_facts.hpp"
#include "withheld_server.hpp"
#include "wrong_command_line.hpp"

namespace {

using namespace support;
using namespace std::chrono_literals;
using server = withheld_server;
using words = std::vector<std::string>;

const std::string download_path = std::string(CORDAGE_EXAMPLES_DIR) + "/download";
const words for_ever{"--timeout", "60m"};

words operator+(words a, const words& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

child_process start(const words& arguments) { return child_process(words{download_path} + arguments); }

ending run(const words& arguments) { return start(arguments).wait(); }

// What is printed of these paths, each followed by the size of its body, up to the times.
std::string told(const std::vector<std::pair<std::string, std::size_t>>& bodies) {
  std::size_t total = 0;
  std::string lines;
  for (const auto& [path, body] : bodies) {
    lines += path + "  " + std::to_string(request::head.size() + body) + " bytes\n";
    total += request::head.size() + body;
  }
  return lines + "total  " + std::to_string(total) + " bytes received, headers included\n";
}

std::string without_times(const ending& end) { return end.output.substr(0, end.output.rfind("by ")); }

void expect_failure(const ending& end, const std::string& errors) {
  EXPECT_EQ(end.errors, errors) << end;
  EXPECT_EQ(end.exit_code, 1) << end;
}

struct way {
  const char* name;
  words arguments;
};
std::ostream& operator<<(std::ostream& out, const way& each) { return out << each.name; }

const way blocking{"blocking", {"--way", "blocking"}};
const way dispatcher{"dispatcher", {"--way", "dispatcher"}};
const way select_way{"select", {"--way", "select"}};
const way tasks{"tasks", {"--style", "task"}};
const way fibers{"fibers", {"--way", "strands", "--style", "fiber"}};

std::string name_of(const testing::TestParamInfo<way>& each) { return each.param.name; }

// Returns when it sleeps and went on to sleep between two looks: it has done what there was to do. Or when it has ended.
void settle(const child_process& program) {
  main_thread before;
  eventually("the program sleeps", [&] {
    if (program.has_ended()) return true;
    const main_thread now = look_at(program.pid());
    return std::exchange(before, now) == now && now.state == 'S';
  });
}

std::chrono::nanoseconds processor_time(const child_process& of) { return support::processor_time(of.pid()); }

// The four ways that have several downloads under way at once.
class download_together : public testing::TestWithParam<way> {};
INSTANTIATE_TEST_SUITE_P(each, download_together, testing::Values(dispatcher, select_way, tasks, fibers), name_of);

TEST_P(download_together, asks_for_all_before_any_is_answered_and_counts_every_byte) {
  const server there;
  auto program = start(GetParam().arguments + for_ever + words{there.address(), "/none", "/one", "/many", "/most"});
  std::vector<request> requests = there.next(4);
  for (request& each : requests) {
    const std::string path = each.path();
    each.answer(path == "/most" ? 5 << 20 : path == "/many" ? 100'000 : path == "/one" ? 1 : 0);
  }
  const ending end = program.wait();
  EXPECT_EQ(without_times(end), told({{"/none", 0}, {"/one", 1}, {"/many", 100'000}, {"/most", 5 << 20}})) << end;
  EXPECT_EQ(end.exit_code, 0) << end;
}

TEST_P(download_together, goes_on_with_each_whatever_the_order_of_the_answers) {
  const server there;
  auto program = start(GetParam().arguments + for_ever + words{there.address(), "/a", "/b", "/c"});
  std::vector<request> requests = there.next(3);
  for (const request& each : requests) each.send("HTTP/1.0 200 OK\r\n\r\n");
  for (auto each = requests.rbegin(); each != requests.rend(); ++each) {
    each->send("end");
    each->close();
  }
  EXPECT_EQ(without_times(program.wait()), told({{"/a", 3}, {"/b", 3}, {"/c", 3}}));
}

TEST_P(download_together, holds_fifty_downloads_at_once) {
  const server there;
  words paths;
  std::vector<std::pair<std::string, std::size_t>> bodies;
  for (std::size_t i = 0; i < 50; ++i) bodies.emplace_back(paths.emplace_back("/" + std::to_string(i)), i);
  auto program = start(GetParam().arguments + for_ever + words{there.address()} + paths);
  for (request& each : there.next(50)) each.answer(std::stoul(each.path().substr(1)));
  EXPECT_EQ(without_times(program.wait()), told(bodies));
}

TEST(download_blocking, asks_for_the_next_only_when_the_one_before_is_answered) {
  const server there;
  auto program = start(blocking.arguments + for_ever + words{there.address(), "/first", "/second"});
  request first = there.next();
  settle(program);
  EXPECT_FALSE(there.is_asked());
  EXPECT_EQ(first.path(), "/first");
  first.answer(5 << 20);
  request second = there.next();
  EXPECT_EQ(second.path(), "/second");
  second.answer(1);
  const ending end = program.wait();
  EXPECT_EQ(without_times(end), told({{"/first", 5 << 20}, {"/second", 1}})) << end;
}

TEST(download_dispatcher, is_busy_while_nothing_arrives_and_the_others_sleep) {
  const server there;
  const words asks = for_ever + words{there.address(), "/a", "/b"};
  const auto by_poll = start(select_way.arguments + asks);
  const auto by_tasks = start(tasks.arguments + asks);
  const auto by_fibers = start(fibers.arguments + asks);
  const auto unanswered = there.next(6);
  for (const auto* each : {&by_poll, &by_tasks, &by_fibers}) settle(*each);
  const auto asleep = [&] { return processor_time(by_poll) + processor_time(by_tasks) + processor_time(by_fibers); };
  const auto before = asleep();

  const auto busy = start(dispatcher.arguments + asks);
  const auto more_unanswered = there.next(2);
  eventually("the dispatcher has used its processor", [&] { return processor_time(busy) > 200ms; });
  EXPECT_LT(asleep() - before, 20ms);
}

bool has_ipv6() {
  try {
    closed_port{AF_INET6};
    return true;
  } catch (const std::system_error&) {
    return false;
  }
}

class download : public testing::TestWithParam<way> {
 protected:
  static child_process start(const words& arguments) { return ::start(GetParam().arguments + arguments); }
};
INSTANTIATE_TEST_SUITE_P(each, download, testing::Values(blocking, dispatcher, select_way, tasks, fibers), name_of);

TEST_P(download, asks_as_http_1_0_wants_it) {
  const server there;
  auto program = start(for_ever + words{there.address(), "/a%20b?c"});
  request asked = there.next();
  EXPECT_EQ(asked.text(), "GET /a%20b?c HTTP/1.0\r\nHost: " + there.address() + "\r\n\r\n");
  asked.answer(7);
  EXPECT_EQ(without_times(program.wait()), told({{"/a%20b?c", 7}}));
}

TEST_P(download, speaks_ipv6) {
  if (!has_ipv6()) GTEST_SKIP() << "this machine has none";
  const server there(AF_INET6);
  auto program = start(for_ever + words{there.address(), "/a"});
  there.next().answer(7);
  EXPECT_EQ(without_times(program.wait()), told({{"/a", 7}}));
}

TEST_P(download, gives_up_a_server_that_is_silent) {
  const server silent;
  expect_failure(start({"--timeout", "50ms", silent.address(), "/a", "/b"}).wait(), "/a: timed out\n/b: timed out\n");
}

TEST_P(download, gives_up_a_server_that_falls_silent) {
  const server there;
  auto program = start({"--timeout", "100ms", there.address(), "/a"});
  const auto unfinished = there.next_unless_ended(program);
  if (unfinished) (void)unfinished->send_unless_left("HTTP/1.0");
  expect_failure(program.wait(), "/a: timed out\n");
}

TEST_P(download, gives_up_a_server_that_never_ends) {
  const server there;
  auto program = start({"--timeout", "100ms", there.address(), "/a"});
  const auto endless = there.next_unless_ended(program);
  for (const std::string much(65536, 'x'); endless && endless->send_unless_left(much);) {
  }
  expect_failure(program.wait(), "/a: timed out\n");
}

TEST_P(download, a_download_that_fails_is_told_and_the_others_go_on) {
  const server there;
  auto program = start(for_ever + words{there.address(), "/reset", "/empty", "/good"});
  for (int i = 0; i < 3; ++i) {
    request asked = there.next();
    if (asked.path() == "/good") asked.answer(1000);
    if (asked.path() == "/empty") asked.close();
    if (asked.path() == "/reset") asked.reset();
  }
  const ending end = program.wait();
  expect_failure(end, "/reset: Connection reset by peer\n/empty: the connection was closed without an answer\n");
  EXPECT_EQ(without_times(end), told({{"/good", 1000}})) << end;
}

TEST_P(download, a_reset_in_the_middle_is_a_failure) {
  const server there;
  auto program = start(for_ever + words{there.address(), "/a"});
  request asked = there.next();
  asked.send("HTTP/1.0 200 OK\r\n\r\nhalf of it");
  asked.reset();
  expect_failure(program.wait(), "/a: Connection reset by peer\n");
}

TEST_P(download, nobody_listening_is_a_failure_of_each_path) {
  const closed_port refuses;
  const ending end = start(for_ever + words{refuses.address(), "/a", "/b"}).wait();
  expect_failure(end, "/a: Connection refused\n/b: Connection refused\n");
  EXPECT_EQ(without_times(end), told({})) << end;
}

// Several servers that have the same.
class download_from_mirrors : public testing::TestWithParam<way> {
 protected:
  static child_process start(const std::vector<const closed_port*>& mirrors, const words& rest, const words& limit = for_ever) {
    words arguments = GetParam().arguments + limit;
    for (const closed_port* each : std::span(mirrors).subspan(1)) arguments = arguments + words{"--mirror", each->address()};
    return ::start(arguments + words{mirrors.front()->address()} + rest);
  }
};
INSTANTIATE_TEST_SUITE_P(each, download_from_mirrors, testing::Values(tasks, fibers), name_of);

TEST_P(download_from_mirrors, one_that_answers_wins_over_one_that_is_silent) {
  const server silent, answers;
  auto program = start({&silent, &answers}, {"/a", "/b"});
  const auto unanswered = silent.next(2);
  for (request& each : answers.next(2)) each.answer(each.path() == "/a" ? 100 : 200);
  const ending end = program.wait();
  EXPECT_EQ(without_times(end), told({{"/a", 100}, {"/b", 200}})) << end;
  EXPECT_EQ(end.errors, "");
  EXPECT_EQ(end.exit_code, 0) << end;
}

TEST_P(download_from_mirrors, one_that_fails_does_not_win_over_one_that_answers_later) {
  const closed_port refuses;
  const server closes, resets, answers;
  auto program = start({&refuses, &closes, &answers, &resets}, {"/a"});
  request last = answers.next();
  closes.next().close();
  resets.next().reset();
  settle(program);   // it knows of all the failures
  EXPECT_FALSE(program.has_ended());
  last.answer(100);
  const ending end = program.wait();
  EXPECT_EQ(without_times(end), told({{"/a", 100}})) << end;
  EXPECT_EQ(end.errors, "");
}

TEST_P(download_from_mirrors, the_first_byte_decides_and_the_loser_is_left_while_the_winner_goes_on) {
  const server one, other;
  auto program = start({&one, &other}, {"/a"});
  const request loses = one.next();
  request wins = other.next();
  wins.send("H");
  loses.wait_until_closed();
  EXPECT_FALSE(program.has_ended());
  wins.send("TTP/1.0 200 OK\r\n\r\n" + std::string(5 << 20, 'x'));
  wins.close();
  EXPECT_EQ(without_times(program.wait()), told({{"/a", 5 << 20}}));
}

TEST_P(download_from_mirrors, the_last_error_is_told_when_all_fail) {
  const closed_port refuses;
  const server closes, resets;
  auto program = start({&refuses, &closes, &resets}, {"/a"});
  request last = resets.next();
  closes.next().close();
  settle(program);
  last.reset();
  expect_failure(program.wait(), "/a: Connection reset by peer\n");
}

TEST_P(download_from_mirrors, closing_without_an_answer_is_an_error_too) {
  const closed_port refuses;
  const server closes;
  auto program = start({&closes, &refuses}, {"/a"});
  request asked = closes.next();
  settle(program);
  asked.close();
  expect_failure(program.wait(), "/a: the connection was closed without an answer\n");
}

TEST_P(download_from_mirrors, all_silent_is_timed_out) {
  const server one, other;
  expect_failure(start({&one, &other}, {"/a", "/b"}, {"--timeout", "50ms"}).wait(), "/a: timed out\n/b: timed out\n");
}

TEST_P(download_from_mirrors, a_failure_of_the_winner_is_one_of_the_download) {
  const server one, other;
  auto program = start({&one, &other}, {"/a"});
  const request loses = one.next();
  request wins = other.next();
  wins.send("H");
  loses.wait_until_closed();
  wins.reset();
  expect_failure(program.wait(), "/a: Connection reset by peer\n");
}

class download_command_line : public testing::TestWithParam<wrong_command_line> {};

const std::string in_numbers = "is an address in numbers, as 127.0.0.1:80 or [::1]:80 (names are not looked up), not ";

INSTANTIATE_TEST_SUITE_P(
    each, download_command_line,
    testing::Values(
        wrong_command_line{"no_arguments", {}, "give it a server and what to ask for: HOST:PORT PATH..."},
        wrong_command_line{"no_paths", {"127.0.0.1:80"}, "give it a server and what to ask for: HOST:PORT PATH..."},
        wrong_command_line{"a_name_for_an_address", {"localhost:80", "/"}, "HOST:PORT " + in_numbers + "\"localhost:80\""},
        wrong_command_line{"no_port", {"127.0.0.1", "/"}, "HOST:PORT " + in_numbers + "\"127.0.0.1\""},
        wrong_command_line{"a_name_for_a_mirror", {"--mirror", "b:80", "127.0.0.1:80", "/"}, "--mirror " + in_numbers + "\"b:80\""},
        wrong_command_line{"a_path_without_its_slash", {"127.0.0.1:80", "index.html"}, "a PATH begins with / and has no spaces"},
        wrong_command_line{"a_path_with_a_second_request", {"127.0.0.1:80", "/ HTTP/1.0\r\n"}, "a PATH begins with / and "},
        wrong_command_line{"an_empty_path", {"127.0.0.1:80", ""}, "a PATH begins with / and has no spaces"},
        wrong_command_line{"an_unknown_way", {"--way", "x"}, "--way is blocking, dispatcher, select or strands, not \"x\""},
        wrong_command_line{"an_unknown_style", {"--style", "thread"}, "--style is task or fiber, not \"thread\""},
        wrong_command_line{"a_time_without_a_unit", {"--timeout", "5"}, "--timeout takes a time from 1ms to 1000000m, as 500ms, 30s or 2m, not \"5\""},
        wrong_command_line{"an_unknown_option", {"--colour", "red"}, "there is no option \"--colour\""},
        wrong_command_line{"mirrors_another_way",
                           {"--way", "select", "--mirror", "127.0.0.1:81", "127.0.0.1:80", "/"},
                           "--mirror is for --way strands only"},
        wrong_command_line{"a_style_another_way",
                           {"--way", "blocking", "--style", "task", "127.0.0.1:80", "/"},
                           "--style is for --way strands only"}),
    name_of_command_line);

TEST_P(download_command_line, that_is_wrong_is_refused_with_the_reason_and_the_usage) {
  expect_refusal(download_path, GetParam());
}

TEST(download_help, is_the_usage_on_standard_output) {
  const ending end = run({"--help"});
  EXPECT_EQ(end.exit_code, 0) << end;
  EXPECT_TRUE(end.output.starts_with("usage: download ")) << end;
}

}  // namespace
