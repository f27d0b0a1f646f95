#include "client.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>
#include <stdexcept>
#include <system_error>

#include "guarded_io.hpp"
#include "system_calls.hpp"

namespace support {
namespace {

template <class Value>
void set_option(int socket, int level, int name, const Value& value) {
  if (::setsockopt(socket, level, name, &value, sizeof value) < 0) fail_with_errno("setsockopt");
}

std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> look_up(const char* address, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int code = ::getaddrinfo(address, std::to_string(port).c_str(), &hints, &found);
  if (code != 0) throw std::runtime_error(std::string(address) + ": " + ::gai_strerror(code));
  return {found, &::freeaddrinfo};
}

struct connect_attempt {
  owned_fd socket;
  int code = 0;  // the errno of connect(2), or 0
};

connect_attempt try_to_connect(std::uint16_t port, const client_options& options) {
  const auto to = look_up(options.address, port);
  owned_fd made = open_stream_socket(to->ai_family);
  set_option(made.get(), SOL_SOCKET, SO_SNDTIMEO, timeval{.tv_sec = guard.count(), .tv_usec = 0});
  set_option(made.get(), IPPROTO_TCP, TCP_NODELAY, 1);
  if (options.receive_buffer != 0) set_option(made.get(), SOL_SOCKET, SO_RCVBUF, options.receive_buffer);
  // On a thread that runs a runtime it may be interrupted, see decision 8; asked again, it goes on.
  int code = 0;
  do {
    code = ::connect(made.get(), to->ai_addr, to->ai_addrlen) < 0 ? errno : 0;
  } while (code == EINTR);
  return {std::move(made), code};
}

}  // namespace

client::client(std::uint16_t port, const client_options& options) {
  connect_attempt attempt = try_to_connect(port, options);
  if (attempt.code != 0) throw std::system_error(attempt.code, std::system_category(), "connect");
  socket_ = std::move(attempt.socket);
  if (::fcntl(socket_.get(), F_SETFL, O_NONBLOCK) < 0) fail_with_errno("fcntl");
}

void client::send_all(std::string_view bytes) { write_all(socket_.get(), bytes); }

std::size_t client::send_at_once(std::string_view bytes) {
  const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), 0);
  if (sent < 0 && errno != EAGAIN) fail_with_errno("send");
  return sent < 0 ? 0 : static_cast<std::size_t>(sent);
}

std::string client::receive_some() {
  std::string got(65536, '\0');
  got.resize(read_some(socket_.get(), got));
  return got;
}

std::string client::receive_exactly(std::size_t count) {
  std::string got(count, '\0');
  for (std::size_t have = 0; have < count;) {
    const std::size_t more = read_some(socket_.get(), std::span(got).subspan(have));
    if (more == 0)
      throw std::runtime_error("the end came after " + std::to_string(have) + " of " + std::to_string(count) +
                               " bytes");
    have += more;
  }
  return got;
}

std::string client::receive_until_end() { return read_until_end(socket_.get()); }

std::string client::round_trip(std::string_view bytes) {
  send_all(bytes);
  return receive_exactly(bytes.size());
}

bool client::has_arrivals() const { return is_ready(socket_.get(), POLLIN); }

void client::half_close() {
  if (::shutdown(socket_.get(), SHUT_WR) < 0) fail_with_errno("shutdown");
}

bool client::has_half_closed() const { return closing_of(socket_.get()) == closing::end_acknowledged; }

void client::reset() {
  set_option(socket_.get(), SOL_SOCKET, SO_LINGER, linger{.l_onoff = 1, .l_linger = 0});
  socket_.close();
}

std::size_t client::unacknowledged() const { return unacknowledged_by_peer(socket_.get()); }

std::size_t client::unread() const {
  int count = 0;
  if (::ioctl(socket_.get(), FIONREAD, &count) < 0) fail_with_errno("ioctl FIONREAD");
  return static_cast<std::size_t>(count);
}

bool is_refused(std::uint16_t port) {
  const int code = try_to_connect(port, {}).code;
  // Reset: the listener was closed between the two system's handshake and the answer to us.
  if (code != 0 && code != ECONNREFUSED && code != ECONNRESET)
    throw std::system_error(code, std::system_category(), "connect");
  return code == ECONNREFUSED;
}

void connect_and_reset(std::uint16_t port, std::string_view bytes) {
  client peer(port);
  if (!bytes.empty()) peer.send_all(bytes);
  peer.reset();
}

}  // namespace support
