// More connections than there are descriptors for, or than the server is to serve at a time: they wait their turn.
#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "echo_server_test.hpp"

namespace {

using namespace support;
using namespace std::chrono_literals;

std::vector<client> connect_many(const server_program& server, std::size_t count) {
  std::vector<client> peers;
  while (peers.size() < count) peers.emplace_back(server.port());
  return peers;
}

std::string line_of(std::size_t number) { return "client " + std::to_string(number) + "\n"; }

class out_of_descriptors : public echo_server_test {
 protected:
  static constexpr std::size_t limit = 32;
  static constexpr std::size_t too_many = 10;

  // A server with all its descriptors in use, and connections beyond, each of which has sent its line.
  void SetUp() override {
    if (reports_falsely_without_descriptors()) GTEST_SKIP() << "UBSan needs descriptors itself";
    server_ = &start({}, {.most_descriptors = limit});
    client first(server_->port());
    ASSERT_EQ(first.round_trip("hello\n"), "hello\n");
    fit_ = limit - server_->descriptors() + 1;  // the first one's place, too
    first.half_close();
    ASSERT_EQ(first.receive_until_end(), "");
    peers_ = connect_many(*server_, fit_ + too_many);
    for (std::size_t i = 0; i < peers_.size(); ++i) peers_[i].send_all(line_of(i));
  }

  void expect_answer(std::size_t i) { ASSERT_EQ(peers_[i].receive_exactly(line_of(i).size()), line_of(i)); }

  // Those that fit are answered, since the system keeps the others in their order.
  void expect_only_those_that_fit_to_be_answered() {
    for (std::size_t i = 0; i < fit_; ++i) expect_answer(i);
    server_->settle();
    EXPECT_EQ(server_->descriptors(), limit);
    for (std::size_t i = fit_; i < peers_.size(); ++i) EXPECT_FALSE(peers_[i].has_arrivals()) << i;
  }

  server_program* server_ = nullptr;
  std::size_t fit_ = 0;  // how many connections there are descriptors for
  std::vector<client> peers_;
};

TEST_P(out_of_descriptors, those_that_fit_are_served_on) {
  expect_only_those_that_fit_to_be_answered();
  for (int i = 0; i < 100; ++i)
    ASSERT_EQ(peers_[static_cast<std::size_t>(i) % fit_].round_trip("again\n"), "again\n");
}

// A loop that spins uses all of a second of one processor, or what a busy machine leaves it.
TEST_P(out_of_descriptors, the_server_does_not_spin) {
  expect_only_those_that_fit_to_be_answered();
  EXPECT_LE(server_->observe().cpu_time, 50ms);
}

TEST_P(out_of_descriptors, those_that_wait_are_served_in_their_order_as_others_leave) {
  expect_only_those_that_fit_to_be_answered();
  peers_[0].reset();
  peers_[1].half_close();
  EXPECT_EQ(peers_[1].receive_until_end(), "");
  expect_answer(fit_);
  expect_answer(fit_ + 1);
  server_->settle();
  EXPECT_FALSE(peers_[fit_ + 2].has_arrivals());
  for (std::size_t i = 2; i < too_many; ++i) {
    peers_[i].reset();
    expect_answer(fit_ + i);
  }
}

TEST_P(out_of_descriptors, it_can_happen_again) {
  expect_only_those_that_fit_to_be_answered();
  for (client& peer : peers_) peer.reset();
  peers_ = connect_many(*server_, fit_ + too_many);
  for (std::size_t i = 0; i < peers_.size(); ++i) peers_[i].send_all(line_of(i));
  expect_only_those_that_fit_to_be_answered();
}

INSTANTIATE_TEST_SUITE_P(styles, out_of_descriptors, both_styles, name_of_style);

class most_connections : public echo_server_test {};

TEST_P(most_connections, a_third_client_of_two_is_served_when_one_of_them_ends) {
  const auto& server = start({"--max-connections", "2"});
  client one(server.port());
  client two(server.port());
  EXPECT_EQ(one.round_trip("one\n"), "one\n");
  EXPECT_EQ(two.round_trip("two\n"), "two\n");
  client three(server.port());
  three.send_all("three\n");
  EXPECT_EQ(one.round_trip("one again\n"), "one again\n");
  EXPECT_EQ(two.round_trip("two again\n"), "two again\n");
  server.settle();
  EXPECT_FALSE(three.has_arrivals());
  one.half_close();
  EXPECT_EQ(one.receive_until_end(), "");
  EXPECT_EQ(three.receive_exactly(6), "three\n");
  EXPECT_EQ(two.round_trip("two at last\n"), "two at last\n");
}

// However a connection ends, it makes room for one other.
TEST_P(most_connections, every_end_of_a_connection_makes_room_for_one) {
  const auto& server = start({"--max-connections", "1"});
  auto peers = connect_many(server, 20);
  for (std::size_t i = 0; i < peers.size(); ++i) peers[i].send_all(line_of(i));
  for (std::size_t i = 0; i < peers.size(); ++i) {
    ASSERT_EQ(peers[i].receive_exactly(line_of(i).size()), line_of(i));
    if (i + 1 < peers.size()) {
      server.settle();
      ASSERT_FALSE(peers[i + 1].has_arrivals()) << i;
    }
    if (i % 2 == 0) {
      peers[i].half_close();
    } else {
      peers[i].reset();
    }
  }
}

TEST_P(most_connections, the_server_rests_while_others_wait) {
  const auto& server = start({"--max-connections", "1"});
  auto peers = connect_many(server, 5);
  EXPECT_EQ(peers[0].round_trip("hello\n"), "hello\n");
  expect_rest(server);
}

INSTANTIATE_TEST_SUITE_P(styles, most_connections, both_styles, name_of_style);

}  // namespace
