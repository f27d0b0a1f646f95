// Where a server listens, and how to get to it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "support/descriptor.hpp"

namespace bench {

struct endpoint {
  std::string host;  // numeric IPv4
  std::uint16_t port = 0;
};

// A blocking connection with TCP_NODELAY. Throws if there is none.
descriptor connect_to(const endpoint& server);

// A port of 127.0.0.1 that nobody used a moment ago, for servers that have to be told theirs. Somebody may take it
// before they do, so whoever starts such a server has to be ready to try again.
std::uint16_t free_port();

// Sends the request over a connection of its own and gives the answer, which is over where it ends with `ending`.
// Throws if the server closes the connection before, or leaves one waiting for ten seconds.
std::string ask_once(const endpoint& server, std::string_view request, std::string_view ending);

}  // namespace bench
