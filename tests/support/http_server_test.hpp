// What the tests of the program http_server share: each runs once with tasks and once with fibers.
#pragma once

#include <csignal>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "client.hpp"
#include "server_program.hpp"

namespace support {

inline const std::string http_server_path = CORDAGE_EXAMPLES_DIR "/http_server";
inline const std::string for_ever = "100000s";

struct http_answer {
  int status = 0;
  std::string head;  // with the empty line
  std::string body;
  bool has(const std::string& field) const { return head.find("\r\n" + field + "\r\n") != head.npos; }
};

// A client that takes answers one by one.
class http_client : public client {
 public:
  explicit http_client(const server_program& server, const client_options& options = {}) : client(server.port(), options) {}

  // `without_body` for the answer to HEAD.
  http_answer receive(bool without_body = false) {
    http_answer got;
    std::size_t end = 0;
    while ((end = pending_.find("\r\n\r\n")) == pending_.npos) receive_more();
    got.head = take(end + 4);
    got.status = std::stoi(got.head.substr(got.head.find(' ')));
    const std::string length = "\r\nContent-Length: ";
    const std::size_t at = got.head.find(length);
    if (at == got.head.npos) return got;
    const std::size_t size = without_body ? 0 : std::stoul(got.head.substr(at + length.size()));
    while (pending_.size() < size) receive_more();
    got.body = take(size);
    return got;
  }
  http_answer ask(const std::string& request) {
    send_all(request);
    return receive();
  }
  std::string rest() { return std::exchange(pending_, {}) + receive_until_end(); }

 private:
  void receive_more() {
    const std::string more = receive_some();
    if (more.empty()) throw std::runtime_error("the server ended the connection after \"" + pending_ + '"');
    pending_ += more;
  }
  std::string take(std::size_t count) {
    std::string taken = pending_.substr(0, count);
    pending_.erase(0, count);
    return taken;
  }

  std::string pending_;
};

inline std::string get(const std::string& target) { return "GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n"; }
inline std::string post(const std::string& body) {
  return "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

class http_server_test : public testing::TestWithParam<std::string> {
 protected:
  server_program& start(const std::vector<std::string>& further_arguments = {}) {
    std::vector<std::string> arguments{http_server_path, "--listen", "127.0.0.1:0", "--style", GetParam()};
    arguments.insert(arguments.end(), further_arguments.begin(), further_arguments.end());
    return server_.emplace(arguments);
  }

  // A server that the test did not end is alive, and has nothing to complain about.
  void TearDown() override {
    if (!server_ || server_->was_waited_for()) return;
    server_->send_signal_asleep(SIGTERM);
    expect_end();
  }
  ending expect_end() {
    const ending end = server_->wait();
    EXPECT_EQ(end.exit_code, 0) << end;
    EXPECT_EQ(end.errors, "");
    return end;
  }
  void expect_served() {
    http_client other(*server_);
    EXPECT_EQ(other.ask(get("/")).body, "Hello world\n");
  }

  std::optional<server_program> server_;
};

inline std::string name_of_http_style(const testing::TestParamInfo<std::string>& info) { return info.param; }

}  // namespace support
