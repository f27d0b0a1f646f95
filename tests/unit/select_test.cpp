// select, in both styles: one alternative completes, and what loses has taken nothing away.
#include <cordage/when.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/channel.hpp>
#include <cordage/events.hpp>
#include <cordage/fiber.hpp>
#include <cordage/mutex.hpp>
#include <cordage/promise.hpp>
#include <cordage/runtime.hpp>
#include <cordage/semaphore.hpp>
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

constexpr auto for_ever = 24h;

TEST(select, gives_a_tuple_of_optionals) {
  channel<int> items;
  manual_reset_event event;
  static_assert(std::is_same_v<
                decltype(detail::value_when_awaited(select(items.receive(), items.send(1), event.wait(), sleep_for(1s)))),
                std::tuple<std::optional<result<int>>, std::optional<result<>>, std::optional<std::monostate>,
                           std::optional<std::monostate>>>);
  static_assert(std::is_same_v<decltype(detail::value_when_awaited(select(!items.receive(), gives(1)))),
                               result<std::tuple<std::optional<int>, std::optional<int>>>>);
  static_assert(std::is_same_v<decltype(detail::value_when_awaited(
                                   select(std::declval<std::vector<channel<int>::receive_operation>>()))),
                               std::vector<std::optional<result<int>>>>);
}

TEST(select, of_two_channels_that_become_ready_in_the_same_turn_takes_one_item_and_leaves_the_other) {
  for (const std::size_t capacity : {0, 1}) {
    for (const bool second_first : {false, true}) {
      for (const auto in : each_style) {
        run([&]() -> task<> {
          channel<int> one(capacity), two(capacity);
          auto waits = spawn_waiting(in, [&] { return select(one.receive(), two.receive()); });
          co_await turns(3);
          const bool first_sent = (second_first ? two : one).try_send(1).value();
          const bool second_sent = (second_first ? one : two).try_send(2).value();
          EXPECT_TRUE(first_sent);
          EXPECT_EQ(second_sent, capacity == 1) << "nobody waits there any more";
          const auto got = co_await waits;
          const auto [of_one, of_two] = *got;
          EXPECT_EQ((second_first ? of_two : of_one), std::optional(result<int>(1)));
          EXPECT_FALSE((second_first ? of_one : of_two).has_value());
          EXPECT_EQ((second_first ? two : one).size(), 0U);
          EXPECT_EQ((second_first ? one : two).size(), capacity) << "the other item is still there";
        }());
      }
    }
  }
}

TEST(select, sends_one_of_two_items_and_keeps_the_other) {
  each_mix([](style selects, style receivers) {
    counted::alive = 0;
    run([&]() -> task<> {
      channel<counted> one, two;
      auto waits = spawn_waiting(selects, [&] { return select(one.send(1), two.send(2)); });
      co_await turns(3);
      EXPECT_EQ(counted::alive, 2);
      const auto second = two.try_receive().value();
      EXPECT_EQ(second->value, 2);
      EXPECT_FALSE(one.try_receive().value().has_value());
      const auto got = co_await waits;
      EXPECT_FALSE(std::get<0>(*got));
      EXPECT_TRUE(std::get<1>(*got)->has_value());
      EXPECT_EQ(counted::alive, 1) << "the item that was not sent is gone with its operation";
      auto receiver = spawn_receive(receivers, one);
      co_await turns(2);
      EXPECT_FALSE(receiver.ready());
      EXPECT_EQ(one.try_send(counted(3)), true);
      EXPECT_EQ((co_await receiver)->value, 3);
    }());
    EXPECT_EQ(counted::alive, 0);
  });
}

TEST(select, that_has_a_ready_branch_never_begins_those_behind_it) {
  for (const auto in : each_style) {
    channel<int> ready(1), full(1), never;
    EXPECT_EQ(ready.try_send(1), true);
    EXPECT_EQ(full.try_send(2), true);
    bool begun = false;
    auto begins = [&]() -> task<> {
      begun = true;
      co_return;
    };
    const auto [waited, taken, behind, task_behind] =
        await_in(in, [&] { return select(never.receive(), ready.receive(), full.receive(), begins()); });
    EXPECT_FALSE(waited || behind || task_behind);
    EXPECT_EQ(*taken, 1);
    EXPECT_FALSE(begun);
    EXPECT_EQ(full.size(), 1U);
    EXPECT_EQ(never.try_send(1), false) << "it has left the line";
  }
}

TEST(select, over_a_channel_and_a_timer) {
  for (const auto in : each_style) {
    channel<int> items(1);
    const auto make = [&](auto limit) { return select(items.receive(), sleep_for(limit)); };
    const auto late = await_in(in, [&] { return make(1ms); });
    EXPECT_FALSE(std::get<0>(late));
    EXPECT_TRUE(std::get<1>(late));
    EXPECT_EQ(items.try_send(1), true);
    EXPECT_EQ(items.size(), 1U) << "who lost does not wait any more";
    const auto there = await_in(in, [&] { return make(for_ever); });
    EXPECT_EQ(*std::get<0>(there), 1);
    EXPECT_FALSE(std::get<1>(there));
  }
}

TEST(select, over_events_mutexes_and_semaphores_takes_only_one_of_them) {
  for (const auto in : each_style) {
    run([&]() -> task<> {
      auto_reset_event event;
      manual_reset_event never;
      mutex locked;
      semaphore permits(0);
      auto held = locked.try_lock();
      auto waits = spawn_waiting(
          in, [&] { return select(event.wait(), never.wait(), locked.lock(), permits.acquire()); });
      co_await turns(3);
      event.set();
      permits.release();
      held.unlock();
      const auto got = co_await waits;
      EXPECT_TRUE(std::get<0>(*got));
      EXPECT_FALSE(std::get<1>(*got) || std::get<2>(*got) || std::get<3>(*got));
      EXPECT_FALSE(event.is_set());
      EXPECT_EQ(permits.available(), 1U);
      EXPECT_TRUE(locked.try_lock());

      auto again = spawn_waiting(in, [&] { return select(event.wait(), permits.acquire(2)); });
      co_await turns(3);
      permits.release();
      event.set();
      EXPECT_TRUE(std::get<1>(*co_await again));
      EXPECT_TRUE(event.is_set()) << "it was not waited for";
    }());
  }
}

TEST(select, over_a_future_and_a_task_beside_a_channel) {
  for (const auto in : each_style) {
    run([&]() -> task<> {
      channel<int> items;
      promise<int> promised;
      auto answer = promised.get_future();
      counted::alive = 0;
      auto sleeps = [](counted) -> task<int> {
        co_await sleep_for(for_ever);
        co_return 0;
      };
      auto waits = spawn_waiting(in, [&] { return select(answer, items.receive(), sleeps(counted())); });
      co_await turns(3);
      promised.set_value(4);
      const auto got = co_await waits;
      EXPECT_EQ(std::get<0>(*got), std::optional(result<int>(4)));
      EXPECT_FALSE(std::get<1>(*got) || std::get<2>(*got));
      EXPECT_EQ(counted::alive, 0);
      EXPECT_EQ(items.try_send(1), false);

      auto of_task = spawn_waiting(in, [&] { return select(items.send(1), items.receive(), gives(5, 3)); });
      const auto fives = co_await of_task;
      EXPECT_EQ(std::get<2>(*fives), 5);
      EXPECT_EQ(items.try_receive().value(), std::nullopt);
    }());
  }
}

TEST(select, takes_a_close_for_a_completion) {
  for (const auto in : each_style) {
    run([&]() -> task<> {
      channel<int> one, two(1), three;
      auto waits = spawn_waiting(in, [&] { return select(one.receive(), two.receive(), three.send(1)); });
      co_await turns(3);
      two.close();
      one.close();
      three.close();
      const auto got = co_await waits;
      EXPECT_FALSE(std::get<0>(*got) || std::get<2>(*got));
      EXPECT_EQ(std::get<1>(*got)->error(), errc::closed);
      const auto at_once = co_await select(three.send(1), one.receive());
      EXPECT_EQ(std::get<0>(at_once)->error(), errc::closed);
      EXPECT_FALSE(std::get<1>(at_once));
    }());
  }
}

TEST(select, gives_the_error_of_a_checked_branch) {
  for (const auto in : each_style) {
    channel<int> items(1), closed;
    closed.close();
    EXPECT_EQ(await_in(in, [&] { return select(items.receive(), !closed.receive()); }).error(), errc::closed);
    EXPECT_EQ(items.try_send(1), true);
    const auto got = await_in(in, [&] { return select(!items.receive(), !closed.receive()); });
    EXPECT_EQ(std::get<0>(*got), 1);
    const auto as_value = await_in(in, [&] { return select(closed.receive(), !items.receive()); });
    EXPECT_EQ(std::get<0>(*as_value)->error(), errc::closed);
  }
}

TEST(select, throws_the_exception_of_a_task_and_takes_nothing) {
  for (const auto in : each_style) {
    channel<int> items(1);
    auto throws = []() -> task<int> {
      co_await yield_now();
      throw std::runtime_error("thrown");
    };
    EXPECT_THROW(await_in(in, [&] { return select(items.receive(), throws()); }), std::runtime_error);
    EXPECT_EQ(items.try_send(1), true);
    EXPECT_EQ(items.size(), 1U);
  }
}

TEST(select, over_a_range_of_receives_takes_one) {
  for (const auto in : each_style) {
    run([&]() -> task<> {
      std::vector<std::unique_ptr<channel<int>>> channels;
      for (int i = 0; i < 50; ++i) channels.push_back(std::make_unique<channel<int>>(1));
      const auto receives = [&] {
        std::vector<channel<int>::receive_operation> all;
        for (auto& each : channels) all.push_back(each->receive());
        return all;
      };
      auto waits = spawn_waiting(in, [&] { return select(receives()); });
      co_await turns(60);
      for (int i : {30, 7, 49}) EXPECT_EQ(channels[static_cast<std::size_t>(i)]->try_send(i), true);
      const auto got = co_await waits;
      EXPECT_EQ(got->size(), 50U);
      EXPECT_EQ(std::count_if(got->begin(), got->end(), [](auto& each) { return each.has_value(); }), 1);
      EXPECT_EQ(got->at(30), std::optional(result<int>(30)));
      EXPECT_EQ(channels[7]->size() + channels[49]->size(), 2U);
      const auto next = co_await select(receives());
      EXPECT_EQ(next.at(7), std::optional(result<int>(7)));
      EXPECT_EQ(channels[49]->size(), 1U);
      EXPECT_TRUE((co_await select(std::vector<channel<int>::receive_operation>())).empty());
    }());
  }
}

TEST(select, that_is_stopped_from_outside_loses_nothing) {
  for (const std::size_t capacity : {0, 1}) {
    for (const auto in : each_style) {
      channel<int> items(capacity), others(capacity);
      std::string order;
      const auto make = [&] { return select(items.receive(), others.receive(), sleep_for(for_ever)); };
      EXPECT_EQ(await_in(in, [&] { return as_result(with_timeout(1ms, make())); }).error(), errc::timed_out);
      auto in_task = [&]() -> task<> {
        const auto got = co_await make();
        order += std::get<0>(got) ? "1" : std::get<1>(got) ? std::to_string(**std::get<1>(got)) : "t";
        co_await yield_now();
        order += "!";
      };
      auto on_fiber = [&] {
        const auto got = await(make());
        order += std::get<0>(got) ? "1" : std::get<1>(got) ? std::to_string(**std::get<1>(got)) : "t";
        await(yield_now());
        order += "!";
      };
      run([&]() -> task<> {
        auto stopped = in == style::task ? spawn(in_task) : spawn(on_fiber);
        co_await turns(3);
        stopped.request_stop();
        EXPECT_EQ((co_await stopped).error(), errc::stopped);
        EXPECT_EQ(items.try_send(1), capacity == 1);
        EXPECT_EQ(items.size(), capacity);
        if (capacity == 1) {
          EXPECT_TRUE(items.try_receive().value().has_value());
        }

        auto served = in == style::task ? spawn(in_task) : spawn(on_fiber);
        co_await turns(3);
        EXPECT_EQ(others.try_send(2), true);
        served.request_stop();
        EXPECT_EQ((co_await served).error(), errc::stopped) << "at the next wait";
      }());
      EXPECT_EQ(order, "2") << "what was handed over before is delivered";
    }
  }
}

TEST(select, nests) {
  for (const auto in : each_style) {
    run([&]() -> task<> {
      channel<int> one, two, three;
      auto waits = spawn_waiting(
          in, [&] { return select(select(one.receive(), two.receive()), when_all(three.receive(), three.receive())); });
      co_await turns(3);
      EXPECT_EQ(three.try_send(1), true);
      EXPECT_EQ(two.try_send(2), true);
      EXPECT_EQ(one.try_send(3), false);
      const auto got = co_await waits;
      EXPECT_EQ(**std::get<1>(*std::get<0>(*got)), 2);
      EXPECT_FALSE(std::get<1>(*got));
    }());
  }
}

// Deeper than operations begin inside each other.
template <int Depth>
auto nested(channel<int>& items) {
  if constexpr (Depth == 0) {
    return select(items.receive());
  } else {
    return select(nested<Depth - 1>(items));
  }
}

TEST(select, nests_deeper_than_beginnings_do) {
  for (const auto in : each_style) {
    run([&]() -> task<> {
      channel<int> items;
      auto waits = spawn_waiting(in, [&] { return nested<20>(items); });
      co_await turns(5);
      EXPECT_EQ(items.try_send(1), true);
      EXPECT_TRUE((co_await waits).has_value());
      auto stopped = spawn_waiting(in, [&] { return nested<20>(items); });
      co_await turns(1);
      stopped.request_stop();
      EXPECT_EQ((co_await stopped).error(), errc::stopped);
      EXPECT_EQ(items.try_send(1), false);
    }());
  }
}

}  // namespace
