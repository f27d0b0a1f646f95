// What echo_server does while there is nothing to do, and while it is not allowed to do anything.
#include <csignal>
#include <string>
#include <vector>

#include "echo_server_test.hpp"
#include "guarded_io.hpp"

namespace {

using namespace support;

class an_idle_server : public echo_server_test {};

TEST_P(an_idle_server, sleeps_before_its_first_connection) {
  const auto& server = start();
  expect_rest(server);
  client peer(server.port());
  EXPECT_EQ(peer.round_trip("hello\n"), "hello\n");
}

TEST_P(an_idle_server, sleeps_while_its_connections_are_silent) {
  const auto& server = start();
  client peer(server.port());
  client half_closed(server.port());
  EXPECT_EQ(peer.round_trip("hello\n"), "hello\n");
  half_closed.half_close();
  EXPECT_EQ(half_closed.receive_until_end(), "");
  expect_rest(server);
  EXPECT_EQ(peer.round_trip("hello\n"), "hello\n");
}

TEST_P(an_idle_server, sleeps_while_many_connections_are_silent) {
  constexpr std::size_t many = scaled(10'000, 1'000);
  constexpr std::size_t spare = 200;  // for the standard streams and whatever else is open
  const std::size_t allowed = raise_descriptor_limit();
  if (allowed < many + spare)
    GTEST_SKIP() << "needs " << many + spare << " descriptors, and " << allowed << " are allowed here";
  const auto& server = start();
  server.settle();
  const std::size_t before = server.descriptors();
  std::vector<client> peers;
  peers.reserve(many);
  try {
    while (peers.size() < many) peers.emplace_back(server.port());
  } catch (const std::system_error& failed) {
    if (failed.code() != std::errc::address_not_available) throw;
    GTEST_SKIP() << "the ports of this machine are used up after " << peers.size() << " connections";
  }
  eventually("all connections are accepted", [&] { return server.descriptors() == before + many; });
  expect_rest(server);
  for (client& peer : peers) peer.send_all("x");
  for (client& peer : peers) ASSERT_EQ(peer.receive_exactly(1), "x");
  // With RST, so that no ports are left in TIME_WAIT for a minute.
  for (client& peer : peers) peer.reset();
  eventually("all connections are closed", [&] { return server.descriptors() == before; });
}

TEST_P(an_idle_server, ends_connections_on_which_nothing_moves_if_told_so) {
  const auto& server = start({"--idle-timeout", "100ms"});
  client peer(server.port());
  EXPECT_EQ(peer.receive_until_end(), "");
  client other(server.port());
  EXPECT_EQ(other.receive_until_end(), "");
}

INSTANTIATE_TEST_SUITE_P(styles, an_idle_server, both_styles, name_of_style);

class a_stopped_server : public echo_server_test {};

TEST_P(a_stopped_server, answers_what_has_arrived_when_it_is_continued) {
  const auto& server = start();
  client old_one(server.port());
  EXPECT_EQ(old_one.round_trip("before\n"), "before\n");
  server.send_signal(SIGSTOP);
  server.wait_until_stopped();
  old_one.send_all("while it is stopped\n");
  client new_one(server.port());  // the system establishes connections without the server
  new_one.send_all("a new one\n");
  eventually("all has arrived",
             [&] { return old_one.unacknowledged() == 0 && new_one.unacknowledged() == 0; });
  EXPECT_FALSE(old_one.has_arrivals());
  EXPECT_FALSE(new_one.has_arrivals());
  server.send_signal(SIGCONT);
  EXPECT_EQ(old_one.receive_exactly(20), "while it is stopped\n");
  EXPECT_EQ(new_one.receive_exactly(10), "a new one\n");
}

// Being continued interrupts the wait for events (signal(7)), though there are none.
TEST_P(a_stopped_server, goes_on_to_sleep_when_nothing_has_happened) {
  const auto& server = start();
  client peer(server.port());
  EXPECT_EQ(peer.round_trip("before\n"), "before\n");
  for (int i = 0; i < 10; ++i) {
    server.settle();
    server.send_signal(SIGSTOP);
    server.wait_until_stopped();
    server.send_signal(SIGCONT);
  }
  expect_rest(server);
  EXPECT_EQ(peer.round_trip("after\n"), "after\n");
}

INSTANTIATE_TEST_SUITE_P(styles, a_stopped_server, both_styles, name_of_style);

}  // namespace
