// Bringing a handler of echo_server to where it cannot go on: it wants to write, and its peer does not read.
#pragma once

#include <cstddef>

#include "client.hpp"
#include "seeded_bytes.hpp"
#include "server_program.hpp"

namespace support {

// Sends until neither the server nor the system takes any more; gives the number of bytes taken, which are the first
// that many of the sequence. Throws when that is more than buffers of a system could hold.
std::size_t send_until_stuck(client& peer, const server_program& server, seeded_bytes bytes);

// Sends until the server is stuck, and its system has received all that was sent, though the server has not read it.
// Gives the number of bytes, as above. Wants a client with a small receive buffer, and no other that is stuck.
std::size_t send_until_unread(client& peer, const server_program& server, seeded_bytes bytes);

// Receives what comes until the end and compares it with the sequence; gives the number of bytes.
std::size_t receive_and_compare_until_end(client& peer, expected_bytes expected);

}  // namespace support
