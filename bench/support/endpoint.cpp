#include "support/endpoint.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <stdexcept>

#include "support/failure.hpp"

namespace bench {
namespace {

constexpr timeval patience{.tv_sec = 10, .tv_usec = 0};

sockaddr_in socket_address(const endpoint& where) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(where.port);
  if (::inet_pton(AF_INET, where.host.c_str(), &address.sin_addr) != 1)
    throw std::runtime_error("not a numeric IPv4 address: " + where.host);
  return address;
}

descriptor make_socket() {
  descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) throw_errno("socket");
  return socket;
}

}  // namespace

descriptor connect_to(const endpoint& server) {
  const sockaddr_in address = socket_address(server);
  descriptor socket = make_socket();
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    throw_errno("connect to " + server.host + ":" + std::to_string(server.port));
  const int on = 1;
  if (::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) throw_errno("TCP_NODELAY");
  return socket;
}

std::uint16_t free_port() {
  sockaddr_in address = socket_address({"127.0.0.1", 0});
  const descriptor socket = make_socket();
  socklen_t size = sizeof address;
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) throw_errno("bind");
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) throw_errno("getsockname");
  return ntohs(address.sin_port);
}

std::string ask_once(const endpoint& server, std::string_view request, std::string_view ending) {
  const descriptor socket = connect_to(server);
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0) throw_errno("SO_RCVTIMEO");
  if (::send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size()))
    throw_errno("the first request to a server");
  std::string answer;
  while (!answer.ends_with(ending)) {
    std::array<char, 4096> piece;
    const ssize_t received = ::recv(socket.get(), piece.data(), piece.size(), 0);
    if (received < 0 && errno == EINTR) continue;
    if (received < 0) throw_errno("the first answer of a server, of which there is '" + answer + "'");
    if (received == 0) throw std::runtime_error("a server closed the connection after '" + answer + "'");
    answer.append(piece.data(), static_cast<std::size_t>(received));
  }
  return answer;
}

}  // namespace bench
