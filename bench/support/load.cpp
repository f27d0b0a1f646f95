#include "support/load.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "support/failure.hpp"

namespace bench {
namespace {

constexpr int batch_size = 256;
constexpr int patience_ms = 10'000;

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

load_generator::load_generator(const endpoint& server, load_shape shape) : arrived_(shape.bytes + 1) {
  connect(server, shape.connections, std::vector<std::byte>(shape.bytes));
}

load_generator::load_generator(const endpoint& server, int connections, exchange said)
    : said_(std::move(said)), arrived_(said_->answer_bytes + 1) {
  const auto* request = reinterpret_cast<const std::byte*>(said_->request.data());
  connect(server, connections, std::vector<std::byte>(request, request + said_->request.size()));
}

void load_generator::connect(const endpoint& server, int connections, const std::vector<std::byte>& message) {
  epoll_ = descriptor(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_) throw_errno("epoll_create1");
  connections_.resize(static_cast<std::size_t>(connections));
  for (std::size_t index = 0; index < connections_.size(); ++index) {
    connection& peer = connections_[index];
    peer.socket = connect_to(server);
    peer.message = message;
    if (::fcntl(peer.socket.get(), F_SETFL, O_NONBLOCK) != 0) throw_errno("O_NONBLOCK");
    epoll_event event{EPOLLIN, {.u64 = index}};
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, peer.socket.get(), &event) != 0) throw_errno("epoll_ctl");
  }
}

load_report load_generator::run(std::uint64_t exchanges) {
  latencies_ = {};
  to_send_ = exchanges;
  const auto began = clock::now();
  for (std::size_t index = 0; index < connections_.size() && to_send_ > 0; ++index) begin_message(index, clock::now());
  std::array<epoll_event, batch_size> events;
  while (in_flight_ > 0) {
    const int count = ::epoll_wait(epoll_.get(), events.data(), batch_size, patience_ms);
    if (count < 0 && errno != EINTR) throw_errno("epoll_wait");
    if (count == 0)
      throw std::runtime_error("no answer for ten seconds; missing: " + std::to_string(in_flight_));
    for (int i = 0; i < count; ++i) {
      if (events[i].events & EPOLLOUT) send_more(events[i].data.u64);
      if (events[i].events & ~EPOLLOUT) receive_some(events[i].data.u64);
    }
  }
  const std::uint64_t messages = exchanges * (said_ ? said_->messages : 1);
  return {messages, clock::now() - began, latencies_.percentile(0.50), latencies_.percentile(0.99)};
}

void load_generator::begin_message(std::size_t index, clock::time_point now) {
  connection& peer = connections_[index];
  --to_send_;
  ++in_flight_;
  ++peer.sequence;
  if (!said_) fill(peer.message, index, peer.sequence);
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
  const std::size_t answer = arrived_.size() - 1;
  const std::size_t missing = answer - peer.received;
  const ssize_t received = ::recv(peer.socket.get(), arrived_.data(), missing + 1, 0);
  if (received < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (received < 0) throw_errno("recv on connection " + std::to_string(index));
  if (received == 0) throw_about(index, peer.sequence, "the server closed the connection");
  const auto size = static_cast<std::size_t>(received);
  check(index, size);
  peer.received += size;
  if (peer.received < answer) return;

  // One reading of the clock serves as the end of this message and the beginning of the next.
  const auto now = clock::now();
  latencies_.record(now - peer.began);
  --in_flight_;
  if (to_send_ > 0) begin_message(index, now);
}

// What arrived continues the answer as it has to.
void load_generator::check(std::size_t index, std::size_t size) const {
  const connection& peer = connections_[index];
  if (said_) {
    if (size > said_->answer_bytes - peer.received) throw_about(index, peer.sequence, "the answer is too long");
    if (!said_->accepts({reinterpret_cast<const char*>(arrived_.data()), size}, peer.received))
      throw_about(index, peer.sequence, "the answer is not what was expected");
    return;
  }
  if (peer.received + size > peer.sent) throw_about(index, peer.sequence, "more bytes came back than were sent");
  if (std::memcmp(arrived_.data(), peer.message.data() + peer.received, size) != 0)
    throw_about(index, peer.sequence, "the echo differs from what was sent");
}

void load_generator::watch(std::size_t index, bool for_room) {
  connection& peer = connections_[index];
  epoll_event event{for_room ? EPOLLIN | EPOLLOUT : EPOLLIN, {.u64 = index}};
  if (peer.waits_for_room != for_room && ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, peer.socket.get(), &event) != 0)
    throw_errno("epoll_ctl");
  peer.waits_for_room = for_room;
}

}  // namespace bench
