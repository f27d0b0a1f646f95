// Backends may keep back what is to be asked of the system, to ask it together with what others ask; nobody waits long for that.
#include <cordage/tcp.hpp>

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/fiber.hpp>
#include <cordage/runtime.hpp>
#include <cordage/time.hpp>
#include <cordage/virtual_clock.hpp>

#include "connected.hpp"
#include "system_calls.hpp"

namespace {

using namespace cordage;
using namespace std::chrono_literals;
using support::connected;
using support::connection;

// Who is busy keeps nobody from sending: not even those who send together because they were told of together.
TEST(sent_together, what_many_answer_at_once_is_sent_before_others_have_had_many_turns) {
  run(fiber{[] {
    constexpr std::size_t many = 16;
    std::vector<connection> all;
    for (std::size_t i = 0; i < many; ++i) all.push_back(connected());
    int turns = 0;
    int longest = 0;
    std::size_t answered = 0;
    for (connection& each : all) {
      spawn([&] {
        std::array<std::byte, 1> byte;
        await(!each.b.read_exactly(byte));
        const int began = turns;
        await(!each.b.write_all(byte));
        longest = std::max(longest, turns - began);
        ++answered;
      });
    }
    await(yield_now());
    const std::array<std::byte, 1> question{};
    for (connection& each : all) await(!each.a.write_all(question));
    while (answered < many) {
      ++turns;
      await(yield_now());
    }
    EXPECT_LE(longest, 4);
  }});
}

tcp::stream stream_on(support::owned_fd& end) {
  EXPECT_EQ(::fcntl(end.get(), F_SETFL, O_NONBLOCK), 0);
  return tcp::stream(std::make_unique<detail::descriptor>(detail::file_descriptor(end.release())));
}

// Half of what is read has come before the reader has its turn, and the other half is there as well: not over TCP, whose
// packets may be under way while nobody runs.
TEST(sent_together, virtual_time_does_not_pass_while_something_is_kept_back) {
  virtual_clock clock;
  runtime rt({.clock = &clock});
  rt.run(fiber{[&] {
    auto ends = support::open_socket_pair();
    tcp::stream a = stream_on(ends.far);
    tcp::stream b = stream_on(ends.near);
    auto reader = spawn([&] {
      std::array<std::byte, 20> both;
      return await(with_timeout(1s, b.read_exactly(both))).has_value();
    });
    await(sleep_for(1ms));  // it waits in the kernel
    const std::array<std::byte, 10> half{};
    await(!a.write_all(half));
    await(!a.write_all(half));
    const auto before = now();
    EXPECT_TRUE(await(reader).value());
    EXPECT_EQ(now(), before);
  }});
}

}  // namespace
