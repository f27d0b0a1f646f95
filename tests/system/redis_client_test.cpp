// examples/redis_client: hiredis, awaited, against a real redis-server.
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <set>
#include <sstream>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "child_process.hpp"
#include "guarded_io.hpp"
#include "owned_fd.hpp"
#include "redis_program.hpp"
#include "system_calls.hpp"
#include "wrong_command_line.hpp"

namespace {

using namespace support;

const std::string client_path = CORDAGE_EXAMPLES_DIR "/redis_client";

class session {
 public:
  session(std::uint16_t port, const std::string& style, const std::string& timeout = "30s")
      : program_({client_path, "--server", "127.0.0.1:" + std::to_string(port), "--style", style, "--timeout", timeout},
                 {.feeds_input = true}) {}

  void type(std::string_view lines) { write_all(program_.input(), lines); }
  std::string hear() {
    std::array<char, 4096> buffer;
    while (heard_.find('\n') == heard_.npos) {
      const std::size_t n = read_some(program_.output(), buffer);
      if (n == 0) throw std::runtime_error("it has ended after \"" + heard_ + '"');
      heard_.append(buffer.data(), n);
    }
    const std::string line = heard_.substr(0, heard_.find('\n'));
    heard_.erase(0, line.size() + 1);
    return line;
  }
  ending end() {
    program_.close_input();
    const std::string rest = read_until_end(program_.output());
    ending how = program_.wait();
    how.output = heard_ + rest;
    EXPECT_EQ(how.errors, "");
    return how;
  }

 private:
  child_process program_;
  std::string heard_;
};

class redis_client : public testing::TestWithParam<const char*> {};

TEST_P(redis_client, gets_each_kind_of_answer) {
  redis_program server;
  session all(server.port(), GetParam());
  all.type("SET a 1\nGET a\n\nINCR a\nRPUSH l x y\nLRANGE l 0 -1\nGET nothing\nFROB\n");
  const ending how = all.end();
  EXPECT_EQ(how.exit_code, 0);
  EXPECT_EQ(how.output,
            "SET a 1: OK\nGET a: \"1\"\nINCR a: 2\nRPUSH l x y: 2\nLRANGE l 0 -1: [\"x\", \"y\"]\nGET nothing: nothing\n"
            "FROB: error: ERR unknown command 'FROB', with args beginning with: \n");
}

TEST_P(redis_client, sends_all_commands_over_one_connection) {
  redis_program server;
  session all(server.port(), GetParam());
  std::string commands;
  for (int i = 0; i < 1000; ++i) commands += "CLIENT ID\nINCR n\n";
  all.type(commands);
  const ending how = all.end();
  std::set<std::string> ids;
  std::istringstream lines(how.output);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("CLIENT ID")) ids.insert(line);
  EXPECT_EQ(ids.size(), 1U);
  EXPECT_NE(how.output.find("INCR n: 1000\n"), std::string::npos);
}

TEST_P(redis_client, does_not_send_what_has_many_answers_nor_lines_that_are_too_long) {
  redis_program server;
  session all(server.port(), GetParam());
  all.type("SUBSCRIBE a\nmonitor\nPUNSUBSCRIBE\n" + std::string(70'000, 'x') + "\nPING\n");
  const ending how = all.end();
  EXPECT_EQ(how.output,
            "SUBSCRIBE has more than one answer, and is not sent\nmonitor has more than one answer, and is not sent\n"
            "PUNSUBSCRIBE has more than one answer, and is not sent\na line has at most 65536 bytes\nPING: PONG\n");
  EXPECT_EQ(how.exit_code, 1);
}

TEST_P(redis_client, gives_up_what_takes_too_long_and_its_connection_stays_usable) {
  redis_program server;
  session all(server.port(), GetParam(), "2s");
  all.type("CLIENT ID\n");
  const std::string id = all.hear();
  all.type("BLPOP none 0\n");
  EXPECT_EQ(all.hear(), "BLPOP none 0: timed out");
  EXPECT_EQ(server.ask("RPUSH none late"), ":1\r\n");  // its answer comes, and nobody waits for it
  all.type("CLIENT ID\nGET none\n");
  EXPECT_EQ(all.hear(), id);
  EXPECT_EQ(all.hear(), "GET none: nothing");
  EXPECT_EQ(all.end().exit_code, 1);
}

TEST_P(redis_client, says_so_when_the_server_is_killed_in_the_middle_of_a_command) {
  redis_program server;
  session all(server.port(), GetParam());
  all.type("SET a 1\nBLPOP none 0\n");
  EXPECT_EQ(all.hear(), "SET a 1: OK");
  eventually("a blocked client", [&] {
    client asks(server.port());
    asks.send_all("INFO clients\r\n");
    std::string answer;
    while (answer.find("blocked_clients:") == answer.npos || !answer.ends_with("\r\n")) answer += asks.receive_some();
    return answer.find("blocked_clients:1") != answer.npos;
  });
  server.kill();
  EXPECT_TRUE(all.hear().starts_with("BLPOP none 0: not connected: "));
  all.type("GET a\n");
  EXPECT_TRUE(all.hear().starts_with("GET a: not connected: "));
  EXPECT_EQ(all.end().exit_code, 1);
}

// What is no redis-server: it listens, and the system accepts.
class listening {
 public:
  listening() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(socket_.get(), 8), 0);
    EXPECT_EQ(::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
  }
  std::uint16_t port() const { return port_; }
  owned_fd accept() const {
    wait_until_ready(socket_.get(), POLLIN, "a connection");
    return accept_from(socket_.get());
  }
  void close() { socket_.close(); }

 private:
  owned_fd socket_ = open_stream_socket(AF_INET);
  std::uint16_t port_ = 0;
};

TEST_P(redis_client, says_that_nobody_listens) {
  listening nobody;
  nobody.close();
  session all(nobody.port(), GetParam());
  all.type("PING\nPING\n");
  const ending how = all.end();
  EXPECT_EQ(how.output, "PING: not connected: Connection refused\nPING: not connected: Connection refused\n");
  EXPECT_EQ(how.exit_code, 1);
}

TEST_P(redis_client, does_not_wait_for_a_server_that_never_answers) {
  const listening silent;
  session all(silent.port(), GetParam(), "20ms");
  all.type("PING\nPING\n");
  const ending how = all.end();
  EXPECT_EQ(how.output, "PING: timed out\nPING: timed out\n");
  EXPECT_EQ(how.exit_code, 1);
}

TEST_P(redis_client, says_what_is_wrong_with_an_answer_that_is_none) {
  const listening liar;
  session all(liar.port(), GetParam());
  all.type("PING\n");
  const owned_fd peer = liar.accept();
  write_all(peer.get(), "HTTP/1.1 400 Bad Request\r\n\r\n");
  EXPECT_EQ(all.hear(), "PING: not connected: Protocol error, got \"H\" as reply type byte");
  EXPECT_EQ(all.end().exit_code, 1);
}

TEST_P(redis_client, ends_when_half_an_answer_is_followed_by_the_end) {
  const listening liar;
  session all(liar.port(), GetParam());
  all.type("GET a\n");
  owned_fd peer = liar.accept();
  write_all(peer.get(), "$10\r\nhalf");
  ASSERT_EQ(::shutdown(peer.get(), SHUT_WR), 0);
  EXPECT_EQ(all.hear(), "GET a: not connected: Server closed the connection");
  EXPECT_EQ(all.end().exit_code, 1);
}

INSTANTIATE_TEST_SUITE_P(styles, redis_client, testing::Values("task", "fiber"), [](const auto& which) { return which.param; });

TEST(redis_client_command_line, is_refused_where_it_is_wrong) {
  expect_refusal(client_path, {"--server", "localhost:6379"},
                 "--server takes ADDRESS:PORT in numbers, as 127.0.0.1:6379, not \"localhost:6379\"\n");
}

}  // namespace
