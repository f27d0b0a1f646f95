// examples/resp_server as its users have it: redis' own programs, a drain, command lines.
#include <chrono>
#include <csignal>
#include <cstddef>
#include <ostream>
#include <string>
#include <vector>

#include "guarded_io.hpp"
#include "resp_server_test.hpp"
#include "wrong_command_line.hpp"

namespace {

using namespace support;
using namespace std::chrono_literals;

class resp_server : public resp_server_test {
 protected:
  // What redis-cli prints.
  std::string ask(std::vector<std::string> words) {
    words.insert(words.begin(), {"redis-cli", "-p", std::to_string(server_->port())});
    const ending end = child_process(words).wait();
    EXPECT_EQ(end.exit_code, 0) << end;
    EXPECT_EQ(end.errors, "");
    return end.output;
  }

  void expect(const std::vector<std::string>& words, const std::string& answer) {
    EXPECT_EQ(ask(words), answer + '\n') << testing::PrintToString(words);
  }

  ending run_redis_benchmark(const std::string& pipelined, const std::string& requests) {
    return child_process({"redis-benchmark", "-p", std::to_string(server_->port()), "-t", "ping,set,get", "-P", pipelined,
                          "-n", requests, "-q"})
        .wait();
  }

  bool answers_what_arrived_while_it_was_stopped();
};

TEST_P(resp_server, says_where_and_how_it_serves) {
  const auto& server = start();
  const std::string begin = "listening on 127.0.0.1:" + std::to_string(server.port()) + " (" + GetParam() + ", ";
  EXPECT_TRUE(server.greeting().starts_with(begin)) << server.greeting();
  EXPECT_TRUE(server.greeting().ends_with(", 1 worker)")) << server.greeting();
}

TEST_P(resp_server, answers_redis_cli) {
  start();
  expect({"PING"}, "PONG");
  expect({"ping", "two words"}, "two words");
  expect({"ECHO", ""}, "");
  expect({"GET", "a"}, "");
  expect({"SET", "a", "1"}, "OK");
  expect({"GET", "a"}, "1");
  expect({"EXISTS", "a", "b", "a"}, "2");
  expect({"SET", "b", "2"}, "OK");
  expect({"DBSIZE"}, "2");
  expect({"DEL", "a", "b", "c"}, "2");
  expect({"GET", "a"}, "");
  expect({"SET", "a", "1"}, "OK");
  expect({"FLUSHALL"}, "OK");
  expect({"DBSIZE"}, "0");
  expect({"CONFIG", "GET", "save"}, "save\n");
  expect({"CONFIG", "GET", "appendonly"}, "appendonly\nno");
  expect({"CLIENT", "SETNAME", "test"}, "OK");
  EXPECT_EQ(ask({"COMMAND", "DOCS"}), "\n");
  expect({"QUIT"}, "OK");
}

TEST_P(resp_server, refuses_what_is_wrong_as_redis_does) {
  start();
  expect({"NOSUCH", "x"}, "ERR unknown command 'NOSUCH'\n");
  expect({"NO\r\nSUCH"}, "ERR unknown command 'NO  SUCH'\n");
  expect({"GET"}, "ERR wrong number of arguments for 'get' command\n");
  expect({"GET", "a", "b"}, "ERR wrong number of arguments for 'get' command\n");
  expect({"set", "a"}, "ERR wrong number of arguments for 'set' command\n");
  expect({"SET", "a", "1", "NX"}, "ERR syntax error\n");
  expect({"SET", "a", "1", "EX"}, "ERR syntax error\n");
  expect({"SET", "a", "1", "EX", "soon"}, "ERR value is not an integer or out of range\n");
  expect({"SET", "a", "1", "EX", "0"}, "ERR invalid expire time in 'set' command\n");
  expect({"SET", "a", "1", "PX", "-5"}, "ERR invalid expire time in 'set' command\n");
  expect({"EXPIRE", "a", "9223372036854775807"}, "ERR invalid expire time in 'expire' command\n");
  expect({"EXPIRE", "a", "9223372036854775808"}, "ERR value is not an integer or out of range\n");
  expect({"CONFIG", "SET", "save"}, "ERR unknown subcommand 'SET'\n");
  expect({"CLIENT", "KILL"}, "ERR unknown subcommand 'KILL'\n");
  expect({"DBSIZE"}, "0");
}

TEST_P(resp_server, lets_a_client_of_the_newer_protocol_fall_back) {
  const ending end = child_process({"redis-cli", "-3", "-p", std::to_string(start().port()), "PING"}).wait();
  EXPECT_EQ(end.output, "PONG\n") << end;
}

TEST_P(resp_server, tells_how_long_a_key_is_there) {
  start();
  expect({"TTL", "a"}, "-2");
  expect({"PTTL", "a"}, "-2");
  expect({"EXPIRE", "a", "10"}, "0");
  expect({"SET", "a", "1"}, "OK");
  expect({"TTL", "a"}, "-1");
  expect({"PERSIST", "a"}, "0");
  expect({"EXPIRE", "a", "100000"}, "1");
  const auto left = [this] { return std::stol(ask({"PTTL", "a"})); };
  const long first = left();
  EXPECT_LE(first, 100'000'000);
  EXPECT_GT(first, 0);
  eventually("its time passes", [&] { return left() < first; });
  expect({"PERSIST", "a"}, "1");
  expect({"TTL", "a"}, "-1");
  expect({"EXPIRE", "a", "-1"}, "1");
  expect({"EXISTS", "a"}, "0");
}

TEST_P(resp_server, a_key_is_gone_when_its_time_has_come) {
  start();
  expect({"SET", "whole", "1", "EX", "1"}, "OK");
  expect({"SET", "part", "1", "PX", "10"}, "OK");
  expect({"SET", "later", "1"}, "OK");
  expect({"PEXPIRE", "later", "10"}, "1");
  expect({"SET", "stays", "1", "PX", "10000000"}, "OK");
  eventually("the others are gone, though nobody asks for them", [this] { return ask({"DBSIZE"}) == "1\n"; });
  expect({"GET", "part"}, "");
  expect({"GET", "stays"}, "1");
}

TEST_P(resp_server, takes_a_stream_of_commands_from_redis_cli) {
  constexpr std::size_t count = scaled(20'000, 5'000);
  const auto& server = start();
  child_process client({"redis-cli", "-p", std::to_string(server.port()), "--pipe"}, {.feeds_input = true});
  for (std::size_t i = 0; i < count; ++i)
    write_all(client.input(), resp_command({"SET", "key:" + std::to_string(i), std::string(i % 300, 'x')}));
  client.close_input();
  const ending end = client.wait();
  EXPECT_EQ(end.exit_code, 0) << end;
  EXPECT_NE(end.output.find("errors: 0, replies: " + std::to_string(count)), std::string::npos) << end;
  expect({"DBSIZE"}, std::to_string(count));
  expect({"GET", "key:299"}, std::string(299, 'x'));
}

TEST_P(resp_server, serves_redis_benchmark) {
  start();
  for (const char* pipelined : {"1", "16"}) {
    const ending end = run_redis_benchmark(pipelined, std::to_string(scaled(20'000, 3'000)));
    EXPECT_EQ(end.exit_code, 0) << end;
    EXPECT_EQ(end.errors, "");
    EXPECT_EQ(end.output.find("rror"), std::string::npos) << end;
    EXPECT_NE(end.output.find("GET: "), std::string::npos) << end;
  }
  expect({"DBSIZE"}, "1");
}

// A key that expires in hours keeps the server neither awake nor alive.
TEST_P(resp_server, does_nothing_where_nothing_is_to_be_done) {
  const auto& server = start();
  client peer(server.port());
  expect_answer(peer, "SET a 1 EX 10000\r\n", "+OK\r\n");
  expect_rest(server);
}

TEST_P(resp_server, ends_although_keys_would_expire_much_later) {
  auto& server = start();
  client peer(server.port());
  expect_answer(peer, "SET a 1 EX 10000\r\nSET b 1 EX 20000\r\n", "+OK\r\n+OK\r\n");
  server.send_signal_asleep(SIGTERM);
  EXPECT_EQ(peer.receive_until_end(), "");
  const ending end = server.wait();
  EXPECT_EQ(end.exit_code, 0) << end;
  EXPECT_EQ(end.output, "served 1 connections, 2 commands\n");
  EXPECT_EQ(end.errors, "");
}

// The server finds the signal and the commands together. False where its limit of two seconds was over first, as it may
// be on a machine that is busy with something else: then nothing was shown.
bool resp_server::answers_what_arrived_while_it_was_stopped() {
  constexpr std::size_t count = 3000;
  auto& server = start();
  client peer(server.port());
  expect_answer(peer, "PING\r\n", "+PONG\r\n");
  server.send_signal_asleep(SIGSTOP);
  server.wait_until_stopped();
  peer.send_all(repeated(resp_command({"PING"}), count));
  eventually("all has arrived", [&] { return peer.unacknowledged() == 0; });
  const auto begin = std::chrono::steady_clock::now();
  server.send_signal(SIGTERM);
  server.send_signal(SIGCONT);
  const std::string received = peer.receive_until_end();
  const ending end = server.wait();
  if (std::chrono::steady_clock::now() - begin >= 2s) return false;
  EXPECT_TRUE(received == repeated("+PONG\r\n", count)) << received.size() << " bytes";
  EXPECT_EQ(end.exit_code, 0) << end;
  EXPECT_EQ(end.output, "served 1 connections, " + std::to_string(count + 1) + " commands\n");
  return true;
}

TEST_P(resp_server, answers_what_had_arrived_before_the_signal_to_end) {
  for (int i = 0; i < 10; ++i) {
    if (answers_what_arrived_while_it_was_stopped()) return;
  }
  FAIL() << "ten times, the limit of the drain was over first";
}

TEST_P(resp_server, says_at_sigusr1_what_its_strands_wait_for) {
  auto& server = start();
  client peer(server.port());
  expect_answer(peer, "SET a 1 EX 10000\r\n", "+OK\r\n");
  server.send_signal_asleep(SIGUSR1);
  eventually("the dump", [&] { return server.errors_so_far().find("waits for sleep") != std::string::npos; });
  EXPECT_NE(server.errors_so_far().find("waits for read_some"), std::string::npos) << server.errors_so_far();
  server.send_signal_asleep(SIGTERM);
  EXPECT_EQ(server.wait().exit_code, 0);
}

INSTANTIATE_TEST_SUITE_P(styles, resp_server, both_styles, name_of_style);

const std::vector<wrong_command_line> wrong_command_lines{
    {"an_unknown_option", {"--colour", "red"}, "there is no option \"--colour\""},
    {"an_option_without_its_value", {"--listen"}, "--listen requires a value"},
    {"an_argument_too_many", {"7010"}, "unexpected argument \"7010\""},
    {"a_port_alone", {"--listen", "7010"}, "--listen takes ADDRESS:PORT in numbers, as 127.0.0.1:7000"},
    {"an_unknown_style", {"--style", "thread"}, "--style is task or fiber, not \"thread\""},
    {"a_time_without_a_unit", {"--idle-timeout", "30"}, "--idle-timeout takes a time from 1ms to 1000000m, as 500ms, 30s or 2m, not \"30\""},
    {"no_connections_at_all", {"--max-connections", "0"}, "--max-connections takes a number from 1 to "},
    {"values_of_no_bytes", {"--max-value", "0"}, "--max-value takes a number from 1 to 536870912, not \"0\""},
    {"values_of_a_gigabyte", {"--max-value", "1073741824"}, "--max-value takes a number from 1 to 536870912"},
    {"a_size_with_a_unit", {"--max-value", "1M"}, "--max-value takes a number from 1 to 536870912, not \"1M\""},
};

class a_wrong_command_line_of_resp_server : public testing::TestWithParam<wrong_command_line> {};

TEST_P(a_wrong_command_line_of_resp_server, is_refused_with_the_reason_and_the_usage) {
  expect_refusal(resp_server_path, GetParam());
}

INSTANTIATE_TEST_SUITE_P(each, a_wrong_command_line_of_resp_server, testing::ValuesIn(wrong_command_lines),
                         name_of_command_line);

TEST(resp_server_help, is_the_usage_on_standard_output) {
  const ending end = child_process({resp_server_path, "--help"}).wait();
  EXPECT_EQ(end.exit_code, 0) << end;
  EXPECT_EQ(end.output.find("usage: resp_server "), 0U) << end;
}

TEST(resp_server_port, that_is_in_use_is_refused_by_its_name) {
  const server_program first({resp_server_path, "--listen", "127.0.0.1:0"});
  const std::string where = "127.0.0.1:" + std::to_string(first.port());
  const ending end = child_process({resp_server_path, "--listen", where}).wait();
  EXPECT_EQ(end.exit_code, 2) << end;
  EXPECT_TRUE(end.errors.starts_with("resp_server: cannot listen on " + where + ": Address already in use\nusage: ")) << end;
}

}  // namespace
