// What is sent to echo_server comes back.
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <numeric>
#include <string>
#include <vector>

#include "echo_server_test.hpp"
#include "guarded_io.hpp"
#include "owned_fd.hpp"

namespace {

using namespace support;

bool has_ipv6() {
  const owned_fd socket(::socket(AF_INET6, SOCK_STREAM, 0));
  sockaddr_in6 loopback{};
  loopback.sin6_family = AF_INET6;
  loopback.sin6_addr = in6addr_loopback;
  return socket && ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&loopback), sizeof loopback) == 0;
}

// All byte values, each once.
std::string every_value() {
  std::string values(256, '\0');
  std::iota(values.begin(), values.end(), '\0');
  return values;
}

class echo : public echo_server_test {};

TEST_P(echo, a_line_comes_back) {
  client peer(start().port());
  EXPECT_EQ(peer.round_trip("hello\n"), "hello\n");
}

TEST_P(echo, nothing_comes_back_but_what_was_sent) {
  client peer(start().port());
  peer.send_all("hello\n");
  peer.half_close();
  EXPECT_EQ(peer.receive_until_end(), "hello\n");
}

TEST_P(echo, lines_come_back_one_after_the_other) {
  client peer(start().port());
  for (int i = 0; i < 1000; ++i) {
    const std::string line = "line " + std::to_string(i) + "\n";
    ASSERT_EQ(peer.round_trip(line), line);
  }
}

TEST_P(echo, clients_in_turn_are_served_in_turn) {
  const auto& server = start();
  for (int i = 0; i < 200; ++i) {
    client peer(server.port());
    const std::string line = "client " + std::to_string(i) + "\n";
    ASSERT_EQ(peer.round_trip(line), line);
  }
}

TEST_P(echo, ipv6_is_served_like_ipv4) {
  if (!has_ipv6()) GTEST_SKIP() << "this machine has no address ::1";
  const auto& server = start({"--host", "::1"});
  EXPECT_TRUE(server.greeting().starts_with("listening on [::1]:")) << server.greeting();
  client peer(server.port(), {.address = "::1"});
  EXPECT_EQ(peer.round_trip("hello\n"), "hello\n");
}

TEST_P(echo, two_clients_do_not_get_each_others_bytes) {
  const auto& server = start();
  client one(server.port());
  client other(server.port());
  for (int i = 0; i < 100; ++i) {
    const std::string odd = "one " + std::to_string(i) + "\n";
    const std::string even = "other " + std::to_string(i) + "\n";
    one.send_all(odd);
    other.send_all(even);
    ASSERT_EQ(other.receive_exactly(even.size()), even);
    ASSERT_EQ(one.receive_exactly(odd.size()), odd);
  }
  EXPECT_FALSE(one.has_arrivals());
  EXPECT_FALSE(other.has_arrivals());
}

TEST_P(echo, a_hundred_clients_at_a_time_are_all_served) {
  const auto& server = start();
  std::vector<client> peers;
  for (int i = 0; i < 100; ++i) peers.emplace_back(server.port());
  for (std::size_t i = 0; i < peers.size(); ++i) peers[i].send_all("client " + std::to_string(i) + "\n");
  for (std::size_t i = peers.size(); i-- > 0;) {
    const std::string line = "client " + std::to_string(i) + "\n";
    ASSERT_EQ(peers[i].receive_exactly(line.size()), line);
  }
}

TEST_P(echo, a_client_that_sends_one_byte_at_a_time_gets_them_one_by_one) {
  client peer(start().port());
  for (int i = 0; i < 2000; ++i) {
    const std::string byte(1, static_cast<char>(i));
    ASSERT_EQ(peer.round_trip(byte), byte);
  }
}

TEST_P(echo, a_client_that_sends_single_bytes_without_waiting_gets_them_in_order) {
  client peer(start().port());
  std::string sent;
  for (int i = 0; i < 2000; ++i) {
    sent += static_cast<char>(i * 7);
    peer.send_all({&sent.back(), 1});
  }
  peer.half_close();
  EXPECT_EQ(peer.receive_until_end(), sent);
}

TEST_P(echo, all_byte_values_come_back_as_they_are) {
  client peer(start().port());
  const std::string values = every_value();
  std::string sent;
  for (std::size_t turn = 0; turn < values.size(); ++turn) {
    sent += values.substr(turn) + values.substr(0, turn);
  }
  EXPECT_EQ(peer.round_trip(sent), sent);
}

TEST_P(echo, sends_of_no_bytes_change_nothing) {
  client peer(start().port());
  EXPECT_EQ(peer.send_at_once(""), 0U);
  EXPECT_EQ(peer.round_trip("before"), "before");
  for (int i = 0; i < 10; ++i) EXPECT_EQ(peer.send_at_once(""), 0U);
  EXPECT_EQ(peer.round_trip("after"), "after");
  peer.half_close();
  EXPECT_EQ(peer.receive_until_end(), "");
}

// Sizes around the server's buffer of 4096 bytes, where reads are short, exact, or leave one byte over.
TEST_P(echo, messages_of_any_size_around_the_servers_buffer_come_back) {
  client peer(start().port());
  for (const std::size_t size : {1, 4095, 4096, 4097, 8191, 8192, 8193, 40000}) {
    const std::string message(size, static_cast<char>('a' + size % 26));
    ASSERT_EQ(peer.round_trip(message), message) << size;
  }
}

INSTANTIATE_TEST_SUITE_P(styles, echo, both_styles, name_of_style);

class half_close : public echo_server_test {};

TEST_P(half_close, a_peer_that_half_closes_gets_all_its_bytes_first) {
  client peer(start().port());
  const std::string sent(50000, 'x');
  peer.send_all(sent);
  peer.half_close();
  EXPECT_EQ(peer.receive_until_end(), sent);
}

// The server, which was stopped meanwhile, finds the bytes and the end at the same time.
TEST_P(half_close, bytes_that_arrive_together_with_the_end_are_echoed_first) {
  const auto& server = start();
  client peer(server.port());
  EXPECT_EQ(peer.round_trip("hello\n"), "hello\n");
  server.send_signal(SIGSTOP);
  server.wait_until_stopped();
  const std::string sent(40000, 'x');
  peer.send_all(sent);
  peer.half_close();
  eventually("all has arrived", [&] { return peer.has_half_closed(); });
  server.send_signal(SIGCONT);
  EXPECT_EQ(peer.receive_until_end(), sent);
}

TEST_P(half_close, a_peer_that_half_closes_after_an_answer_gets_the_end) {
  client peer(start().port());
  EXPECT_EQ(peer.round_trip("hello\n"), "hello\n");
  peer.half_close();
  EXPECT_EQ(peer.receive_until_end(), "");
}

TEST_P(half_close, a_peer_that_half_closes_at_once_gets_only_the_end) {
  client peer(start().port());
  peer.half_close();
  EXPECT_EQ(peer.receive_until_end(), "");
}

TEST_P(half_close, the_end_of_one_connection_is_not_the_end_of_another) {
  const auto& server = start();
  client stays(server.port());
  client leaves(server.port());
  EXPECT_EQ(stays.round_trip("1"), "1");
  leaves.half_close();
  EXPECT_EQ(leaves.receive_until_end(), "");
  EXPECT_EQ(stays.round_trip("2"), "2");
}

INSTANTIATE_TEST_SUITE_P(styles, half_close, both_styles, name_of_style);

}  // namespace
