// What the tests of the contract of backends share. Descriptors are driven directly, without strands.
#pragma once

#include <fcntl.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/io/backend.hpp>
#include <cordage/strands/executor.hpp>

#include "system_calls.hpp"

namespace support {

using namespace cordage;
using namespace cordage::detail;

// Keeps what a backend wakes, in order.
class collector final : public executor {
 public:
  void schedule(resumable& node) noexcept override { woken.push_back(&node); }
  void post(resumable& node) noexcept override { schedule(node); }
  detail::clock& time() noexcept override { std::terminate(); }
  std::vector<resumable*> woken;
};

struct waiting_operation : io_operation {
  waiting_operation(collector& at, io_kind what, descriptor& where, void* bytes = nullptr, std::size_t count = 0)
      : io_operation(what, &where, static_cast<std::byte*>(bytes), count) {
    node.home = &at;
    waiter = &node;
  }
  resumable node;
};

inline file_descriptor taken(owned_fd& from) { return file_descriptor(from.release()); }

inline both_ends nonblocking_socket_pair() {
  both_ends ends = open_socket_pair();
  for (const auto* each : {&ends.near, &ends.far}) EXPECT_EQ(::fcntl(each->get(), F_SETFL, O_NONBLOCK), 0);
  return ends;
}

class backend_contract : public testing::TestWithParam<backend_kind> {
 protected:
  backend_contract() {
    both_ends ends = nonblocking_socket_pair();
    near = std::make_unique<descriptor>(taken(ends.near));
    far = taken(ends.far);
  }

  void send_from_far(std::string_view text) {
    ASSERT_EQ(::send(far.get(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  }
  // For what is complete at once with some backends and soon with others.
  void submit_and_finish(waiting_operation& op) {
    if (by.submit(op)) finish(op);
  }
  void finish(const waiting_operation& op) {
    while (op.pending) by.poll(time_point::max());
  }
  bool woke(const waiting_operation& op) const { return at.woken.size() == 1 && at.woken[0] == &op.node; }

  std::unique_ptr<poller> polls = make_poller(GetParam());
  backend& by = static_cast<backend&>(*polls);
  collector at;
  std::unique_ptr<descriptor> near;
  file_descriptor far;
  std::array<char, 64> buffer{};
};

inline constexpr std::array all_kinds{backend_kind::epoll, backend_kind::io_uring, backend_kind::kqueue};

// Those that make_poller gives; it refuses what this system does not have, and gives another for what is forbidden here.
// A thread finds out that then ends: Linux, when it gets to it, interrupts whoever opened a ring that was closed, and a
// test that counts how often its poller returns would count these.
inline std::vector<backend_kind> backends_here() {
  std::vector<backend_kind> found;
  std::thread([&found] {
    for (const auto kind : all_kinds) {
      try {
        if (make_poller(kind)->name() == cordage::detail::name_of(kind)) found.push_back(kind);
      } catch (const std::invalid_argument&) {
      }
    }
  }).join();
  return found;
}

inline std::string name_of_backend(const testing::TestParamInfo<backend_kind>& which) {
  return std::string(cordage::detail::name_of(which.param));
}

}  // namespace support
