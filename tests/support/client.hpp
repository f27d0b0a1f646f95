// A TCP connection as a server's peer has it: plain blocking sockets, nothing of the library's.
//
// What fails, ends too early or takes longer than the guard is thrown.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "owned_fd.hpp"

namespace support {

struct client_options {
  const char* address = "127.0.0.1";
  int receive_buffer = 0;  // SO_RCVBUF in bytes; 0 for the system's choice
};

class client {
 public:
  // Returns when the connection is established, which the system does before the server accepts it.
  explicit client(std::uint16_t port, const client_options& options = {});

  void send_all(std::string_view bytes);
  // As many as there is room for now, which may be none.
  std::size_t send_at_once(std::string_view bytes);

  // At least one byte; none at the end.
  std::string receive_some();
  std::string receive_exactly(std::size_t count);
  std::string receive_until_end();
  // Sends, and receives as many bytes as it sent.
  std::string round_trip(std::string_view bytes);
  // Whether something has arrived: bytes, the end or a reset.
  bool has_arrivals() const;

  // Nothing more will be sent; receiving goes on.
  void half_close();
  // The system on the other side knows that, and so has received all bytes before.
  bool has_half_closed() const;
  // Ends the connection with RST.
  void reset();

  // How many of the bytes sent the system on the other side has not acknowledged yet.
  std::size_t unacknowledged() const;

  // How many have arrived and were not received.
  std::size_t unread() const;

  int fd() const noexcept { return socket_.get(); }

 private:
  owned_fd socket_;  // non-blocking, so that the guard works
};

// Whether a connection to the port is refused.
bool is_refused(std::uint16_t port);

// Connects, sends, and resets the connection at once.
void connect_and_reset(std::uint16_t port, std::string_view bytes);

}  // namespace support
