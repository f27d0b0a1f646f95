#include "io/backends/ring_linux.hpp"

#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include <cordage/base/fatal.hpp>

namespace cordage::detail {
namespace {

// Newer than the headers of systems that are in use.
constexpr unsigned submit_all = 1U << 7;         // IORING_SETUP_SUBMIT_ALL: one bad entry does not hold up the others
constexpr unsigned coop_taskrun = 1U << 8;       // IORING_SETUP_COOP_TASKRUN: no interrupts, completions wait for a system call
constexpr unsigned taskrun_flag = 1U << 9;       // IORING_SETUP_TASKRUN_FLAG: says when some do
constexpr std::uint32_t taskrun_is_due = 1U << 2;  // IORING_SQ_TASKRUN

// No more entries than that are kept back before the kernel gets them. 16 in one system call cost per request what 256 do
// (docs/decisions/0008-io-uring.md).
constexpr unsigned places = 16;
constexpr unsigned places_for_answers = 1024;  // what does not fit the kernel keeps until there is room

std::error_code last_error() noexcept { return {errno, std::system_category()}; }

}  // namespace

shared_mapping::~shared_mapping() {
  if (begin_ != nullptr) ::munmap(begin_, size_);
}

bool shared_mapping::map(int fd, std::size_t size, std::uint64_t offset) noexcept {
  void* const mapped = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, static_cast<off_t>(offset));
  if (mapped == MAP_FAILED) return false;
  ::madvise(mapped, size, MADV_DONTFORK);  // a child that used it would write into its parent's
  begin_ = mapped;
  size_ = size;
  return true;
}

// Every kernel that knows coop_taskrun maps both queues at once and keeps completions that have no room.
std::error_code ring::open() noexcept {
  io_uring_params made{};
  made.flags = submit_all | coop_taskrun | taskrun_flag | IORING_SETUP_CQSIZE;
  made.cq_entries = places_for_answers;
  fd_ = file_descriptor(static_cast<int>(::syscall(__NR_io_uring_setup, places, &made)));
  if (!fd_) return last_error();
  const std::size_t order = made.sq_off.array + made.sq_entries * sizeof(std::uint32_t);
  const std::size_t answers = made.cq_off.cqes + made.cq_entries * sizeof(io_uring_cqe);
  if (!queues_.map(fd_.get(), order > answers ? order : answers, IORING_OFF_SQ_RING)) return last_error();
  if (!entries_memory_.map(fd_.get(), made.sq_entries * sizeof(io_uring_sqe), IORING_OFF_SQES)) return last_error();

  entries_ = entries_memory_.at<io_uring_sqe>(0);
  entries_mask_ = made.sq_entries - 1;
  entries_begin_ = queues_.at<std::uint32_t>(made.sq_off.head);
  entries_end_ = queues_.at<std::uint32_t>(made.sq_off.tail);
  flags_ = queues_.at<std::uint32_t>(made.sq_off.flags);
  // Entries go over in the order of their places.
  for (std::uint32_t i = 0; i < made.sq_entries; ++i) queues_.at<std::uint32_t>(made.sq_off.array)[i] = i;

  completions_ = queues_.at<io_uring_cqe>(made.cq_off.cqes);
  completions_mask_ = made.cq_entries - 1;
  completions_begin_ = queues_.at<std::uint32_t>(made.cq_off.head);
  completions_end_ = queues_.at<std::uint32_t>(made.cq_off.tail);
  return {};
}

std::uint32_t ring::entries_left() const noexcept {
  // Acquire: partner of the kernel's release when it has read the entries.
  return entries_mask_ + 1 - (next_ - std::atomic_ref(*entries_begin_).load(std::memory_order_acquire));
}

io_uring_sqe& ring::next_entry() noexcept {
  // The kernel takes none while it has no memory.
  for (; entries_left() == 0; enter(0)) {
  }
  return entries_[next_++ & entries_mask_] = {};
}

bool ring::has_business() const noexcept {
  // Relaxed: a hint. What is seen too late is seen by the next look.
  const std::uint32_t flags = std::atomic_ref(*flags_).load(std::memory_order_relaxed);
  return has_entries() || (flags & (IORING_SQ_CQ_OVERFLOW | taskrun_is_due)) != 0;
}

void ring::enter(unsigned completions_wanted, const __kernel_timespec* at_most) noexcept {
  // Release: partner of the kernel's acquire before it reads the entries.
  std::atomic_ref(*entries_end_).store(next_, std::memory_order_release);
  const std::uint32_t handed_over = entries_mask_ + 1 - entries_left();
  io_uring_getevents_arg until{};
  until.ts = reinterpret_cast<std::uintptr_t>(at_most);
  const unsigned flags = IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG;
  if (::syscall(__NR_io_uring_enter, fd_.get(), handed_over, completions_wanted, flags, &until, sizeof until) >= 0) return;
  switch (errno) {
    case ETIME:  // the time is up
    case EINTR:  // a signal
      return;
    case EAGAIN:  // no memory for requests, now
    case EBUSY:   // too many completions that have no room
      ::sched_yield();
      return;
    default: fatal("io_uring_enter failed");
  }
}

}  // namespace cordage::detail
