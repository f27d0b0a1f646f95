// Which backend Linux gets: io_uring, which costs less the more strands wait, where the system permits it, or epoll.
#include <atomic>
#include <string>
#include <system_error>

#include <cordage/base/config.hpp>
#include <cordage/base/fatal.hpp>
#include <cordage/runtime/poller.hpp>
#include CORDAGE_VALGRIND_HEADER

#include "io/backends/epoll_linux.hpp"
#include "io/backends/io_uring_linux.hpp"

namespace cordage::detail {
namespace {

// Where io_uring is forbidden, as it often is in containers, programs run all the same.
std::unique_ptr<poller> io_uring_or_epoll(bool says_so) {
  std::error_code refusal;
  if (auto made = io_uring_backend::open(refusal)) return made;
  static constinit std::atomic<bool> said{false};
  if (says_so && !said.exchange(true, std::memory_order_relaxed))
    complain({"the system refuses io_uring (", refusal.message(), "); epoll does its work"});
  return std::make_unique<epoll_backend>();
}

// Valgrind does not see what the kernel writes for a ring, and would call it uninitialized.
std::unique_ptr<poller> the_best() {
  if (under_valgrind()) return std::make_unique<epoll_backend>();
  return io_uring_or_epoll(false);
}

}  // namespace

std::unique_ptr<poller> make_poller(backend_kind kind) {
  switch (kind) {
    case backend_kind::automatic: return the_best();
    case backend_kind::epoll: return std::make_unique<epoll_backend>();
    case backend_kind::io_uring: return io_uring_or_epoll(true);
    case backend_kind::kqueue: break;
  }
  no_such_backend(kind, "its backends are epoll and io_uring");
}

}  // namespace cordage::detail
