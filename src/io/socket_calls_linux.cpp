#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/socket_calls.hpp"

namespace cordage::detail {

int open_stream_socket(int family) noexcept { return ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); }

int accept_nonblocking(int listener, std::byte* address, std::size_t room) noexcept {
  auto size = static_cast<socklen_t>(room);
  return ::accept4(listener, reinterpret_cast<sockaddr*>(address), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

ssize_t send_quietly(int socket, const std::byte* bytes, std::size_t count) noexcept {
  return ::send(socket, bytes, count, MSG_NOSIGNAL);
}

int open_pipe(int (&ends)[2]) noexcept { return ::pipe2(ends, O_NONBLOCK | O_CLOEXEC); }

int ready_events(int fd, short direction) noexcept {
  pollfd asked{.fd = fd, .events = direction, .revents = 0};
  return ::poll(&asked, 1, 0) < 0 ? -1 : asked.revents;
}

}  // namespace cordage::detail
