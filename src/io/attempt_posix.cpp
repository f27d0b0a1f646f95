// What an operation does when it is attempted, for backends that report readiness. Every errno that is expected stands
// in a switch with its reason.
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include <cordage/io/descriptor.hpp>

#include "io/socket_calls.hpp"

namespace cordage::detail {
namespace {

bool complete_with(io_operation& op, std::error_code failure) noexcept {
  op.failure = failure;
  return true;
}

// What a system call's failure means: true, the operation is complete; false, it has to wait. Interrupted calls
// are repeated by the callers, since no signal ends an operation.
bool failed(io_operation& op, int code, bool& ready) noexcept {
  switch (code) {
    case EAGAIN:  // nothing there, or no room
      ready = false;
      return false;
    default:  // the connection's or the descriptor's own error, for whoever waits
      return complete_with(op, {code, std::system_category()});
  }
}

// A read shorter than what was asked for has emptied the descriptor: the next edge will tell of more, so that the next
// attempt need not be made in vain. After the end there is no next edge.
void note_short_read(descriptor& d, std::size_t got, std::size_t asked) noexcept {
  if (got < asked && !d.ended) d.readable = false;
}

bool attempt_receive(io_operation& op) noexcept {
  descriptor& d = *op.on;
  const std::size_t wanted = asked_for_next(op);
  const ssize_t got = retried([&] {
    return op.kind == io_kind::read ? ::read(d.fd.get(), op.buffer, wanted) : ::recv(d.fd.get(), op.buffer, wanted, 0);
  });
  if (got < 0) return failed(op, errno, d.readable);
  op.transferred = static_cast<std::size_t>(got);
  d.active = true;
  if (got > 0) note_short_read(d, op.transferred, wanted);
  return true;
}

bool attempt_receive_exactly(io_operation& op) noexcept {
  descriptor& d = *op.on;
  while (op.transferred < op.length) {
    const std::size_t wanted = asked_for_next(op);
    const ssize_t got = retried([&] { return ::recv(d.fd.get(), op.buffer + op.transferred, wanted, 0); });
    if (got < 0) return failed(op, errno, d.readable);
    if (got == 0) return complete_with(op, errc::end_of_stream);
    op.transferred += static_cast<std::size_t>(got);
    d.active = true;
    note_short_read(d, static_cast<std::size_t>(got), wanted);
    if (!d.readable && op.transferred < op.length) return false;
  }
  return true;
}

bool attempt_send(io_operation& op) noexcept {
  descriptor& d = *op.on;
  while (op.transferred < op.length) {  // of nothing the system need not be told
    const ssize_t sent = retried([&] { return send_quietly(d.fd.get(), op.buffer + op.transferred, asked_for_next(op)); });
    if (sent < 0) return failed(op, errno, d.writable);
    op.transferred += static_cast<std::size_t>(sent);
    d.active = true;
    if (op.kind == io_kind::send) break;
  }
  return true;
}

// Asks instead of trying. An answer of no is followed by an edge, since whoever waits is registered before or after.
bool is_ready(io_operation& op, short direction, bool& ready) noexcept {
  const auto events = static_cast<int>(retried([&] { return ready_events(op.on->fd.get(), direction); }));
  if (events < 0) return failed(op, errno, ready);
  if ((events & POLLNVAL) != 0) return complete_with(op, {EBADF, std::system_category()});
  ready = events != 0;  // hung up and broken are ready, too: the attempt will tell
  return ready;
}

// What it finds may be less than there is, a line of a terminal say, so a short read tells nothing.
bool attempt_read_shared(io_operation& op) noexcept {
  descriptor& d = *op.on;
  if (!is_ready(op, POLLIN, d.readable)) return false;
  if (op.failure != error{}) return true;
  const ssize_t got = retried([&] { return ::read(d.fd.get(), op.buffer, asked_for_next(op)); });
  if (got < 0) return failed(op, errno, d.readable);
  op.transferred = static_cast<std::size_t>(got);
  return true;
}

bool attempt_accept(io_operation& op) noexcept {
  descriptor& d = *op.on;
  for (;;) {
    op.accepted = accept_nonblocking(d.fd.get(), op.buffer, op.length);
    if (op.accepted >= 0) return true;
    switch (errno) {
      case EINTR:         // a signal: again
      case ECONNABORTED:  // this connection was gone before it was accepted; the next one may not be
      case EPROTO:
      case ENETDOWN:  // Linux hands a pending error of the new connection to accept (accept(2))
      case ENOPROTOOPT:
      case EHOSTDOWN:
      case EHOSTUNREACH:
      case ENETUNREACH:
      case EPERM:  // a firewall rule forbids this one
        continue;
      default:
        return failed(op, errno, d.readable);
    }
  }
}

// Writable means that the attempt to connect has ended one way or the other.
bool attempt_connect(io_operation& op) noexcept {
  int code = 0;
  socklen_t size = sizeof code;
  if (::getsockopt(op.on->fd.get(), SOL_SOCKET, SO_ERROR, &code, &size) < 0) code = errno;
  if (code != 0) op.failure = {code, std::system_category()};
  return true;
}

}  // namespace

bool attempt(io_operation& op) noexcept {
  if (op.on == nullptr) return complete_with(op, errc::closed);
  switch (op.kind) {
    case io_kind::receive:
    case io_kind::read: return attempt_receive(op);
    case io_kind::receive_exactly: return attempt_receive_exactly(op);
    case io_kind::read_shared: return attempt_read_shared(op);
    case io_kind::until_readable: return is_ready(op, POLLIN, op.on->readable);
    case io_kind::send:
    case io_kind::send_all: return attempt_send(op);
    case io_kind::until_writable: return is_ready(op, POLLOUT, op.on->writable);
    case io_kind::accept: return attempt_accept(op);
    case io_kind::connect: return attempt_connect(op);
  }
  return complete_with(op, errc::closed);
}

}  // namespace cordage::detail
