// What the tests of the program resp_server share: each test runs once with tasks and once with fibers.
#pragma once

#include <csignal>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "client.hpp"
#include "echo_server_test.hpp"
#include "server_program.hpp"

namespace support {

inline const std::string resp_server_path = CORDAGE_EXAMPLES_DIR "/resp_server";

// As clients send it.
inline std::string resp_command(const std::vector<std::string>& words) {
  std::string text = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) text += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  return text;
}

inline std::string resp_bulk(const std::string& text) { return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n"; }

inline std::string repeated(std::string_view text, std::size_t count) {
  std::string all;
  for (std::size_t i = 0; i < count; ++i) all += text;
  return all;
}

// Sends, and receives exactly what is expected.
inline void expect_answer(client& peer, std::string_view sent, std::string_view expected) {
  peer.send_all(sent);
  EXPECT_EQ(peer.receive_exactly(expected.size()), expected) << "to " << sent.substr(0, 100);
}

class resp_server_test : public testing::TestWithParam<std::string> {
 protected:
  // A server in this test's style, on a port of the system's choice.
  server_program& start(const std::vector<std::string>& further_arguments = {}) {
    std::vector<std::string> arguments{resp_server_path, "--listen", "127.0.0.1:0", "--style", GetParam()};
    arguments.insert(arguments.end(), further_arguments.begin(), further_arguments.end());
    return server_.emplace(arguments);
  }

  void expect_served() {
    client other(server_->port());
    expect_answer(other, "PING\r\n", "+PONG\r\n");
  }

  // A server that the test did not end is alive, ends when it is asked to, and has nothing to complain about.
  void TearDown() override {
    if (!server_ || server_->was_waited_for()) return;
    server_->send_signal_asleep(SIGTERM);
    const ending end = server_->wait();
    EXPECT_EQ(end.exit_code, 0) << end;
    EXPECT_EQ(end.errors, "");
  }

  std::optional<server_program> server_;
};

}  // namespace support
