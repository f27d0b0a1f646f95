// A server of HTTP/1.0 in the hands of a test, which decides when each request is answered, and how each connection ends.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "child_process.hpp"
#include "guarded_io.hpp"
#include "owned_fd.hpp"
#include "system_calls.hpp"

namespace support {

// A request that has arrived, and the connection to answer it on.
class request {
 public:
  explicit request(owned_fd peer) : peer_(std::move(peer)) {
    ::fcntl(peer_.get(), F_SETFL, O_NONBLOCK);
    char next;
    while (!text_.ends_with("\r\n\r\n") && read_some(peer_.get(), {&next, 1}) == 1) text_ += next;
  }

  const std::string& text() const { return text_; }
  std::string path() const { return text_.substr(4, text_.find(' ', 4) - 4); }

  void send(std::string_view bytes) const { write_all(peer_.get(), bytes); }
  // False when the other side has given up.
  bool send_unless_left(std::string_view bytes) const {
    try {
      send(bytes);
      return true;
    } catch (const std::system_error& gone) {
      EXPECT_TRUE(gone.code() == std::errc::broken_pipe || gone.code() == std::errc::connection_reset) << gone.what();
      return false;
    }
  }
  static constexpr std::string_view head = "HTTP/1.0 200 OK\r\n\r\n";
  void answer(std::size_t body) {
    send(std::string(head) + std::string(body, 'x'));
    peer_.close();
  }
  // Returns when the system on the other side knows.
  void close() {
    ::shutdown(peer_.get(), SHUT_WR);
    eventually("the end of the stream arrives", [this] { return closing_of(peer_.get()) != closing::end_sent; });
    peer_.close();
  }
  void reset() {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(peer_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    peer_.close();
  }
  // Returns when the other side has closed the connection.
  void wait_until_closed() const {
    char none;
    try {
      EXPECT_EQ(read_some(peer_.get(), {&none, 1}), 0U);
    } catch (const std::system_error& reset) {
      EXPECT_EQ(reset.code(), std::errc::connection_reset);
    }
  }

 private:
  owned_fd peer_;
  std::string text_;
};

// Has an address, and refuses connections.
class closed_port {
 public:
  explicit closed_port(int family = AF_INET) : socket_(open_stream_socket(family)) {
    sockaddr_in6 at{};
    socklen_t length = family == AF_INET ? sizeof(sockaddr_in) : sizeof at;
    at.sin6_family = static_cast<sa_family_t>(family);
    if (family == AF_INET) reinterpret_cast<sockaddr_in&>(at).sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    at.sin6_addr = family == AF_INET ? at.sin6_addr : in6addr_loopback;
    if (::bind(socket_.get(), reinterpret_cast<sockaddr*>(&at), length) < 0) fail_with_errno("bind");
    ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&at), &length);
    address_ = (family == AF_INET ? "127.0.0.1:" : "[::1]:") + std::to_string(ntohs(at.sin6_port));
  }

  const std::string& address() const { return address_; }

 protected:
  owned_fd socket_;

 private:
  std::string address_;
};

class withheld_server : public closed_port {
 public:
  explicit withheld_server(int family = AF_INET) : closed_port(family) {
    if (::listen(socket_.get(), 100) < 0) fail_with_errno("listen");
  }

  bool is_asked() const { return is_ready(socket_.get(), POLLIN); }
  request next() const {
    wait_until_ready(socket_.get(), POLLIN, "a connection");
    return request(accept_from(socket_.get()));
  }
  // None where the program has given up before it has asked.
  std::optional<request> next_unless_ended(const child_process& program) const {
    eventually("a connection, or the end of the program", [&] { return is_asked() || program.has_ended(); });
    return is_asked() ? std::optional(next()) : std::nullopt;
  }
  // So many, of which none is answered yet.
  std::vector<request> next(std::size_t count) const {
    std::vector<request> all;
    while (all.size() < count) all.push_back(next());
    return all;
  }
};

}  // namespace support
