// Peers of examples/resp_server on plain sockets: those that are slow, wrong, greedy, or gone.
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <future>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "guarded_io.hpp"
#include "resp_server_test.hpp"
#include "seeded_bytes.hpp"

namespace {

using namespace support;

const std::string ping = resp_command({"PING"});
const std::string pong = "+PONG\r\n";

class resp_peers : public resp_server_test {
 protected:
  // Sends a command again and again until neither the server nor the system takes more; gives how many bytes.
  std::size_t send_until_stuck(client& peer, const std::string& command) {
    constexpr std::size_t more_than_buffers_hold = 256 << 20;
    const std::string piece = repeated(command, 65536 / command.size());
    std::size_t sent = 0;
    for (bool progress = true; progress; server_->settle()) {
      progress = false;
      while (const std::size_t n = peer.send_at_once(std::string_view(piece).substr(sent % piece.size()))) {
        progress = true;
        sent += n;
        if (sent > more_than_buffers_hold) throw std::runtime_error("the server takes everything of a peer that does not read");
      }
    }
    return sent;
  }

  void expect_protocol_error(const std::string& sent, const std::string& error) {
    client peer(server_->port());
    peer.send_all("PING\r\n" + sent + "PING\r\n");
    EXPECT_EQ(peer.receive_until_end(), pong + "-ERR Protocol error: " + error + "\r\n") << sent.substr(0, 100);
  }
};

TEST_P(resp_peers, one_that_sends_single_bytes_is_answered_when_a_command_is_whole) {
  const auto& server = start();
  client slow(server.port());
  client other(server.port());
  const std::string command = resp_command({"SET", "a", "1"}) + "GET a\r\n";
  const std::size_t first_is_whole = command.size() - 7;
  for (std::size_t i = 0; i < command.size(); ++i) {
    EXPECT_EQ(slow.has_arrivals(), i >= first_is_whole) << "at " << i;
    slow.send_all(command.substr(i, 1));
    server.settle();
    expect_answer(other, ping, pong);
  }
  EXPECT_EQ(slow.receive_exactly(12), "+OK\r\n$1\r\n1\r\n");
}

TEST_P(resp_peers, one_that_sends_many_commands_at_once_gets_as_many_replies_in_their_order) {
  client peer(start().port());
  std::string sent, expected;
  for (int i = 0; i < 5000; ++i) {
    const std::string number = std::to_string(i);
    sent += resp_command({"SET", "a", number}) + resp_command({"GET", "a"}) + resp_command({"NO", number}) + "PING\r\n";
    expected += "+OK\r\n" + resp_bulk(number) + "-ERR unknown command 'NO'\r\n" + pong;
  }
  // On a thread: the server does not read while its replies are not read.
  auto sender = std::async(std::launch::async, [&] { peer.send_all(sent); });
  EXPECT_TRUE(peer.receive_exactly(expected.size()) == expected);
  sender.get();
}

TEST_P(resp_peers, one_may_type_commands) {
  client peer(start().port());
  expect_answer(peer, "ping\n", pong);
  expect_answer(peer, "\r\n  Set \t a   1  \r\nget a\r\n", "+OK\r\n$1\r\n1\r\n");
  expect_answer(peer, "exists a b a\r\n", ":2\r\n");
}

TEST_P(resp_peers, one_that_violates_the_protocol_is_told_how_and_let_go) {
  start();
  expect_protocol_error("*2\r\n$3\r\nGET\r\n$9999999999\r\n", "invalid bulk length");
  expect_protocol_error("*1\r\n$-1\r\n", "invalid bulk length");
  expect_protocol_error("*1\r\n$1048577\r\n", "invalid bulk length");
  expect_protocol_error("*1\r\n$four\r\n", "invalid bulk length");
  expect_protocol_error("*1025\r\n", "invalid multibulk length");
  expect_protocol_error("*-x\r\n", "invalid multibulk length");
  expect_protocol_error("*1\r\nPING\r\n", "expected '$', got 'P'");
  expect_protocol_error("*1\r\n\n", "expected '$', got ' '");
  expect_protocol_error("*1\r\n$4\r\nPINGPING\r\n", "expected CRLF after a bulk string");
  expect_protocol_error(std::string(65536, 'x'), "too big inline request");
  expect_served();
}

// What had been sent and not read would make of the end a reset, in which the message is lost.
TEST_P(resp_peers, one_is_told_what_was_wrong_although_it_has_sent_much_more) {
  client peer(start().port());
  peer.send_all("*x\r\n" + std::string(200'000, 'x'));
  EXPECT_EQ(peer.receive_until_end(), "-ERR Protocol error: invalid multibulk length\r\n");
}

TEST_P(resp_peers, one_that_sends_garbage_harms_nobody) {
  const auto& server = start();
  const std::uint64_t seed = choose_seed();
  for (std::uint64_t i = 0; i < 50; ++i) {
    client peer(server.port());
    peer.send_all(seeded_bytes(seed + i).next(3000));
    peer.half_close();
    const std::string replies = peer.receive_until_end();
    for (std::size_t line = 0; line < replies.size(); line = replies.find('\n', line) + 1)
      ASSERT_EQ(replies.substr(line, 5), "-ERR ") << replies;
  }
  expect_served();
}

TEST_P(resp_peers, the_size_of_values_can_be_chosen) {
  start({"--max-value", "10"});
  client peer(server_->port());
  expect_answer(peer, resp_command({"SET", "a", "0123456789"}), "+OK\r\n");
  expect_protocol_error(resp_command({"SET", "a", "0123456789x"}).substr(0, 27), "invalid bulk length");
  client default_size(start().port());
  const std::string largest(1 << 20, 'x');
  expect_answer(default_size, resp_command({"SET", "a", largest}), "+OK\r\n");
  expect_answer(default_size, resp_command({"GET", "a"}), resp_bulk(largest));
}

TEST_P(resp_peers, one_that_goes_in_the_middle_of_a_command_leaves_nothing_behind) {
  const auto& server = start();
  expect_served();
  server.settle();
  const std::size_t before = server.descriptors();
  const std::string command = resp_command({"SET", "a", "1"});
  for (std::size_t length = 0; length < command.size(); ++length) {
    client peer(server.port());
    peer.send_all(command.substr(0, length));
    if (length % 2 == 0) {
      peer.half_close();
      EXPECT_EQ(peer.receive_until_end(), "");
    } else {
      peer.reset();
    }
  }
  client other(server.port());
  expect_answer(other, "DBSIZE\r\n", ":0\r\n");
  eventually("the connections are closed", [&] { return server.descriptors() == before + 1; });
}

TEST_P(resp_peers, one_that_says_quit_is_let_go_and_what_it_said_then_is_not_done) {
  client peer(start().port());
  peer.send_all(resp_command({"SET", "a", "1"}) + resp_command({"QUIT"}) + resp_command({"SET", "a", "2"}));
  EXPECT_EQ(peer.receive_until_end(), "+OK\r\n+OK\r\n");
  client other(server_->port());
  expect_answer(other, "GET a\r\n", "$1\r\n1\r\n");
}

TEST_P(resp_peers, one_that_does_not_read_costs_little_memory_and_gets_everything_when_it_reads) {
  constexpr std::size_t most_growth = scaled(2 << 20, 16 << 20);  // ASan puts aside what is freed
  const auto& server = start();
  const std::string value(1000, 'x');
  client peer(server.port());
  expect_answer(peer, resp_command({"SET", "a", value}), "+OK\r\n");
  const std::size_t before = server.memory();
  const std::string get = resp_command({"GET", "a"});
  const std::size_t sent = send_until_stuck(peer, get);
  EXPECT_LE(server.memory(), before + most_growth) << "after " << sent << " bytes";
  expect_served();
  peer.half_close();
  const std::string reply = resp_bulk(value);
  std::size_t replies = 0, wrong = 0;
  for (std::string rest; !(rest = peer.receive_some()).empty();) {
    for (const char c : rest) wrong += c != reply[replies++ % reply.size()];
  }
  EXPECT_EQ(wrong, 0U);
  EXPECT_EQ(replies, sent / get.size() * reply.size());
}

// A few bytes of commands ask for much.
TEST_P(resp_peers, one_that_asks_for_many_large_values_costs_the_memory_of_a_few) {
  constexpr std::size_t asked = scaled(300, 100);
  constexpr std::size_t most_growth = scaled(8 << 20, 400 << 20);  // ASan puts aside 256 MiB of what is freed
  const auto& server = start();
  const std::string value(1 << 20, 'x');
  client peer(server.port());
  expect_answer(peer, resp_command({"SET", "a", value}), "+OK\r\n");
  const std::size_t before = server.memory();
  peer.send_all(repeated(resp_command({"GET", "a"}), asked));
  server.settle();
  EXPECT_LE(server.memory(), before + most_growth);
  expect_served();
  std::size_t received = 0;
  while (received < asked * resp_bulk(value).size()) {
    const std::string more = peer.receive_some();
    ASSERT_FALSE(more.empty());
    received += more.size();
  }
  EXPECT_LE(server.memory(), before + most_growth);
  expect_answer(peer, ping, pong);
}

// That one connection has commands nearly all the time is no reason to let another wait.
TEST_P(resp_peers, one_that_is_always_busy_does_not_keep_others_waiting) {
  const auto& server = start();
  std::atomic<bool> enough = false;
  std::atomic<std::size_t> answered = 0;
  client busy(server.port());
  auto keeps_busy = std::async(std::launch::async, [&] {
    const std::string piece = repeated(ping, 1000);
    std::size_t sent = 0;
    while (!enough) {
      sent += busy.send_at_once(std::string_view(piece).substr(sent % piece.size()));
      if (busy.has_arrivals()) answered += busy.receive_some().size();
    }
    busy.half_close();
    answered += busy.receive_until_end().size();
    EXPECT_EQ(answered, sent / ping.size() * pong.size());
  });
  eventually("it is served", [&] { return answered != 0; });
  client other(server.port());
  for (int i = 0; i < 100; ++i) expect_answer(other, "ECHO hello\r\n", "$5\r\nhello\r\n");
  enough = true;
  keeps_busy.get();
}

TEST_P(resp_peers, ones_on_whose_connections_nothing_moves_are_let_go_if_that_is_wanted) {
  client peer(start({"--idle-timeout", "50ms"}).port());
  EXPECT_EQ(peer.receive_until_end(), "");
}

TEST_P(resp_peers, more_than_are_wanted_at_a_time_wait_for_each_other) {
  const auto& server = start({"--max-connections", "1"});
  client first(server.port());
  expect_answer(first, ping, pong);
  client second(server.port());
  second.send_all(ping);
  server.settle();
  EXPECT_FALSE(second.has_arrivals());
  expect_answer(first, "QUIT\r\n", "+OK\r\n");
  first.half_close();
  EXPECT_EQ(second.receive_exactly(pong.size()), pong);
}

INSTANTIATE_TEST_SUITE_P(styles, resp_peers, both_styles, name_of_style);

}  // namespace
