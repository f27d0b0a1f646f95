// How echo_server ends: a signal drains it, what has arrived is echoed before the end, and a second signal ends it.
#include <chrono>
#include <csignal>
#include <cstddef>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "echo_server_test.hpp"
#include "guarded_io.hpp"
#include "seeded_bytes.hpp"
#include "stuck_server.hpp"

namespace {

using namespace support;
using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

// After it, the server stops the connections that are left.
constexpr auto drain_limit = 2s;

constexpr client_options small_buffer{.receive_buffer = 4096};

std::string served(std::size_t connections, std::size_t bytes) {
  return "served " + std::to_string(connections) + " connections, " + std::to_string(bytes) + " bytes\n";
}

// The limit is real time, so on a machine that is busy with something else it may be over before the server or the test
// has done anything. Then nothing was shown, and it is tried again. An attempt says whether something was.
template <class Attempt>
void until_it_is_shown(Attempt attempt) {
  for (int i = 0; i < 10; ++i) {
    if (attempt()) return;
  }
  FAIL() << "ten times nothing was shown: the limit of the drain was over first, or the system had not been done";
}

class drain : public echo_server_test {
 protected:
  // Some idle connections, each of which has sent something.
  std::vector<client> start_with_idle_clients(std::size_t count) {
    server_ = &start();
    std::vector<client> peers;
    while (peers.size() < count) {
      peers.emplace_back(server_->port());
      EXPECT_EQ(peers.back().round_trip("hello\n"), "hello\n");
    }
    return peers;
  }

  // A client for which the server has bytes that it cannot get rid of; gives how many it sent.
  std::size_t start_with_stuck_client(const std::vector<std::string>& arguments = {}) {
    server_ = &start(arguments);
    stuck_.emplace(server_->port());
    return send_until_stuck(*stuck_, *server_, seeded_bytes(1));
  }

  void ends_idle_connections_at(int signal);
  bool ends_idle_connections_before_the_limit();
  bool stops_a_client_that_never_reads_at(int signal);
  bool second_signal_ends_it(int first, int second);
  bool refuses_new_connections();
  bool echoes_what_arrived_while_it_was_stuck();
  bool echoes_what_arrived_while_it_was_stopped();

  server_program* server_ = nullptr;
  std::optional<client> stuck_;
};

// Whoever waits for the greeting may take the server for ready. Often, since it is between the greeting and the first
// wait that a server could be unprepared.
TEST_P(drain, a_signal_right_after_the_greeting_is_heeded) {
  for (int i = 0; i < 50; ++i) {
    auto& server = start();
    server.send_signal(i % 2 == 0 ? SIGTERM : SIGINT);
    const ending end = server.wait();
    ASSERT_EQ(end.exit_code, 0) << "in run " << i << ": " << end;
    ASSERT_EQ(end.output, served(0, 0));
  }
}

TEST_P(drain, a_server_without_connections_ends) {
  auto& server = start();
  server.send_signal_asleep(SIGTERM);
  const ending end = server.wait();
  EXPECT_EQ(end.exit_code, 0) << end;
  EXPECT_EQ(end.output, served(0, 0));
}

// Whatever the server was about to do with a connection, it leaves nothing waiting.
TEST_P(drain, a_signal_while_connections_come_and_go_is_heeded) {
  for (int i = 0; i < 50; ++i) {
    auto& server = start({"--max-connections", "1"});
    {
      std::vector<client> peers;
      while (peers.size() < 5) peers.emplace_back(server.port());
      EXPECT_EQ(peers.front().round_trip("hello\n"), "hello\n");
    }
    if (cordage::config::sanitized) server.settle();  // for the reason at send_signal_asleep
    server.send_signal(SIGTERM);
    const ending end = server.wait();
    ASSERT_EQ(end.exit_code, 0) << "in run " << i << ": " << end;
  }
}

void drain::ends_idle_connections_at(int signal) {
  auto peers = start_with_idle_clients(5);
  server_->send_signal_asleep(signal);
  for (client& peer : peers) EXPECT_EQ(peer.receive_until_end(), "");
  const ending end = server_->wait();
  EXPECT_EQ(end.exit_code, 0) << end;
  EXPECT_EQ(end.output, served(5, 5 * 6));
  EXPECT_EQ(end.errors, "");
}

TEST_P(drain, sigterm_ends_idle_connections_and_counts_them) { ends_idle_connections_at(SIGTERM); }

TEST_P(drain, sigint_ends_idle_connections_and_counts_them) { ends_idle_connections_at(SIGINT); }

bool drain::ends_idle_connections_before_the_limit() {
  auto peers = start_with_idle_clients(5);
  server_->settle();
  const auto begin = clock::now();
  server_->send_signal(SIGTERM);
  EXPECT_EQ(server_->wait().exit_code, 0);
  return clock::now() - begin < drain_limit;
}

TEST_P(drain, idle_connections_are_not_waited_for) {
  until_it_is_shown([this] { return ends_idle_connections_before_the_limit(); });
}

// Connections that have ended are counted, too.
TEST_P(drain, all_connections_since_the_start_are_counted) {
  auto& server = start();
  for (int i = 0; i < 10; ++i) {
    client peer(server.port());
    EXPECT_EQ(peer.round_trip("0123456789"), "0123456789");
    peer.half_close();
    EXPECT_EQ(peer.receive_until_end(), "");
  }
  server.send_signal_asleep(SIGTERM);
  EXPECT_EQ(server.wait().output, served(10, 100));
}

// What has arrived takes the server several reads, and it finds the signal first.
bool drain::echoes_what_arrived_while_it_was_stopped() {
  const std::string sent = seeded_bytes(1).next(40'000);
  client peer = std::move(start_with_idle_clients(1).front());
  server_->send_signal_asleep(SIGSTOP);
  server_->wait_until_stopped();
  peer.send_all(sent);
  eventually("all has arrived", [&] { return peer.unacknowledged() == 0; });
  const auto begin = clock::now();
  server_->send_signal(SIGTERM);
  server_->send_signal(SIGCONT);
  const std::string received = peer.receive_until_end();
  const ending end = server_->wait();
  if (clock::now() - begin >= drain_limit) return false;
  EXPECT_EQ(received.size(), sent.size());
  EXPECT_TRUE(received == sent);
  EXPECT_EQ(end.exit_code, 0) << end;
  EXPECT_EQ(end.output, served(1, 6 + sent.size()));
  return true;
}

TEST_P(drain, what_arrived_before_the_signal_is_echoed_before_the_end) {
  until_it_is_shown([this] { return echoes_what_arrived_while_it_was_stopped(); });
}

// The server has bytes in hand, and there are more that it has not read.
bool drain::echoes_what_arrived_while_it_was_stuck() {
  server_ = &start();
  client peer(server_->port(), small_buffer);
  const std::size_t sent = send_until_unread(peer, *server_, seeded_bytes(1));
  const auto begin = clock::now();
  server_->send_signal(SIGTERM);
  const std::size_t received = receive_and_compare_until_end(peer, expected_bytes(1));
  const ending end = server_->wait();
  if (clock::now() - begin >= drain_limit) return false;
  EXPECT_EQ(received, sent);
  EXPECT_EQ(end.exit_code, 0) << end;
  EXPECT_EQ(end.output, served(1, sent));
  return true;
}

TEST_P(drain, a_slow_peer_gets_all_that_it_sent_before_the_signal) {
  until_it_is_shown([this] { return echoes_what_arrived_while_it_was_stuck(); });
}

bool drain::stops_a_client_that_never_reads_at(int signal) {
  const std::size_t sent = start_with_stuck_client();
  const std::size_t held = stuck_->unread();
  const auto begin = clock::now();
  server_->send_signal(signal);
  const ending end = server_->wait();
  const bool early = clock::now() - begin < drain_limit;
  // It was not stuck: the system repeats what it has lost after a fifth of a second, and then takes more.
  if (early && stuck_->unread() != held) return false;
  EXPECT_FALSE(early) << "the peer might have read on until then";
  EXPECT_EQ(end.exit_code, 0) << end;
  EXPECT_TRUE(end.output.starts_with("served 1 connections, ")) << end;
  EXPECT_NE(end.output, served(1, sent)) << "it cannot have echoed what was not read";
  EXPECT_EQ(end.errors, "");
  return true;
}

TEST_P(drain, sigterm_stops_a_peer_that_never_reads_when_the_limit_is_over) {
  until_it_is_shown([this] { return stops_a_client_that_never_reads_at(SIGTERM); });
}

TEST_P(drain, sigint_stops_a_peer_that_never_reads_when_the_limit_is_over) {
  until_it_is_shown([this] { return stops_a_client_that_never_reads_at(SIGINT); });
}

bool drain::refuses_new_connections() {
  start_with_stuck_client();
  server_->send_signal(SIGTERM);
  eventually("connections are refused", [this] { return is_refused(server_->port()); });
  // Where nobody is, connections are refused as well: it has to be the drain that does it.
  const bool during_the_drain = !server_->has_ended();
  stuck_.reset();
  EXPECT_EQ(server_->wait().exit_code, 0);
  return during_the_drain;
}

TEST_P(drain, new_connections_are_refused) {
  until_it_is_shown([this] { return refuses_new_connections(); });
}

// That connections are refused shows that the first signal has been heeded.
bool drain::second_signal_ends_it(int first, int second) {
  start_with_stuck_client();
  const auto begin = clock::now();
  server_->send_signal(first);
  eventually("the drain has begun", [this] { return is_refused(server_->port()); });
  server_->send_signal_asleep(second);
  const ending end = server_->wait();
  if (clock::now() - begin >= drain_limit) return false;
  EXPECT_EQ(end.signal, second) << end;
  EXPECT_EQ(end.output, "") << "it has not drained";
  return true;
}

TEST_P(drain, a_second_sigterm_ends_it_at_once) {
  until_it_is_shown([this] { return second_signal_ends_it(SIGTERM, SIGTERM); });
}

TEST_P(drain, a_sigint_after_sigterm_ends_it_at_once) {
  until_it_is_shown([this] { return second_signal_ends_it(SIGTERM, SIGINT); });
}

TEST_P(drain, a_sigterm_after_sigint_ends_it_at_once) {
  until_it_is_shown([this] { return second_signal_ends_it(SIGINT, SIGTERM); });
}

TEST_P(drain, a_connection_that_waits_for_room_is_reset) {
  start_with_stuck_client({"--max-connections", "1"});
  client waits(server_->port());
  server_->send_signal_asleep(SIGTERM);
  try {
    waits.receive_until_end();
    ADD_FAILURE() << "it was ended in an orderly way, as if it had been served";
  } catch (const std::system_error& failed) {
    EXPECT_EQ(failed.code(), std::errc::connection_reset) << failed.what();
  }
  stuck_.reset();
  const ending end = server_->wait();
  EXPECT_EQ(end.exit_code, 0) << end;
  EXPECT_TRUE(end.output.starts_with("served 1 connections, ")) << end;
}

// The server has no descriptor to accept with, and is in the middle of a pause.
TEST_P(drain, a_server_out_of_descriptors_ends) {
  if (reports_falsely_without_descriptors()) GTEST_SKIP() << "UBSan needs descriptors itself";
  auto& server = start({}, {.most_descriptors = 20});
  std::vector<client> peers;
  for (int i = 0; i < 30; ++i) peers.emplace_back(server.port());
  EXPECT_EQ(peers.front().round_trip("hello\n"), "hello\n");
  server.settle();
  EXPECT_EQ(server.descriptors(), 20U);
  server.send_signal_asleep(SIGTERM);
  EXPECT_EQ(peers.front().receive_until_end(), "");
  const ending end = server.wait();
  EXPECT_EQ(end.exit_code, 0) << end;
  EXPECT_EQ(end.errors, "");
}

INSTANTIATE_TEST_SUITE_P(styles, drain, both_styles, name_of_style);

}  // namespace
