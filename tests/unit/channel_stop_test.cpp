// channel: stops, time limits and operations with names; no item is lost by them.
#include <cordage/channel.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/fiber.hpp>
#include <cordage/runtime.hpp>
#include <cordage/stop.hpp>
#include <cordage/task.hpp>
#include <cordage/time.hpp>

#include "both_styles.hpp"
#include "channel_ends.hpp"
#include "counted.hpp"

namespace {

using namespace cordage;
using namespace std::chrono_literals;
using namespace support;

// What a strand had at hand when it was stopped: told by a destructor.
template <class T>
struct tells_what_was_kept {
  channel<T>& items;
  std::optional<T>& into;
  typename channel<T>::send_operation sending;

  tells_what_was_kept(channel<T>& of, std::optional<T>& to, T item) : items(of), into(to), sending(of.send(std::move(item))) {}
  ~tells_what_was_kept() { into = sending.take_back(); }
};

TEST(channel, a_sender_that_is_stopped_while_it_waits_keeps_its_item) {
  for (const std::size_t capacity : {0, 1}) {
    for (const auto in : each_style) {
      counted::alive = 0;
      run([&]() -> task<> {
        channel<std::unique_ptr<counted>> items(capacity);
        if (capacity != 0) {
          EXPECT_EQ(items.try_send(nullptr), true);
        }
        std::optional<std::unique_ptr<counted>> back;
        auto in_task = [&]() -> task<> {
          tells_what_was_kept<std::unique_ptr<counted>> kept(items, back, std::make_unique<counted>(4));
          (void)co_await kept.sending;
        };
        auto on_fiber = [&] {
          tells_what_was_kept<std::unique_ptr<counted>> kept(items, back, std::make_unique<counted>(4));
          (void)await(kept.sending);
        };
        auto sender = in == style::task ? spawn(in_task) : spawn(on_fiber);
        auto forgets = spawn_send(in, items, std::make_unique<counted>(5));
        co_await turns(2);
        EXPECT_EQ(counted::alive, 2);
        sender.request_stop();
        forgets.request_stop();
        EXPECT_EQ((co_await sender).error(), errc::stopped);
        EXPECT_EQ((co_await forgets).error(), errc::stopped);
        EXPECT_EQ((*back)->value, 4);
        EXPECT_EQ(counted::alive, 1) << "the other item went with its operation";
        EXPECT_EQ(items.size(), capacity);
        if (capacity != 0) {
          EXPECT_TRUE(items.try_receive().has_value());
        }
        EXPECT_EQ(items.try_receive().value(), std::nullopt);
      }());
      EXPECT_EQ(counted::alive, 0);
    }
  }
}

TEST(channel, a_receiver_that_is_stopped_while_it_waits_leaves_the_item_to_the_next) {
  for (const std::size_t capacity : {0, 1}) {
    each_mix([capacity](style first, style second) {
      run([&]() -> task<> {
        channel<int> items(capacity);
        auto stops = spawn_receive(first, items);
        auto next = spawn_receive(second, items);
        co_await turns(2);
        stops.request_stop();
        EXPECT_EQ((co_await stops).error(), errc::stopped);
        EXPECT_EQ(items.try_send(9), true);
        EXPECT_EQ(co_await next, 9);
        EXPECT_EQ(items.size(), 0U);
      }());
    });
  }
}

TEST(channel, delivers_what_was_handed_to_a_receiver_just_before_its_stop) {
  for (const std::size_t capacity : {0, 1}) {
    for (const auto in : each_style) {
      channel<int> items(capacity);
      std::string order;
      auto hands_over_and_stops = [&](auto& handle) -> task<> {
        EXPECT_EQ(items.try_send(6), true);
        handle.request_stop();
        co_return;
      };
      const auto ended = wait_and_act(in, order, [&] { return items.receive(); }, hands_over_and_stops);
      EXPECT_EQ(ended.error(), errc::stopped);
      EXPECT_EQ(order, "6+") << "delivered, and the next wait stops";
      auto stops_and_hands_over = [&](auto& handle) -> task<> {
        handle.request_stop();
        EXPECT_EQ(items.try_send(7), true);
        co_return;
      };
      (void)wait_and_act(in, order, [&] { return items.receive(); }, stops_and_hands_over);
      EXPECT_EQ(order, "7+") << "a walk that arrives later finds it completed";
      EXPECT_EQ(items.size(), 0U);
    }
  }
}

TEST(channel, tells_a_sender_whose_item_was_taken_just_before_its_stop) {
  for (const std::size_t capacity : {0, 1}) {
    for (const auto in : each_style) {
      channel<int> items(capacity);
      if (capacity != 0) {
        EXPECT_EQ(items.try_send(0), true);
      }
      std::string order;
      auto takes_and_stops = [&](auto& handle) -> task<> {
        EXPECT_TRUE(items.try_receive().value().has_value());
        handle.request_stop();
        co_return;
      };
      const auto ended = wait_and_act(in, order, [&] { return items.send(6); }, takes_and_stops);
      EXPECT_EQ(ended.error(), errc::stopped);
      EXPECT_EQ(order, "v+");
      EXPECT_EQ(items.size(), capacity);
    }
  }
}

TEST(channel, a_strand_that_was_stopped_before_neither_sends_nor_receives) {
  for (const auto in : each_style) {
    counted::alive = 0;
    run([&]() -> task<> {
      channel<counted> items(2);
      EXPECT_TRUE((co_await items.send(1)).has_value());
      auto receiver = spawn_receive(in, items);
      auto sender = spawn_send(in, items, counted(2));
      receiver.request_stop();
      sender.request_stop();
      EXPECT_EQ((co_await receiver).error(), errc::stopped);
      EXPECT_EQ((co_await sender).error(), errc::stopped);
      EXPECT_EQ(items.size(), 1U);
      EXPECT_EQ(counted::alive, 1);
    }());
    EXPECT_EQ(counted::alive, 0);
  }
}

TEST(channel, a_time_limit_withdraws_the_wait_and_loses_nothing) {
  for (const auto in : each_style) {
    channel<std::string> items(1);
    EXPECT_EQ(await_in(in, [&] { return with_timeout(1ms, items.receive()); }).error(), errc::timed_out);
    EXPECT_EQ(items.try_send("there"), true);
    auto sending = items.send("later");
    EXPECT_EQ(await_in(in, [&] { return with_timeout(1ms, sending); }).error(), errc::timed_out);
    EXPECT_EQ(await_in(in, [&] { return with_timeout(0ms, items.receive()); }), "there") << "what is ready is given";
    EXPECT_TRUE(await_in(in, [&] { return with_timeout(1h, sending); })) << "a send that was withdrawn begins again";
    EXPECT_EQ(await_in(in, [&] { return items.receive(); }), "later");
  }
}

TEST(channel, an_operation_with_a_name_receives_again_and_again) {
  for (const auto in : each_style) {
    run([&]() -> task<> {
      channel<int> items(1);
      std::vector<int> got;
      auto in_task = [&]() -> task<> {
        auto next = items.receive();
        for (;;) {
          const result<int> item = co_await next;
          if (!item) break;
          got.push_back(*item);
        }
      };
      auto on_fiber = [&] {
        auto next = items.receive();
        while (const result<int> item = await(next)) got.push_back(*item);
      };
      auto receiver = in == style::task ? spawn(in_task) : spawn(on_fiber);
      for (int i = 0; i < 5; ++i) EXPECT_TRUE((co_await items.send(i)).has_value());
      co_await turns(4);
      EXPECT_EQ(got, numbers(0, 5));
      receiver.request_stop();  // in a wait that is not the operation's first
      EXPECT_EQ((co_await receiver).error(), errc::stopped);
    }());
  }
}

}  // namespace
