#include "io/backends/epoll_linux.hpp"

#include <sys/epoll.h>

#include <cerrno>

#include "io/backends/time_left.hpp"

namespace cordage::detail {
namespace {

constexpr std::uint32_t both_directions = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
constexpr std::uint32_t read_events = EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR;
constexpr std::uint32_t write_events = EPOLLOUT | EPOLLHUP | EPOLLERR;
constexpr std::uint32_t last_events = EPOLLRDHUP | EPOLLHUP | EPOLLERR;  // no edge for reading follows these

constexpr std::uint64_t wake_tag = ~std::uint64_t{0};

}  // namespace

epoll_backend::epoll_backend() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (!epoll_) refused("cordage: epoll_create1");
  if (!wakes_) refused("cordage: eventfd");
  epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.u64 = wake_tag}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wakes_.fd(), &event) < 0) refused("cordage: epoll_ctl of an eventfd");
}

error epoll_backend::enroll(descriptor& d, std::uint64_t tag) noexcept {
  epoll_event event{.events = both_directions, .data = {.u64 = tag}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, d.fd.get(), &event) == 0) return {};
  // ENOSPC: fs.epoll.max_user_watches. ENOMEM. EPERM: a regular file, which is always ready and has no events.
  return {errno, std::system_category()};
}

void epoll_backend::dismiss(descriptor& d) noexcept {
  // Closing alone would leave the registration alive where a forked child still holds the descriptor. The event is
  // ignored, but kernels before 2.6.9 want one.
  epoll_event ignored{};
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, d.fd.get(), &ignored);
}

void epoll_backend::poll(time_point deadline) noexcept {
  epoll_event events[256];
  const int count = wait(events, 256, deadline);
  for (int i = 0; i < count; ++i) {
    const std::uint64_t tag = events[i].data.u64;
    if (tag == wake_tag) continue;
    if (descriptor* const d = tenant_of(tag)) dispatch(*d, events[i].events);
  }
}

void epoll_backend::dispatch(descriptor& d, std::uint32_t events) noexcept {
  if (events & last_events) d.ended = true;
  if (events & read_events) now_readable(d);
  if (events & write_events) now_writable(d);
}

// The number of events; none after a signal or when the time is up.
int epoll_backend::wait(void* into, int capacity, time_point deadline) noexcept {
  auto* const events = static_cast<epoll_event*>(into);
  if (deadline == time_point::max()) return ::epoll_wait(epoll_.get(), events, capacity, -1);
  if (deadline == time_point::min()) return ::epoll_wait(epoll_.get(), events, capacity, 0);
  const timespec left = time_left(deadline);
  const int count = ::epoll_pwait2(epoll_.get(), events, capacity, &left, nullptr);
  if (count >= 0 || errno != ENOSYS) return count;
  // Linux before 5.11 counts in milliseconds; rounded up, or the loop would spin through the last one.
  return ::epoll_wait(epoll_.get(), events, capacity, static_cast<int>(left.tv_sec * 1000 + (left.tv_nsec + 999'999) / 1'000'000));
}

}  // namespace cordage::detail
