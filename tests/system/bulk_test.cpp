// A lot of bytes, sent and received at the same time, come back as they were: through the tests' own client, and
// through the tools that a user has at hand.
#include <cstddef>
#include <functional>
#include <future>
#include <string>
#include <vector>

#include "echo_server_test.hpp"
#include "guarded_io.hpp"
#include "seeded_bytes.hpp"

namespace {

using namespace support;

constexpr std::size_t amount = scaled(200'000'000, 20'000'000);

// Two ends of something that is to give back what it is given.
struct loop_ends {
  int into;
  int out_of;
  std::function<void()> end_input;
};

void send_sequence(const loop_ends& ends, std::uint64_t seed) {
  seeded_bytes bytes(seed);
  std::string piece;
  // A size that is no multiple of anybody's buffer.
  for (std::size_t left = amount; left > 0; left -= piece.size()) {
    piece = bytes.next(std::min<std::size_t>(left, 99'991));
    write_all(ends.into, piece);
  }
  ends.end_input();
}

void compare_sequence(const loop_ends& ends, std::uint64_t seed) {
  expected_bytes expected(seed);
  std::vector<char> buffer(1 << 18);
  while (const std::size_t got = read_some(ends.out_of, buffer)) expected.compare({buffer.data(), got});
  EXPECT_EQ(expected.count(), amount);
}

// Sends on a thread of its own, since whoever does not read what comes back cannot send for ever.
void expect_identical(const loop_ends& ends) {
  const std::uint64_t seed = choose_seed();
  auto sender = std::async(std::launch::async, send_sequence, ends, seed);
  compare_sequence(ends, seed);
  sender.get();
}

void expect_identical_through(const std::vector<std::string>& tool) {
  child_process program(tool, {.feeds_input = true});
  expect_identical({program.input(), program.output(), [&] { program.close_input(); }});
  const ending end = program.wait();
  EXPECT_EQ(end.exit_code, 0) << end;
}

class bulk : public echo_server_test {};

TEST_P(bulk, many_random_bytes_come_back_identical) {
  client peer(start().port());
  expect_identical({peer.fd(), peer.fd(), [&] { peer.half_close(); }});
}

// socat ends half a second after its input did, unless it is told to wait for the other direction.
TEST_P(bulk, many_random_bytes_come_back_identical_through_socat) {
  expect_identical_through(
      {"socat", "-t", "30", "STDIO", "TCP4:127.0.0.1:" + std::to_string(start().port())});
}

// -N is OpenBSD's: shut the connection down for writing at the end of the input.
TEST_P(bulk, many_random_bytes_come_back_identical_through_netcat) {
  expect_identical_through({"nc", "-N", "127.0.0.1", std::to_string(start().port())});
}

TEST_P(bulk, the_server_counts_every_byte) {
  auto& server = start();
  client peer(server.port());
  expect_identical({peer.fd(), peer.fd(), [&] { peer.half_close(); }});
  server.send_signal_asleep(SIGTERM);
  const ending end = server.wait();
  EXPECT_EQ(end.exit_code, 0) << end;
  EXPECT_EQ(end.output, "served 1 connections, " + std::to_string(amount) + " bytes\n");
}

INSTANTIATE_TEST_SUITE_P(styles, bulk, both_styles, name_of_style);

}  // namespace
