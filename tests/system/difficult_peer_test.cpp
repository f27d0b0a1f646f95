// Peers that do not behave: what one does harms neither the server nor another.
#include <atomic>
#include <csignal>
#include <cstddef>
#include <future>
#include <string>
#include <vector>

#include "echo_server_test.hpp"
#include "guarded_io.hpp"
#include "seeded_bytes.hpp"
#include "stuck_server.hpp"

namespace {

using namespace support;

constexpr client_options small_buffer{.receive_buffer = 4096};

void expect_served(const server_program& server) {
  client other(server.port());
  EXPECT_EQ(other.round_trip("still there?\n"), "still there?\n");
}

void expect_all_closed(const server_program& server, std::size_t descriptors_before) {
  eventually("the server has closed the connections",
             [&] { return server.descriptors() == descriptors_before; });
}

class a_peer_that_resets : public echo_server_test {
 protected:
  void SetUp() override {
    server_ = &start();
    server_->settle();
    descriptors_before_ = server_->descriptors();
  }

  void expect_unharmed() {
    expect_served(*server_);
    expect_all_closed(*server_, descriptors_before_);
  }

  server_program* server_ = nullptr;
  std::size_t descriptors_before_ = 0;
};

TEST_P(a_peer_that_resets, while_the_server_waits_to_read_is_forgotten) {
  client peer(server_->port());
  EXPECT_EQ(peer.round_trip("hello\n"), "hello\n");
  peer.reset();
  expect_unharmed();
}

TEST_P(a_peer_that_resets, while_the_server_waits_to_write_is_forgotten) {
  client peer(server_->port());
  send_until_stuck(peer, *server_, seeded_bytes(1));
  peer.reset();
  expect_unharmed();
}

// After the peer's end was received, Linux makes of a reset EPIPE, and so SIGPIPE for those who do not ask for none.
TEST_P(a_peer_that_resets, after_its_end_while_the_server_waits_to_write_does_not_kill_with_sigpipe) {
  client peer(server_->port(), small_buffer);
  send_until_unread(peer, *server_, seeded_bytes(1));
  peer.half_close();
  eventually("the end has arrived", [&] { return peer.has_half_closed(); });
  peer.reset();
  expect_unharmed();
}

// The server finds bytes to echo, and nobody to echo them to.
TEST_P(a_peer_that_resets, before_the_server_has_looked_does_not_kill_it) {
  for (int i = 0; i < 100; ++i) {
    client peer(server_->port());
    peer.send_all("hello\n");
    server_->send_signal(SIGSTOP);
    server_->wait_until_stopped();
    peer.send_all("once more\n");
    if (i % 2 == 0) peer.half_close();
    peer.reset();
    server_->send_signal(SIGCONT);
  }
  expect_unharmed();
}

// In batches, so that the queue of connections to be accepted does not overflow, which costs a second each time.
TEST_P(a_peer_that_resets, leaves_nothing_behind_ten_thousand_times) {
  constexpr int batches = static_cast<int>(scaled(100, 20));
  for (int batch = 0; batch < batches; ++batch) {
    for (int i = 0; i < 100; ++i) connect_and_reset(server_->port(), i % 2 == 0 ? "" : "hello\n");
    expect_served(*server_);
  }
  expect_unharmed();
}

INSTANTIATE_TEST_SUITE_P(styles, a_peer_that_resets, both_styles, name_of_style);

class a_peer_that_does_not_read : public echo_server_test {};

TEST_P(a_peer_that_does_not_read, costs_no_memory_and_gets_everything_when_it_reads) {
  constexpr std::size_t most_growth = scaled(2 << 20, 16 << 20);  // ASan puts aside what is freed
  const auto& server = start();
  expect_served(server);
  const std::size_t before = server.memory();
  const std::uint64_t seed = choose_seed();
  client peer(server.port());
  const std::size_t sent = send_until_stuck(peer, server, seeded_bytes(seed));
  EXPECT_LE(server.memory(), before + most_growth) << "after " << sent << " bytes";
  expect_served(server);
  // What the system has taken comes back, to the last byte.
  peer.half_close();
  EXPECT_EQ(receive_and_compare_until_end(peer, expected_bytes(seed)), sent);
  EXPECT_LE(server.memory(), before + most_growth);
}

TEST_P(a_peer_that_does_not_read, does_not_keep_the_server_awake) {
  const auto& server = start();
  client peer(server.port());
  send_until_stuck(peer, server, seeded_bytes(1));
  // The system asks the peer time and again whether there is room by now, and tells the server what it is told.
  expect_rest(server, 50);
}

TEST_P(a_peer_that_does_not_read, does_not_keep_others_waiting) {
  const auto& server = start();
  std::vector<client> silent;
  for (int i = 0; i < 5; ++i) {
    silent.emplace_back(server.port());
    send_until_stuck(silent.back(), server, seeded_bytes(1));
  }
  client other(server.port());
  for (int i = 0; i < 100; ++i) ASSERT_EQ(other.round_trip("hello\n"), "hello\n");
}

INSTANTIATE_TEST_SUITE_P(styles, a_peer_that_does_not_read, both_styles, name_of_style);

class a_busy_peer : public echo_server_test {};

// Keeps the server busy until it is told to stop, and then reads what is left.
void keep_busy(client& peer, const std::atomic<bool>& enough, std::atomic<std::size_t>& echoed) {
  const std::string piece(65536, 'x');
  while (!enough) {
    peer.send_at_once(piece);
    if (peer.has_arrivals()) echoed += peer.receive_some().size();
  }
  peer.half_close();
  peer.receive_until_end();
}

// That one connection has something to read nearly all the time is no reason to let another wait.
TEST_P(a_busy_peer, leaves_others_their_turn) {
  const auto& server = start();
  client busy(server.port());
  std::atomic<bool> enough = false;
  std::atomic<std::size_t> echoed = 0;
  auto load = std::async(std::launch::async, [&] { keep_busy(busy, enough, echoed); });
  try {
    eventually("the busy one is at it", [&] { return echoed > 1'000'000; });
    client other(server.port());
    for (int i = 0; i < 100; ++i) EXPECT_EQ(other.round_trip("hello\n"), "hello\n");
  } catch (const std::exception& failed) {
    ADD_FAILURE() << failed.what();
  }
  enough = true;
  load.get();
}

INSTANTIATE_TEST_SUITE_P(styles, a_busy_peer, both_styles, name_of_style);

class a_client_program : public echo_server_test {};

void receive_and_drop(const child_process& from, std::size_t count) {
  std::vector<char> buffer(65536);
  while (count > 0) {
    const std::size_t got = read_some(from.output(), buffer);
    ASSERT_NE(got, 0U) << "the client program has ended by itself";
    count -= std::min(count, got);
  }
}

// Its input never ends, so that wherever it is killed, it is in the middle.
TEST_P(a_client_program, that_is_killed_in_the_middle_of_a_transfer_is_forgotten) {
  const auto& server = start();
  server.settle();
  const std::size_t before = server.descriptors();
  child_process socat({"socat", "/dev/zero!!STDOUT", "TCP4:127.0.0.1:" + std::to_string(server.port())});
  receive_and_drop(socat, 4'000'000);
  EXPECT_EQ(server.descriptors(), before + 1);
  socat.send_signal(SIGKILL);
  EXPECT_EQ(socat.wait().signal, SIGKILL);
  expect_served(server);
  expect_all_closed(server, before);
}

TEST_P(a_client_program, that_is_killed_while_it_does_not_read_is_forgotten) {
  const auto& server = start();
  server.settle();
  const std::size_t before = server.descriptors();
  // One direction only: it never reads from the connection.
  child_process socat({"socat", "-u", "/dev/zero", "TCP4:127.0.0.1:" + std::to_string(server.port())});
  eventually("the server is stuck", [&] {
    server.settle();
    return server.unread() > 0;
  });
  socat.send_signal(SIGKILL);
  EXPECT_EQ(socat.wait().signal, SIGKILL);
  expect_served(server);
  expect_all_closed(server, before);
}

INSTANTIATE_TEST_SUITE_P(styles, a_client_program, both_styles, name_of_style);

}  // namespace
