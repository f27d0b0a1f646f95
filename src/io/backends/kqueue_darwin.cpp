#include "io/backends/kqueue_darwin.hpp"

#include <fcntl.h>
#include <sys/event.h>

#include <cerrno>

#include "io/backends/time_left.hpp"

namespace cordage::detail {
namespace {

constexpr std::uintptr_t wake_ident = 0;

// What the system says to a change of both filters, 0 or an errno for each.
struct answers {
  int reading;
  int writing;
};

// Asks for receipts: without them the second change is not made where the first is refused.
answers change_both(int queue, int fd, unsigned flags, std::uint64_t tag) noexcept {
  struct kevent changes[2];
  const auto action = static_cast<std::uint16_t>(flags | EV_RECEIPT);
  const auto number = static_cast<std::uintptr_t>(fd);
  void* const data = reinterpret_cast<void*>(static_cast<std::uintptr_t>(tag));
  EV_SET(&changes[0], number, EVFILT_READ, action, 0, 0, data);
  EV_SET(&changes[1], number, EVFILT_WRITE, action, 0, 0, data);
  const timespec at_once{};
  if (::kevent(queue, changes, 2, changes, 2, &at_once) < 0) return {errno, errno};
  return {static_cast<int>(changes[0].data), static_cast<int>(changes[1].data)};
}

}  // namespace

// Children that are forked do not inherit it; a program that replaces this one would.
kqueue_backend::kqueue_backend() : queue_(::kqueue()) {
  if (!queue_ || ::fcntl(queue_.get(), F_SETFD, FD_CLOEXEC) < 0) refused("cordage: kqueue");
  struct kevent wakes;
  EV_SET(&wakes, wake_ident, EVFILT_USER, EV_ADD | EV_CLEAR, 0, 0, nullptr);
  if (::kevent(queue_.get(), &wakes, 1, nullptr, 0, nullptr) < 0) refused("cordage: kevent of a user event");
}

error kqueue_backend::enroll(descriptor& d, std::uint64_t tag) noexcept {
  const answers to = change_both(queue_.get(), d.fd.get(), EV_ADD | EV_CLEAR, tag);
  if (to.reading == EPIPE || to.writing == EPIPE) {
    // A pipe whose other end is gone has no events, and needs none: nothing that is done with it waits.
    d.readable = d.writable = d.ended = true;
    return {};
  }
  // EINVAL for one: a direction that the descriptor does not have, in which the attempt fails and nobody waits. For both: a
  // device that is no terminal, or /dev/tty. Anything else, ENOMEM, is the operation's failure.
  if (to.reading == 0 && to.writing == 0) return {};
  if ((to.reading == 0 && to.writing == EINVAL) || (to.writing == 0 && to.reading == EINVAL)) return {};
  dismiss(d);
  return {to.reading != 0 ? to.reading : to.writing, std::system_category()};
}

void kqueue_backend::dismiss(descriptor& d) noexcept {
  // Closing does the same, but not before the number can be somebody else's. A filter that was refused is not there.
  change_both(queue_.get(), d.fd.get(), EV_DELETE, 0);
}

void kqueue_backend::poll(time_point deadline) noexcept {
  struct kevent events[256];
  const int count = wait(events, 256, deadline);
  for (int i = 0; i < count; ++i) {
    if (events[i].filter == EVFILT_USER) continue;
    const auto tag = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(events[i].udata));
    if (descriptor* const d = tenant_of(tag)) dispatch(*d, events[i]);
  }
}

// EV_EOF says that no more will come, or with fflags that there was an error, which the attempt finds. When writing it says
// that nobody reads any more, or that this side has shut down; of the rest the filter for reading tells itself.
void kqueue_backend::dispatch(descriptor& d, const struct kevent& event) noexcept {
  if (event.filter == EVFILT_WRITE) return now_writable(d);
  if ((event.flags & EV_EOF) != 0) d.ended = true;
  now_readable(d);
}

// The number of events; none after a signal or when the time is up.
int kqueue_backend::wait(struct kevent* events, int capacity, time_point deadline) noexcept {
  if (deadline == time_point::max()) return ::kevent(queue_.get(), nullptr, 0, events, capacity, nullptr);
  const timespec left = time_left(deadline);
  return ::kevent(queue_.get(), nullptr, 0, events, capacity, &left);
}

// kevent is a system call and nothing else, so a signal handler may call it.
void kqueue_backend::unpark() noexcept {
  const int saved_errno = errno;
  struct kevent wakes;
  EV_SET(&wakes, wake_ident, EVFILT_USER, 0, NOTE_TRIGGER, 0, nullptr);
  // An interrupted call has made its change (kqueue(2)), and there is no other failure.
  ::kevent(queue_.get(), &wakes, 1, nullptr, 0, nullptr);
  errno = saved_errno;
}

}  // namespace cordage::detail
