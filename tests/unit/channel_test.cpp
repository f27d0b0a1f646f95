// channel, in both styles and every mix of them at its two ends.
#include <cordage/channel.hpp>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/async_generator.hpp>
#include <cordage/fiber.hpp>
#include <cordage/runtime.hpp>
#include <cordage/task.hpp>

#include "both_styles.hpp"
#include "channel_ends.hpp"
#include "counted.hpp"
#include "counted_allocations.hpp"

namespace {

using namespace cordage;
using namespace support;

static_assert(!std::is_copy_constructible_v<channel<int>> && !std::is_move_constructible_v<channel<int>>);
static_assert(!std::is_copy_constructible_v<channel<int>::send_operation>);
static_assert(std::is_same_v<decltype(std::declval<channel<int>::send_operation>().get()), result<>>);
static_assert(std::is_same_v<decltype(std::declval<channel<int>::receive_operation>().get()), result<int>>);

TEST(channel, holds_as_many_items_as_its_capacity_and_its_senders_wait_for_room) {
  each_mix([](style senders, style receivers) {
    run([&]() -> task<> {
      channel<int> items(2);
      EXPECT_EQ(items.capacity(), 2U);
      int sent = 0;
      auto sender = spawn_sender(senders, items, 0, 5, sent);
      co_await turns(3);
      EXPECT_EQ(sent, 2);
      EXPECT_EQ(items.size(), 2U);
      const result<int> first = co_await spawn_receive(receivers, items);
      EXPECT_EQ(first, 0);
      co_await turns(3);
      EXPECT_EQ(sent, 3);
      EXPECT_EQ(items.size(), 2U) << "the waiting item has taken the place";
      std::vector<int> got;
      auto receiver = spawn_receiver(receivers, items, got);
      const result<int> all = co_await sender;
      EXPECT_EQ(all, 5);
      items.close();
      (void)co_await receiver;
      EXPECT_EQ(got, numbers(1, 4));
      EXPECT_EQ(items.size(), 0U);
    }());
  });
}

TEST(channel, without_capacity_lets_a_sender_go_on_only_when_a_receiver_has_taken_its_item) {
  each_mix([](style senders, style receivers) {
    run([&]() -> task<> {
      channel<int> items;
      EXPECT_EQ(items.capacity(), 0U);
      auto sender = spawn_send(senders, items, 7);
      co_await turns(5);
      EXPECT_FALSE(sender.ready());
      EXPECT_EQ(items.size(), 0U);
      auto receiver = spawn_receive(receivers, items);
      const result<> sent = co_await sender;
      EXPECT_TRUE(sent);
      const result<int> got = co_await receiver;
      EXPECT_EQ(got, 7);

      auto early = spawn_receive(receivers, items);
      co_await turns(2);
      EXPECT_TRUE(items.send(8).ready()) << "somebody waits for it";
      const result<int> next = co_await early;
      EXPECT_EQ(next, 8);
    }());
  });
}

TEST(channel, gives_items_in_the_order_in_which_they_were_sent) {
  for (const std::size_t capacity : {0, 1, 3, 100}) {
    each_mix([capacity](style senders, style receivers) {
      run([&]() -> task<> {
        channel<int> items(capacity);
        int sent = 0;
        std::vector<int> got;
        auto sender = spawn_sender(senders, items, 0, 300, sent);
        auto receiver = spawn_receiver(receivers, items, got);
        (void)co_await sender;
        items.close();
        (void)co_await receiver;
        EXPECT_EQ(got, numbers(0, 300));
      }());
    });
  }
}

TEST(channel, serves_first_who_waits_longest_at_either_end) {
  for (const std::size_t capacity : {0, 2}) {
    each_mix([capacity](style senders, style receivers) {
      run([&]() -> task<> {
        channel<int> items(capacity);
        std::vector<join_handle<result<int>>> waiting;
        for (int i = 0; i < 10; ++i) waiting.push_back(spawn_receive(i % 2 == 0 ? receivers : senders, items));
        co_await turns(2);
        for (int i = 0; i < 10; ++i) EXPECT_TRUE((co_await items.send(i)).has_value());
        for (int i = 0; i < 10; ++i) {
          const result<int> got = co_await waiting[static_cast<std::size_t>(i)];
          EXPECT_EQ(got, i);
        }
        std::vector<join_handle<result<>>> sending;
        for (int i = 0; i < 10; ++i) {
          sending.push_back(spawn_send(i % 2 == 0 ? senders : receivers, items, i));
          co_await turns(1);
        }
        for (int i = 0; i < 10; ++i) {
          const result<int> got = co_await items.receive();
          EXPECT_EQ(got, i);
        }
      }());
    });
  }
}

TEST(channel, gives_each_item_of_many_producers_to_one_of_many_consumers) {
  constexpr int strands = 6, each = 200;
  for (const std::size_t capacity : {0, 1, 16}) {
    run([&]() -> task<> {
      channel<int> items(capacity);
      std::array<int, strands> sent{};
      std::array<std::vector<int>, strands> got;
      std::vector<join_handle<int>> producers;
      std::vector<join_handle<void>> consumers;
      for (int i = 0; i < strands; ++i) {
        const auto at = static_cast<std::size_t>(i);
        producers.push_back(spawn_sender(each_style[i % 2], items, i * each, each, sent[at]));
        consumers.push_back(spawn_receiver(each_style[i / 2 % 2], items, got[at]));
      }
      for (auto& producer : producers) (void)co_await producer;
      items.close();
      for (auto& consumer : consumers) (void)co_await consumer;
      std::vector<int> all;
      for (auto& some : got) all.insert(all.end(), some.begin(), some.end());
      std::sort(all.begin(), all.end());
      EXPECT_EQ(all, numbers(0, strands * each));
    }());
  }
}

TEST(channel, that_is_closed_gives_waiting_senders_their_items_back_and_receivers_what_is_left) {
  for (const auto in : each_style) {
    run([&]() -> task<> {
      channel<int> items(2);
      std::optional<int> back;
      auto in_task = [&]() -> task<result<>> {
        auto sending = items.send(3);
        const result<> sent = co_await sending;
        back = sending.take_back();
        EXPECT_EQ(sending.take_back(), std::nullopt) << "once";
        co_return sent;
      };
      auto on_fiber = [&] {
        auto sending = items.send(3);
        const result<> sent = await(sending);
        back = sending.take_back();
        return sent;
      };
      EXPECT_TRUE((co_await items.send(1)).has_value());
      auto second = items.send(2);
      EXPECT_TRUE((co_await second).has_value());
      EXPECT_EQ(second.take_back(), std::nullopt) << "it was sent";
      auto waiting = in == style::task ? spawn(in_task) : spawn(on_fiber);
      co_await turns(2);
      EXPECT_FALSE(items.closed());
      items.close();
      EXPECT_TRUE(items.closed());
      items.close();
      const result<> sent = co_await waiting;
      EXPECT_EQ(sent.error(), errc::closed);
      EXPECT_EQ(back, 3);
      const result<> late = co_await spawn_send(in, items, 4);
      EXPECT_EQ(late.error(), errc::closed);
      for (const int expected : {1, 2}) {
        const result<int> got = co_await spawn_receive(in, items);
        EXPECT_EQ(got, expected);
      }
      for (int i = 0; i < 2; ++i) {
        const result<int> over = co_await spawn_receive(in, items);
        EXPECT_EQ(over.error(), errc::closed);
      }
    }());
  }
}

TEST(channel, that_is_closed_tells_all_who_wait_to_receive) {
  for (const std::size_t capacity : {0, 4}) {
    for (const auto in : each_style) {
      run([&]() -> task<> {
        channel<int> items(capacity);
        std::vector<join_handle<result<int>>> waiting;
        for (int i = 0; i < 5; ++i) waiting.push_back(spawn_receive(in, items));
        co_await turns(2);
        items.close();
        for (auto& each : waiting) {
          const result<int> got = co_await each;
          EXPECT_EQ(got.error(), errc::closed);
        }
      }());
    }
  }
}

TEST(channel, passes_its_errors_on_behind_an_exclamation_mark) {
  channel<int> items(1);
  auto sends = [&]() -> async<> {
    co_await !items.send(1);
    items.close();
    co_await !items.send(2);
    ADD_FAILURE() << "it went on";
    co_return {};
  };
  EXPECT_EQ(run(sends()).error(), errc::closed);
  auto receives = [&]() -> async<int> {
    const int first = co_await !items.receive();
    EXPECT_EQ(first, 1);
    co_return co_await !items.receive();
  };
  EXPECT_EQ(run(receives()).error(), errc::closed);
  EXPECT_THROW(run(fiber{[&] { (void)await(!items.receive()); }}), std::system_error);
}

TEST(channel, is_tried_from_a_strand_and_from_where_there_is_none) {
  const auto tries = [] {
    channel<std::string> items(1);
    EXPECT_EQ(items.try_receive().value(), std::nullopt);
    std::string first = "first, longer than fits into the string itself", second = "second, of the same kind as that";
    const std::string *const there = &second, copied = "copied, which is as long as the others are";
    EXPECT_EQ(items.try_send(std::move(first)), true);
    const char* const data = second.data();
    EXPECT_EQ(items.try_send(std::move(second)), false);
    EXPECT_EQ(*there, "second, of the same kind as that");
    EXPECT_EQ(there->data(), data) << "it is as before";
    EXPECT_EQ(items.try_send(copied), false);
    EXPECT_EQ(items.try_receive().value(), "first, longer than fits into the string itself");
    EXPECT_EQ(items.try_send(copied), true);
    EXPECT_EQ(copied.size(), 42U);
    items.close();
    EXPECT_EQ(items.try_send(std::move(second)).error(), errc::closed);
    EXPECT_EQ(there->data(), data);
    EXPECT_EQ(items.try_receive().value(), copied);
    EXPECT_EQ(items.try_receive().error(), errc::closed);
  };
  tries();
  run([&]() -> task<> {
    tries();
    co_return;
  }());
  run(fiber{tries});
}

TEST(channel, is_tried_against_those_who_wait) {
  each_mix([](style senders, style receivers) {
    run([&]() -> task<> {
      channel<int> items;
      EXPECT_EQ(items.try_send(1), false) << "nobody waits for it";
      auto receiver = spawn_receive(receivers, items);
      co_await turns(2);
      EXPECT_EQ(items.try_send(2), true);
      const result<int> got = co_await receiver;
      EXPECT_EQ(got, 2);
      auto sender = spawn_send(senders, items, 3);
      co_await turns(2);
      EXPECT_EQ(items.try_receive().value(), 3);
      const result<> sent = co_await sender;
      EXPECT_TRUE(sent);
    }());
  });
}

task<> for_each_ways(channel<int>& items, std::vector<int>& got) {
  co_await for_each(items, [&got](int& item) { got.push_back(item); });
}

TEST(channel, is_iterated_by_for_each_until_it_is_closed) {
  for (const auto in : each_style) {
    channel<int> items(10);
    for (int i = 0; i < 10; ++i) EXPECT_EQ(items.try_send(i), true);
    std::vector<int> got;
    const auto add = [&](int item) { got.push_back(item); };
    const auto add_below_2 = [&](int item) {
      got.push_back(item);
      return item < 2;
    };
    const auto add_later = [&](int item) -> task<> {
      co_await yield_now();
      got.push_back(item);
    };
    const auto add_later_below_5 = [&](int item) -> task<bool> {
      co_await yield_now();
      got.push_back(item);
      co_return item < 5;
    };
    await_in(in, [&] { return for_each(items, add_below_2); });
    EXPECT_EQ(got, numbers(0, 3)) << "false ends it, and what was not looked at is still there";
    await_in(in, [&] { return for_each(items, add_later_below_5); });
    EXPECT_EQ(got, numbers(0, 6));
    items.close();
    await_in(in, [&] { return for_each(items, add_later); });
    EXPECT_EQ(got, numbers(0, 10));
    await_in(in, [&] { return for_each(items, add); });
    EXPECT_EQ(got.size(), 10U) << "closed";
  }
}

TEST(channel, is_iterated_by_several_at_once_while_it_is_filled) {
  for (const auto in : each_style) {
    run([&]() -> task<> {
      channel<int> items(1);
      std::vector<int> got;
      auto in_task = [&]() -> task<> { co_await for_each_ways(items, got); };
      auto on_fiber = [&] { await(for_each_ways(items, got)); };
      auto one = in == style::task ? spawn(in_task) : spawn(on_fiber);
      auto two = spawn(in_task);
      for (int i = 0; i < 100; ++i) EXPECT_TRUE((co_await items.send(i)).has_value());
      items.close();
      (void)co_await one;
      (void)co_await two;
      std::sort(got.begin(), got.end());
      EXPECT_EQ(got, numbers(0, 100));
    }());
  }
}

TEST(channel, is_iterated_by_hand) {
  channel<std::string> items(4);
  const auto fill = [&] {
    for (const char* text : {"a", "bb", "ccc"}) EXPECT_EQ(items.try_send(text), true);
  };
  fill();
  run([&]() -> task<> {
    std::string all;
    std::size_t length = 0;
    for (auto at = co_await items.begin(); at != items.end(); co_await ++at) {
      all += *at;
      length += at->size();
      if (all.size() == 6) items.close();
    }
    EXPECT_EQ(all, "abbccc");
    EXPECT_EQ(length, 6U);
  }());
  channel<std::string> others(4);
  EXPECT_EQ(others.try_send("x"), true);
  EXPECT_EQ(others.try_send("y"), true);
  others.close();
  run(fiber{[&] {
    std::string all;
    for (auto at = await(others.begin()); at != others.end(); await(++at)) all += *at;
    EXPECT_EQ(all, "xy");
    const auto none = await(others.begin());
    EXPECT_TRUE(none == others.end());
  }});
}

struct without_default {
  explicit without_default(int v, int w = 0) : value(v + w) {}
  without_default(without_default&&) = default;
  const int value;  // not to be assigned either
};

TEST(channel, carries_what_is_only_moved_and_what_has_no_default) {
  each_mix([](style senders, style receivers) {
    run([&]() -> task<> {
      channel<std::unique_ptr<int>> owned;
      auto receiver = spawn_receive(receivers, owned);
      auto sender = spawn_send(senders, owned, std::make_unique<int>(5));
      const auto got = co_await receiver;
      EXPECT_EQ(**got, 5);
      (void)co_await sender;

      channel<without_default> others(2);
      EXPECT_TRUE((co_await others.send(1)).has_value());
      EXPECT_TRUE((co_await others.send(1, 2)).has_value()) << "made in its place";
      const auto first = co_await spawn_receive(receivers, others);
      EXPECT_EQ(first->value, 1);
      others.close();
      int sum = 0;
      for (auto at = co_await others.begin(); at != others.end(); co_await ++at) sum += at->value;
      EXPECT_EQ(sum, 3);
    }());
  });
}

TEST(channel, carries_strings_of_any_length) {
  each_mix([](style senders, style receivers) {
    run([&]() -> task<> {
      channel<std::string> texts(1);
      for (const std::size_t length : {0U, 3U, 100U, 100'000U}) {
        auto sender = spawn_send(senders, texts, std::string(length, 'x'));
        const result<std::string> got = co_await spawn_receive(receivers, texts);
        EXPECT_EQ(got->size(), length);
        (void)co_await sender;
      }
    }());
  });
}

// Throws when it is moved, while that is asked for.
struct throwing {
  static inline bool throws = false;
  static inline int alive = 0;
  explicit throwing(int v) : value(v) { ++alive; }
  throwing(throwing&& other) : value(other.value) {
    if (throws) throw std::runtime_error("a move that fails");
    ++alive;
  }
  throwing& operator=(throwing&& other) {
    value = other.value;
    return *this;
  }
  ~throwing() { --alive; }
  int value;
};

TEST(channel, sends_nothing_where_making_the_item_throws) {
  throwing::alive = 0;
  {
    channel<throwing> items(3);
    throwing one(1);
    throwing::throws = true;
    EXPECT_THROW((void)items.send(std::move(one)), std::runtime_error);
    EXPECT_THROW((void)items.try_send(std::move(one)), std::runtime_error);
    EXPECT_EQ(items.size(), 0U);
    throwing::throws = false;
    EXPECT_EQ(items.try_send(std::move(one)), true);
    EXPECT_EQ(items.try_send(throwing(2)), true);
    EXPECT_EQ(items.size(), 2U);
    throwing::throws = true;
    auto receives = [&]() -> task<> {
      EXPECT_THROW((void)co_await items.receive(), std::runtime_error);
    };
    run(receives());
    throwing::throws = false;
    EXPECT_EQ(run(items.receive())->value, 2) << "the next one is not concerned";
  }
  EXPECT_EQ(throwing::alive, 0);
}

TEST(channel, destroys_what_was_never_received) {
  for (const std::size_t capacity : {1, 3, 10}) {
    counted::alive = 0;
    {
      channel<counted> items(capacity);
      for (std::size_t i = 0; i < capacity; ++i) EXPECT_EQ(items.try_send(counted(1)), true);
      EXPECT_EQ(counted::alive, static_cast<int>(capacity));
      (void)items.try_receive();
      EXPECT_EQ(counted::alive, static_cast<int>(capacity) - 1);
      { auto never_awaited = items.send(2); }
      EXPECT_EQ(counted::alive, static_cast<int>(capacity) - 1);
    }
    EXPECT_EQ(counted::alive, 0);
  }
}

TEST(channel, allocates_nothing_in_steady_state) {
  if (config::sanitized) GTEST_SKIP() << "a sanitizer brings its own allocator";
  for (const std::size_t capacity : {0, 8}) {
    each_mix([capacity](style senders, style receivers) {
      run([&]() -> task<> {
        channel<int> items(capacity);
        int sent = 0;
        std::uint64_t made = 0;
        constexpr int warm_up = 1'000;
        auto looks = [&](int item) {
          if (item == warm_up) made = counted_allocations::made;
          if (item == 5 * warm_up) {
            EXPECT_EQ(counted_allocations::made, made);
          }
        };
        auto in_task = [&]() -> task<> { co_await for_each(items, looks); };
        auto on_fiber = [&] {
          while (const auto next = await(items.receive())) looks(*next);
        };
        auto receiver = receivers == style::task ? spawn(in_task) : spawn(on_fiber);
        auto sender = spawn_sender(senders, items, 0, 6 * warm_up, sent);
        (void)co_await sender;
        items.close();
        (void)co_await receiver;
      }());
    });
  }
}

}  // namespace
