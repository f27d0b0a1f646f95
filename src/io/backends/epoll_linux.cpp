#include "io/backends/epoll_linux.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include <cordage/base/exceptions.hpp>
#include <cordage/strands/executor.hpp>

namespace cordage::detail {
namespace {

constexpr std::uint32_t both_directions = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
constexpr std::uint32_t read_events = EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR;
constexpr std::uint32_t write_events = EPOLLOUT | EPOLLHUP | EPOLLERR;
constexpr std::uint32_t last_events = EPOLLRDHUP | EPOLLHUP | EPOLLERR;  // no edge for reading follows these

constexpr std::uint64_t wake_tag = ~std::uint64_t{0};

std::uint64_t tag_of(std::uint32_t index, std::uint32_t generation) noexcept {
  return std::uint64_t{generation} << 32 | index;
}

[[noreturn]] void refused(const char* what) {
  throw_exception<std::system_error>(what, errno, std::system_category(), what);
}

// Attempts what waits, in its order, and wakes whoever waited for what is complete.
void serve(intrusive_queue<io_operation>& waiting) noexcept {
  while (!waiting.empty() && attempt_if_ready(*waiting.front())) {
    io_operation& op = waiting.pop();
    op.pending = false;
    wake(*op.waiter);
  }
}

void close_all(intrusive_queue<io_operation>& waiting) noexcept {
  while (!waiting.empty()) {
    io_operation& op = waiting.pop();
    op.pending = false;
    op.failure = errc::closed;
    op.on = nullptr;
    wake(*op.waiter);
  }
}

intrusive_queue<io_operation>& queue_of(io_operation& op) noexcept {
  return waits_to_read(op.kind) ? op.on->readers : op.on->writers;
}

}  // namespace

epoll_backend::epoll_backend() : epoll_(::epoll_create1(EPOLL_CLOEXEC)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!epoll_) refused("cordage: epoll_create1");
  if (!wake_) refused("cordage: eventfd");
  epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.u64 = wake_tag}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) < 0) refused("cordage: epoll_ctl of an eventfd");
}

epoll_backend::~epoll_backend() {
  for (const slot& each : slots_) {
    if (each.tenant == nullptr) continue;
    each.tenant->registered_with = nullptr;
    each.tenant->readable = each.tenant->writable = true;
  }
}

bool epoll_backend::submit(io_operation& op) noexcept {
  descriptor& d = *op.on;
  if (d.registered_with == nullptr && !enroll(d, op.failure)) return false;
  if (attempt_if_ready(op)) return false;
  queue_of(op).push(op);
  return op.pending = true;
}

cancel_result epoll_backend::cancel(io_operation& op) noexcept {
  if (!queue_of(op).remove(op)) return cancel_result::too_late;
  op.pending = false;
  return cancel_result::withdrawn;
}

bool epoll_backend::enroll(descriptor& d, error& failure) noexcept {
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
    free_slots_.reserve(slots_.size());  // so that forget, which cannot fail, need not allocate
  }
  d.index = free_slots_.back();
  slot& home = slots_[d.index];
  // Adding reports at once what is ready by now, so nothing is lost between the last attempt and this.
  epoll_event event{.events = both_directions, .data = {.u64 = tag_of(d.index, home.generation)}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, d.fd.get(), &event) < 0) {
    // ENOSPC: fs.epoll.max_user_watches. ENOMEM. EPERM: a regular file, which is always ready and has no events.
    failure = {errno, std::system_category()};
    return false;
  }
  free_slots_.pop_back();
  home.tenant = &d;
  d.registered_with = this;
  return true;
}

void epoll_backend::forget(descriptor& d) noexcept {
  close_all(d.readers);
  close_all(d.writers);
  // Closing alone would leave the registration alive where a forked child still holds the descriptor. The event is
  // ignored, but kernels before 2.6.9 want one.
  epoll_event ignored{};
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, d.fd.get(), &ignored);
  slot& home = slots_[d.index];
  home.tenant = nullptr;
  ++home.generation;
  free_slots_.push_back(d.index);
  d.registered_with = nullptr;
}

void epoll_backend::poll(time_point deadline) noexcept {
  epoll_event events[256];
  const int count = wait(events, 256, deadline);
  for (int i = 0; i < count; ++i) {
    const std::uint64_t tag = events[i].data.u64;
    if (tag == wake_tag) continue;
    const slot& home = slots_[static_cast<std::uint32_t>(tag)];
    if (home.tenant != nullptr && home.generation == tag >> 32) dispatch(*home.tenant, events[i].events);
  }
}

void epoll_backend::dispatch(descriptor& d, std::uint32_t events) noexcept {
  if (events & last_events) d.ended = true;
  if (events & read_events) {
    d.readable = true;
    serve(d.readers);
  }
  if (events & write_events) {
    d.writable = true;
    serve(d.writers);
  }
}

// The number of events; none after a signal or when the time is up.
int epoll_backend::wait(void* into, int capacity, time_point deadline) noexcept {
  auto* const events = static_cast<epoll_event*>(into);
  if (deadline == time_point::max()) return ::epoll_wait(epoll_.get(), events, capacity, -1);
  if (deadline == time_point::min()) return ::epoll_wait(epoll_.get(), events, capacity, 0);
  const auto left = deadline - std::chrono::steady_clock::now();
  const std::int64_t nanoseconds = left.count() > 0 ? left.count() : 0;
  const timespec timeout{static_cast<time_t>(nanoseconds / 1'000'000'000), nanoseconds % 1'000'000'000};
  const int count = ::epoll_pwait2(epoll_.get(), events, capacity, &timeout, nullptr);
  if (count >= 0 || errno != ENOSYS) return count;
  // Linux before 5.11 counts in milliseconds; rounded up, or the loop would spin through the last one.
  constexpr std::int64_t longest_ms = 1'000'000'000;
  const std::int64_t ms = (nanoseconds + 999'999) / 1'000'000;
  return ::epoll_wait(epoll_.get(), events, capacity, static_cast<int>(ms < longest_ms ? ms : longest_ms));
}

bool epoll_backend::waits_for_events() const noexcept {
  return std::ranges::any_of(slots_, [](const slot& each) {
    return each.tenant != nullptr && !(each.tenant->readers.empty() && each.tenant->writers.empty());
  });
}

void epoll_backend::unpark() noexcept {
  const int saved_errno = errno;
  const std::uint64_t one = 1;
  // EAGAIN, the only failure, would mean that the counter is full: then the worker has been told often enough.
  [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
  errno = saved_errno;
}

}  // namespace cordage::detail
