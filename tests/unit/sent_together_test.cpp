// Backends may keep back what is sent, to send it together with what others send; nobody waits long for that.
#include <cordage/tcp.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/fiber.hpp>
#include <cordage/runtime.hpp>

namespace {

using namespace cordage;

struct pair {
  tcp::stream a, b;
};
pair connected() {
  auto listener = std::move(*tcp::listener::bind(*endpoint::parse("127.0.0.1:0")));
  auto connecting = spawn([&] { return await(!tcp::connect(listener.local())); });
  auto accepted = await(!listener.accept());
  auto joined = await(connecting);
  return {std::move(*joined), std::move(accepted)};
}

// Who is busy keeps nobody from sending: not even those who send together because they were told of together.
TEST(sent_together, what_many_answer_at_once_is_sent_before_others_have_had_many_turns) {
  run(fiber{[] {
    constexpr std::size_t many = 16;
    std::vector<pair> all;
    for (std::size_t i = 0; i < many; ++i) all.push_back(connected());
    int turns = 0;
    int longest = 0;
    std::size_t answered = 0;
    for (pair& each : all) {
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
    for (pair& each : all) await(!each.a.write_all(question));
    while (answered < many) {
      ++turns;
      await(yield_now());
    }
    EXPECT_LE(longest, 4);
  }});
}

}  // namespace
