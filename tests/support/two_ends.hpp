// A connection within the process, of plain blocking sockets.
#pragma once

#include "system_calls.hpp"

namespace support {

struct two_ends : both_ends {
  two_ends() : both_ends(open_socket_pair()) {}
};

}  // namespace support
