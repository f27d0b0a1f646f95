// An io_uring: two queues in memory that the kernel shares, and the system call that hands them over. What the entries mean
// is the business of whoever makes them.
//
// It owns the queues; the memory that entries name is its user's until their completion. One thread at a time. What a thread
// has handed over completes when that thread enters the kernel; when it has ended the completion is ECANCELED.
//
// Source: io_uring_setup(2), io_uring_enter(2), io_uring(7).
#pragma once

#include <linux/io_uring.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <system_error>

#include <cordage/base/file_descriptor.hpp>

namespace cordage::detail {

// Memory that the kernel shares.
class shared_mapping {
 public:
  shared_mapping() noexcept = default;
  shared_mapping(const shared_mapping&) = delete;
  shared_mapping& operator=(const shared_mapping&) = delete;
  ~shared_mapping();

  // False with errno.
  bool map(int fd, std::size_t size, std::uint64_t offset) noexcept;
  template <class T>
  T* at(std::size_t offset) const noexcept {
    return reinterpret_cast<T*>(static_cast<std::byte*>(begin_) + offset);
  }

 private:
  void* begin_ = nullptr;
  std::size_t size_ = 0;
};

class ring {
 public:
  // What it takes, or the system's reason to refuse: EPERM where it is forbidden, as containers do, ENOSYS, ENOMEM, EINVAL
  // of Linux before 5.19.
  std::error_code open() noexcept;

  // An entry to be filled in, all zeros, which is handed over with the next enter; when there is no room for one more, all
  // are handed over first.
  io_uring_sqe& next_entry() noexcept;

  // Whether there are some that the kernel does not have, which may be so even after an enter: it had no memory for them.
  bool has_entries() const noexcept { return entries_left() != entries_mask_ + 1; }

  // Whether entering gains anything where one does not wait: something is to be handed over, or to be completed.
  bool has_business() const noexcept;

  // Hands over all entries, and waits until so many completions are there, until the time is up, or a signal arrives.
  void enter(unsigned completions, const __kernel_timespec* at_most = nullptr) noexcept;

  // How many are there. Acquire, as in reap.
  std::uint32_t completions() const noexcept {
    return std::atomic_ref(*completions_end_).load(std::memory_order_acquire) - *completions_begin_;
  }

  // Calls f with each completion that is there, which may ask for entries.
  template <class F>
  void reap(F&& f) {
    for (;;) {
      const std::uint32_t next = *completions_begin_;
      // Acquire: partner of the kernel's release when it has written the completion.
      if (next == std::atomic_ref(*completions_end_).load(std::memory_order_acquire)) return;
      const io_uring_cqe taken = completions_[next & completions_mask_];
      // Release: partner of the kernel's acquire before it writes the next one in this place.
      std::atomic_ref(*completions_begin_).store(next + 1, std::memory_order_release);
      f(taken);
    }
  }

 private:
  std::uint32_t entries_left() const noexcept;

  file_descriptor fd_;
  shared_mapping queues_;
  shared_mapping entries_memory_;

  io_uring_sqe* entries_ = nullptr;
  std::uint32_t entries_mask_ = 0;
  std::uint32_t next_ = 0;  // the end of the submission queue, before it is published
  std::uint32_t* entries_begin_ = nullptr;
  std::uint32_t* entries_end_ = nullptr;
  std::uint32_t* flags_ = nullptr;

  const io_uring_cqe* completions_ = nullptr;
  std::uint32_t completions_mask_ = 0;
  std::uint32_t* completions_begin_ = nullptr;
  std::uint32_t* completions_end_ = nullptr;
};

}  // namespace cordage::detail
