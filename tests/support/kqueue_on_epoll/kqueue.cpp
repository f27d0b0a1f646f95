#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/event.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <mutex>
#include <unordered_map>

namespace {

// What was opened, and where a standard stream is closed would take its place.
int above_standard(int fd) noexcept {
  if (fd < 0) return fd;
  const int moved = ::fcntl(fd, F_DUPFD_CLOEXEC, 3);
  ::close(fd);
  return moved;
}

// The descriptors of one direction, edge-triggered, with the data that their events carry.
struct filter {
  explicit filter(std::int16_t which) : number(which) {}
  filter(const filter&) = delete;
  filter& operator=(const filter&) = delete;
  ~filter() { ::close(epoll); }

  std::int16_t number;
  int epoll = above_standard(::epoll_create1(0));
  std::unordered_map<int, void*> data;
};

// The kqueue itself is an epoll of these three.
struct parts {
  parts() = default;
  parts(const parts&) = delete;
  parts& operator=(const parts&) = delete;
  ~parts() { ::close(user); }

  filter reads{EVFILT_READ};
  filter writes{EVFILT_WRITE};
  int user = above_standard(::eventfd(0, EFD_NONBLOCK));
};

// By the kqueue's number. Plain memory, since a signal handler reads it.
std::array<std::unique_ptr<parts>, 1024> queues;

bool is_pipe_without_other_end(int fd) noexcept {
  struct stat about;
  pollfd asked{fd, 0, 0};
  return ::fstat(fd, &about) == 0 && S_ISFIFO(about.st_mode) && ::poll(&asked, 1, 0) > 0;
}

// 0, or the error.
int change_filter(filter& in, const struct kevent& change) {
  const int fd = static_cast<int>(change.ident);
  if ((change.flags & EV_DELETE) != 0) {
    in.data.erase(fd);
    return ::epoll_ctl(in.epoll, EPOLL_CTL_DEL, fd, nullptr) == 0 ? 0 : errno;
  }
  if ((change.flags & EV_CLEAR) == 0) return EINVAL;
  if (in.number == EVFILT_WRITE && is_pipe_without_other_end(fd)) return EPIPE;
  const std::uint32_t direction = in.number == EVFILT_READ ? EPOLLIN | EPOLLRDHUP : EPOLLOUT;
  epoll_event event{.events = direction | EPOLLET, .data = {.fd = fd}};
  if (::epoll_ctl(in.epoll, EPOLL_CTL_ADD, fd, &event) < 0 &&
      (errno != EEXIST || ::epoll_ctl(in.epoll, EPOLL_CTL_MOD, fd, &event) < 0))
    return errno;
  in.data[fd] = change.udata;
  return 0;
}

int change_one(parts& of, const struct kevent& change) {
  switch (change.filter) {
    case EVFILT_READ: return change_filter(of.reads, change);
    case EVFILT_WRITE: return change_filter(of.writes, change);
    default: break;
  }
  if ((change.fflags & NOTE_TRIGGER) == 0) return 0;
  const std::uint64_t one = 1;
  return ::write(of.user, &one, sizeof one) == sizeof one ? 0 : errno;
}

// The number of events, at most so many.
int take_from(filter& of, struct kevent* into, int room) {
  epoll_event found[64];
  const int count = ::epoll_wait(of.epoll, found, room < 64 ? room : 64, 0);
  constexpr std::uint32_t ends_reading = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
  constexpr std::uint32_t ends_writing = EPOLLHUP | EPOLLERR;
  const std::uint32_t ends = of.number == EVFILT_READ ? ends_reading : ends_writing;
  for (int i = 0; i < count; ++i) {
    const int fd = found[i].data.fd;
    const bool ended = (found[i].events & ends) != 0;
    EV_SET(&into[i], static_cast<std::uintptr_t>(fd), of.number, ended ? EV_CLEAR | EV_EOF : EV_CLEAR, 0, 0, of.data[fd]);
  }
  return count < 0 ? 0 : count;
}

int wait(int queue, parts& of, struct kevent* events, int room, const timespec* timeout) {
  if (timeout != nullptr && timeout->tv_sec > 100'000'000) return errno = EINVAL, -1;
  pollfd any{queue, POLLIN, 0};
  if (::ppoll(&any, 1, timeout, nullptr) < 0) return -1;
  int taken = take_from(of.reads, events, room);
  taken += take_from(of.writes, events + taken, room - taken);
  std::uint64_t triggers = 0;
  if (taken < room && ::read(of.user, &triggers, sizeof triggers) == sizeof triggers)
    EV_SET(&events[taken++], 0, EVFILT_USER, EV_CLEAR, 0, 0, nullptr);
  return taken;
}

}  // namespace

int kqueue() noexcept {
  static std::mutex one_at_a_time;
  const std::lock_guard lock(one_at_a_time);
  for (std::size_t i = 0; i < queues.size(); ++i) {
    if (queues[i] != nullptr && ::fcntl(static_cast<int>(i), F_GETFD) < 0) queues[i] = nullptr;
  }
  const int made = above_standard(::epoll_create1(0));
  if (made < 0) return -1;
  auto& of = queues.at(static_cast<std::size_t>(made));
  of = std::make_unique<parts>();
  for (const int part : {of->reads.epoll, of->writes.epoll, of->user}) {
    epoll_event event{.events = EPOLLIN, .data = {}};
    if (::epoll_ctl(made, EPOLL_CTL_ADD, part, &event) < 0) return -1;
  }
  return made;
}

int kevent(int queue, const struct kevent* changes, int change_count, struct kevent* events, int event_count,
           const timespec* timeout) noexcept {
  parts& of = *queues.at(static_cast<std::size_t>(queue));
  int receipts = 0;
  for (int i = 0; i < change_count; ++i) {
    const struct kevent change = changes[i];  // `events` may be the same memory
    const int failure = change_one(of, change);
    if ((change.flags & EV_RECEIPT) != 0 && receipts < event_count) {
      events[receipts] = change;
      events[receipts].flags = EV_ERROR;
      events[receipts++].data = failure;
    } else if (failure != 0) {
      errno = failure;
      return -1;
    }
  }
  if (receipts != 0 || event_count == 0) return receipts;
  return wait(queue, of, events, event_count, timeout);
}
