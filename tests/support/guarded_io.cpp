#include "guarded_io.hpp"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <thread>

namespace support {
namespace {

using clock = std::chrono::steady_clock;

[[noreturn]] void fail_at_guard(const std::string& what) {
  throw std::runtime_error(what + ": did not happen within " + std::to_string(guard.count()) + " s");
}

bool poll_for(int fd, short events, std::chrono::milliseconds timeout) {
  pollfd asked{.fd = fd, .events = events, .revents = 0};
  const int count = ::poll(&asked, 1, static_cast<int>(timeout.count()));
  if (count < 0 && errno != EINTR) fail_with_errno("poll");
  return count > 0;
}

}  // namespace

void fail_with_errno(const std::string& what) {
  throw std::system_error(errno, std::system_category(), what);
}

bool is_ready(int fd, short events) { return poll_for(fd, events, {}); }

void wait_until_ready(int fd, short events, const std::string& what) {
  if (!poll_for(fd, events, guard)) fail_at_guard(what);
}

std::size_t read_some(int fd, std::span<char> into) {
  for (;;) {
    wait_until_ready(fd, POLLIN, "something to read");
    const ssize_t got = ::read(fd, into.data(), into.size());
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EAGAIN && errno != EINTR) fail_with_errno("read");
  }
}

void write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {
      wait_until_ready(fd, POLLOUT, "room to write");
    } else if (errno != EINTR) {
      fail_with_errno("write");
    }
  }
}

std::string read_until_end(int fd) {
  std::string all;
  char buffer[65536];
  while (const std::size_t got = read_some(fd, buffer)) all.append(buffer, got);
  return all;
}

void eventually(const std::string& what, const std::function<bool()>& holds) {
  const auto end = clock::now() + guard;
  while (!holds()) {
    if (clock::now() > end) fail_at_guard(what);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

}  // namespace support
