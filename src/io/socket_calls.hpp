// The few socket calls that differ between systems. One source file per system.
#pragma once

#include <sys/types.h>

#include <cerrno>
#include <cstddef>

namespace cordage::detail {

// A non-blocking stream socket that programs started by this one do not inherit; -1 with errno.
int open_stream_socket(int family) noexcept;

// The next connection, likewise. The peer's address is written there, as a sockaddr.
int accept_nonblocking(int listener, std::byte* address, std::size_t room) noexcept;

// send that raises no SIGPIPE, to a socket that was made here.
ssize_t send_quietly(int socket, const std::byte* bytes, std::size_t count) noexcept;

// A pipe, both ends non-blocking and not inherited; -1 with errno.
int open_pipe(int (&ends)[2]) noexcept;

// What poll(2) says of one descriptor without waiting, its revents; -1 with errno.
int ready_events(int fd, short direction) noexcept;

// Repeats a call that a signal interrupted.
template <class Call>
ssize_t retried(Call&& call) noexcept {
  for (;;) {
    const ssize_t answer = call();
    if (answer >= 0 || errno != EINTR) return answer;
  }
}

}  // namespace cordage::detail
