// macOS has neither accept4 nor flags for socket and pipe, so flags are set afterwards: where another thread forks and
// starts a program in between, that inherits the descriptor. There is no call that would be safe from it.
#include <fcntl.h>
#include <poll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/socket_calls.hpp"

namespace cordage::detail {
namespace {

bool prepared(int fd) noexcept { return ::fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && ::fcntl(fd, F_SETFL, O_NONBLOCK) == 0; }

bool prepared_socket(int fd) noexcept {
  const int on = 1;
  return prepared(fd) && ::setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on) == 0;
}

// Keeps errno.
int closed(int fd, int code) noexcept {
  ::close(fd);
  errno = code;
  return -1;
}

}  // namespace

int open_stream_socket(int family) noexcept {
  const int made = ::socket(family, SOCK_STREAM, 0);
  return made < 0 || prepared_socket(made) ? made : closed(made, errno);
}

int accept_nonblocking(int listener, std::byte* address, std::size_t room) noexcept {
  auto size = static_cast<socklen_t>(room);
  const int made = ::accept(listener, reinterpret_cast<sockaddr*>(address), &size);
  if (made < 0 || prepared_socket(made)) return made;
  // The peer has broken the connection off by now, and such a socket takes no options.
  return closed(made, errno == EINVAL ? ECONNABORTED : errno);
}

ssize_t send_quietly(int socket, const std::byte* bytes, std::size_t count) noexcept {
  for (;;) {
    const ssize_t sent = ::send(socket, bytes, count, 0);
    // What the system says while a connection is being broken off. Asked again it says EPIPE.
    if (sent >= 0 || errno != EPROTOTYPE) return sent;
  }
}

int open_pipe(int (&ends)[2]) noexcept {
  if (::pipe(ends) < 0) return -1;
  if (prepared(ends[0]) && prepared(ends[1])) return 0;
  const int code = errno;
  ::close(ends[0]);
  return closed(ends[1], code);
}

// poll knows no devices but terminals, and says of them what it says of a descriptor that is not open. select knows them.
int ready_events(int fd, short direction) noexcept {
  pollfd asked{.fd = fd, .events = direction, .revents = 0};
  if (::poll(&asked, 1, 0) < 0) return -1;
  if ((asked.revents & POLLNVAL) == 0 || fd < 0 || fd >= FD_SETSIZE) return asked.revents;
  fd_set one;
  FD_ZERO(&one);
  FD_SET(fd, &one);
  timeval at_once{};
  const bool reads = direction == POLLIN;
  const int count = ::select(fd + 1, reads ? &one : nullptr, reads ? nullptr : &one, nullptr, &at_once);
  if (count < 0) return errno == EBADF ? POLLNVAL : -1;
  return count > 0 ? direction : 0;
}

}  // namespace cordage::detail
