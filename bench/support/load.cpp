#include "support/load.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>
#include <string>

#include "support/failure.hpp"

namespace bench {
namespace {

constexpr int batch_size = 256;
constexpr int patience_ms = 10'000;

descriptor connect_to(const endpoint& server) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(server.port);
  if (::inet_pton(AF_INET, server.host.c_str(), &address.sin_addr) != 1)
    throw std::runtime_error("not a numeric IPv4 address: " + server.host);
  descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) throw_errno("socket");
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    throw_errno("connect to " + server.host + ":" + std::to_string(server.port));
  const int on = 1;
  if (::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) throw_errno("TCP_NODELAY");
  if (::fcntl(socket.get(), F_SETFL, O_NONBLOCK) != 0) throw_errno("O_NONBLOCK");
  return socket;
}

// SplitMix64 (Steele, Lea, Flood, 2014) started from the connection and the sequence number: cheap, and any two
// messages differ in nearly every byte.
void fill(std::vector<std::byte>& message, std::uint64_t connection, std::uint64_t sequence) {
  std::uint64_t state = (connection << 40) + sequence;
  for (std::size_t at = 0; at < message.size(); at += sizeof state) {
    state += 0x9e3779b97f4a7c15;
    std::uint64_t mixed = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    mixed ^= mixed >> 31;
    std::memcpy(message.data() + at, &mixed, std::min(sizeof mixed, message.size() - at));
  }
}

[[noreturn]] void throw_about(std::size_t index, std::uint64_t sequence, const char* what) {
  throw std::runtime_error("connection " + std::to_string(index) + ", message " + std::to_string(sequence) + ": " +
                           what);
}

}  // namespace

load_generator::load_generator(const endpoint& server, load_shape shape)
    : shape_(shape), epoll_(::epoll_create1(EPOLL_CLOEXEC)), arrived_(shape.bytes + 1) {
  if (!epoll_) throw_errno("epoll_create1");
  connections_.resize(static_cast<std::size_t>(shape.connections));
  for (std::size_t index = 0; index < connections_.size(); ++index) {
    connections_[index].socket = connect_to(server);
    connections_[index].message.resize(shape.bytes);
    epoll_event event{EPOLLIN, {.u64 = index}};
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, connections_[index].socket.get(), &event) != 0)
      throw_errno("epoll_ctl");
  }
}

load_report load_generator::run(std::uint64_t messages) {
  latencies_ = {};
  to_send_ = messages;
  const auto began = clock::now();
  for (std::size_t index = 0; index < connections_.size() && to_send_ > 0; ++index) begin_message(index, clock::now());
  std::array<epoll_event, batch_size> events;
  while (in_flight_ > 0) {
    const int count = ::epoll_wait(epoll_.get(), events.data(), batch_size, patience_ms);
    if (count < 0 && errno != EINTR) throw_errno("epoll_wait");
    if (count == 0)
      throw std::runtime_error("no echo for ten seconds; messages missing: " + std::to_string(in_flight_));
    for (int i = 0; i < count; ++i) {
      if (events[i].events & EPOLLOUT) send_more(events[i].data.u64);
      if (events[i].events & ~EPOLLOUT) receive_some(events[i].data.u64);
    }
  }
  return {messages, clock::now() - began, latencies_.percentile(0.50), latencies_.percentile(0.99)};
}

void load_generator::begin_message(std::size_t index, clock::time_point now) {
  connection& peer = connections_[index];
  --to_send_;
  ++in_flight_;
  fill(peer.message, index, ++peer.sequence);
  peer.sent = peer.received = 0;
  peer.began = now;
  send_more(index);
}

void load_generator::send_more(std::size_t index) {
  connection& peer = connections_[index];
  while (peer.sent < peer.message.size()) {
    const ssize_t sent = ::send(peer.socket.get(), peer.message.data() + peer.sent, peer.message.size() - peer.sent,
                                MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) return watch(index, true);
    if (sent < 0) throw_errno("send on connection " + std::to_string(index));
    peer.sent += static_cast<std::size_t>(sent);
  }
  if (peer.waits_for_room) watch(index, false);
}

void load_generator::receive_some(std::size_t index) {
  connection& peer = connections_[index];
  const std::size_t missing = peer.message.size() - peer.received;
  const ssize_t received = ::recv(peer.socket.get(), arrived_.data(), missing + 1, 0);
  if (received < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (received < 0) throw_errno("recv on connection " + std::to_string(index));
  if (received == 0) throw_about(index, peer.sequence, "the server closed the connection");
  const auto size = static_cast<std::size_t>(received);
  if (peer.received + size > peer.sent) throw_about(index, peer.sequence, "more bytes came back than were sent");
  if (std::memcmp(arrived_.data(), peer.message.data() + peer.received, size) != 0)
    throw_about(index, peer.sequence, "the echo differs from what was sent");
  peer.received += size;
  if (peer.received < peer.message.size()) return;

  // One reading of the clock serves as the end of this message and the beginning of the next.
  const auto now = clock::now();
  latencies_.record(now - peer.began);
  --in_flight_;
  if (to_send_ > 0) begin_message(index, now);
}

void load_generator::watch(std::size_t index, bool for_room) {
  connection& peer = connections_[index];
  epoll_event event{for_room ? EPOLLIN | EPOLLOUT : EPOLLIN, {.u64 = index}};
  if (peer.waits_for_room != for_room && ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, peer.socket.get(), &event) != 0)
    throw_errno("epoll_ctl");
  peer.waits_for_room = for_room;
}

}  // namespace bench
