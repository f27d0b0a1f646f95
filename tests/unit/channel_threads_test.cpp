// channel: many threads, crowds, and the end of it.
#include <cordage/channel.hpp>

#include <array>
#include <atomic>
#include <memory>
#include <string_view>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/fiber.hpp>
#include <cordage/runtime.hpp>
#include <cordage/task.hpp>

#include "both_styles.hpp"
#include "channel_ends.hpp"
#include "many_at_a_channel.hpp"
#include "slowly.hpp"

namespace {

using namespace cordage;
using namespace support;

TEST(channel, may_be_destroyed_by_whoever_received_the_last_item) {
  for (int round = 0; round < 200; ++round) {
    auto shared = std::make_unique<channel<int>>();
    std::thread sender([&items = *shared] { while (!items.try_send(1).value()) std::this_thread::yield(); });
    run([&]() -> task<> {
      EXPECT_EQ(co_await shared->receive(), 1);
      sender.join();
      shared.reset();
    }());
  }
}

// Two runtimes, and threads without one, at both ends.
void many_threads(std::size_t capacity) {
  constexpr int each = support::slowly ? 500 : 5'000;
  constexpr int producers = 6;
  channel<int> items(capacity);
  std::vector<std::atomic<int>> received(static_cast<std::size_t>(producers * each));
  std::atomic<int> count{0};
  const auto take = [&](int item) {
    ++received[static_cast<std::size_t>(item)];
    if (++count == producers * each) items.close();
  };
  std::vector<std::thread> threads;
  for (int r = 0; r < 2; ++r)
    threads.emplace_back([&, r] {
      runtime rt;
      std::array<int, 2> sent{};
      auto receives = [&]() -> task<> {
        for (;;) {
          const result<int> next = co_await items.receive();
          if (!next) break;
          take(*next);
        }
      };
      auto receives_on_fiber = [&] {
        while (const result<int> next = await(items.receive())) take(*next);
      };
      auto all = [&]() -> task<> {
        for (int s = 0; s < 2; ++s) {
          const int first = (2 * r + s) * each;
          spawn_sender(each_style[s], items, first, each, sent[static_cast<std::size_t>(s)]);
        }
        spawn(receives);
        spawn(receives_on_fiber);
        co_return;
      };
      rt.run(all());
      EXPECT_EQ(sent[0] + sent[1], 2 * each);
    });
  for (int t = 4; t < producers; ++t)
    threads.emplace_back([&, t] {
      for (int i = t * each; i < (t + 1) * each; ++i) {
        while (!items.try_send(i).value()) std::this_thread::yield();
      }
    });
  threads.emplace_back([&] {
    for (;;) {
      const auto got = items.try_receive();
      if (!got) break;
      if (*got) take(**got);
      std::this_thread::yield();
    }
  });
  for (auto& thread : threads) thread.join();
  for (auto& times : received) EXPECT_EQ(times, 1);
}

TEST(channel, between_many_threads_gives_every_item_once) { many_threads(4); }
TEST(channel, without_capacity_between_many_threads_gives_every_item_once) { many_threads(0); }

TEST(channel, tells_a_hundred_thousand_waiters_that_it_is_closed) {
  for (const auto in : each_style) wait_and_close(in, config::sanitized || in == style::fiber ? 5'000 : 100'000);
}

TEST(channel_death, an_item_is_not_sent_twice) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto twice = [] {
    channel<int> items(2);
    auto sends = [&]() -> task<> {
      auto sending = items.send(1);
      co_await !sending;
      co_await !sending;
    };
    run(sends());
  };
  EXPECT_DEATH(twice(), "a send was awaited again whose item had been sent or taken back");
}

TEST(channel_death, must_not_be_destroyed_while_somebody_waits) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto destroy_under = [](style in, bool sends, std::string_view name) {
    run([&]() -> task<> {
      auto shared = std::make_unique<channel<int>>();
      channel<int>& items = *shared;
      auto in_task = [&]() -> task<> {
        if (sends) {
          (void)co_await items.send(1);
        } else {
          (void)co_await items.receive();
        }
      };
      auto on_fiber = [&] {
        if (sends) {
          (void)await(items.send(1));
        } else {
          (void)await(items.receive());
        }
      };
      const spawn_options options{.name = name};
      auto waits = in == style::task ? spawn(options, in_task) : spawn(options, on_fiber);
      co_await turns(2);
      shared.reset();
    }());
  };
  EXPECT_DEATH(destroy_under(style::task, true, "producer"),
               "a channel was destroyed while task \"producer\" waits for it; who shares it has to keep it alive");
  EXPECT_DEATH(destroy_under(style::fiber, false, "consumer"),
               "a channel was destroyed while fiber \"consumer\" waits for it; who shares it has to keep it alive");
  EXPECT_DEATH(destroy_under(style::task, false, ""), "a channel was destroyed while a task waits for it");
}

}  // namespace
