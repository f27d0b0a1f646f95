#include "stuck_server.hpp"

#include <stdexcept>
#include <string>

#include "guarded_io.hpp"

namespace support {
namespace {

// Linux lets the two directions of the two sockets of a connection hold some 70 MB at most, as it is configured.
constexpr std::size_t more_than_buffers_hold = 256 << 20;

void check_bounded(std::size_t sent) {
  if (sent > more_than_buffers_hold)
    throw std::runtime_error("the server took " + std::to_string(sent) +
                             " bytes from a peer that reads nothing");
}

}  // namespace

std::size_t send_until_stuck(client& peer, const server_program& server, seeded_bytes bytes) {
  std::size_t sent = 0;
  std::string piece;
  std::size_t taken = 0;  // of the piece
  // Twice in a row nothing more, since the kernel may have had no time yet to hand on what it had taken.
  for (int quiet = 0; quiet < 2; ++quiet) {
    for (;;) {
      if (taken == piece.size()) {
        piece = bytes.next(65536);
        taken = 0;
      }
      const std::size_t more = peer.send_at_once(std::string_view(piece).substr(taken));
      if (more == 0) break;
      quiet = -1;
      taken += more;
      check_bounded(sent += more);
    }
    server.settle();  // there may be room again when the server has done what it can
  }
  return sent;
}

std::size_t send_until_unread(client& peer, const server_program& server, seeded_bytes bytes) {
  constexpr std::size_t step = 16384;  // fits into the window of a server that has just begun not to read
  for (std::size_t sent = step;; sent += step) {
    check_bounded(sent);
    peer.send_all(bytes.next(step));
    eventually("all that was sent has arrived", [&] { return peer.unacknowledged() == 0; });
    if (server.unread() == 0) continue;
    server.settle();
    if (server.unread() != 0) return sent;
  }
}

std::size_t receive_and_compare_until_end(client& peer, expected_bytes expected) {
  for (std::string got; !(got = peer.receive_some()).empty();) expected.compare(got);
  return expected.count();
}

}  // namespace support
