// The load generator: a fixed number of connections, each of which sends a message, waits for its answer, checks it,
// and only then sends the next. A closed loop, so the server is never asked for more than it can do and its CPU time
// divided by the number of messages is a fair measure.
//
// One thread, level-triggered epoll, no dependence on the library under test. The messages to an echo server differ by
// connection and by sequence number, so an echo that went to the wrong connection, came twice, or was stale is found;
// to other servers every message is the same request.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "support/descriptor.hpp"
#include "support/endpoint.hpp"
#include "support/exchange.hpp"
#include "support/histogram.hpp"

namespace bench {

// Of an echo.
struct load_shape {
  int connections = 64;
  std::size_t bytes = 64;  // of each message
};

struct load_report {
  std::uint64_t messages = 0;  // as many as exchanges, but for pipelines: see exchange::messages
  std::chrono::nanoseconds wall{};
  std::chrono::nanoseconds p50{};
  std::chrono::nanoseconds p99{};
};

// Used by one thread at a time. The connections live as long as the generator, so accepting is not part of what is
// measured.
class load_generator {
 public:
  load_generator(const endpoint& server, load_shape shape);
  load_generator(const endpoint& server, int connections, exchange said);

  // Has this many exchanges of a message and its answer over all connections together and returns when the last answer
  // has arrived, with nothing in flight. Throws if an answer is wrong, the server closes a connection, or nothing comes
  // back for ten seconds. Warm up by calling it once and ignoring the report: then clocks can be read between the two
  // calls.
  load_report run(std::uint64_t exchanges);

  std::size_t connections() const { return connections_.size(); }

 private:
  using clock = std::chrono::steady_clock;

  struct connection {
    descriptor socket;
    std::vector<std::byte> message;
    std::size_t sent = 0;
    std::size_t received = 0;
    std::uint64_t sequence = 0;
    bool waits_for_room = false;  // registered for EPOLLOUT because the last send was partial
    clock::time_point began{};
  };

  void connect(const endpoint& server, int connections, const std::vector<std::byte>& message);
  void begin_message(std::size_t index, clock::time_point now);
  void send_more(std::size_t index);
  void receive_some(std::size_t index);
  void check(std::size_t index, std::size_t size) const;
  void watch(std::size_t index, bool for_room);

  std::optional<exchange> said_;  // nothing: each message is another, and is to be echoed
  descriptor epoll_;
  std::vector<connection> connections_;
  std::vector<std::byte> arrived_;  // one byte longer than an answer, so that a surplus shows at once
  std::uint64_t to_send_ = 0;
  std::uint64_t in_flight_ = 0;
  latency_histogram latencies_;
};

}  // namespace bench
