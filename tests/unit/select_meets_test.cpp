// select: where it meets other selects, itself and those who wait in line; operations that lost and go on.
#include <cordage/when.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/channel.hpp>
#include <cordage/fiber.hpp>
#include <cordage/guarded.hpp>
#include <cordage/mutex.hpp>
#include <cordage/runtime.hpp>
#include <cordage/semaphore.hpp>
#include <cordage/stop.hpp>
#include <cordage/task.hpp>
#include <cordage/time.hpp>

#include "both_styles.hpp"
#include "channel_ends.hpp"
#include "slowly.hpp"

namespace {

using namespace cordage;
using namespace std::chrono_literals;
using namespace support;

TEST(select, meets_another_select) {
  each_mix([](style first, style second) {
    for (const std::size_t capacity : {0, 1}) {
      run([&]() -> task<> {
        channel<int> items(capacity), others(capacity), never;
        if (capacity == 1) {
          EXPECT_EQ(items.try_send(0), true);
        }
        auto sends = spawn_waiting(first, [&] { return select(never.receive(), items.send(1)); });
        co_await turns(3);
        auto receives = spawn_waiting(second, [&] { return select(others.receive(), items.receive()); });
        const auto sent = co_await sends;
        const auto got = co_await receives;
        EXPECT_TRUE(std::get<1>(*sent)->has_value());
        EXPECT_EQ(**std::get<1>(*got), capacity == 1 ? 0 : 1);
        EXPECT_EQ(items.size(), capacity);
      }());
    }
  });
}

TEST(select, does_not_serve_itself) {
  each_mix([](style first, style second) {
    for (const bool sends_first : {false, true}) {
      run([&]() -> task<> {
        channel<int> items;
        auto one = spawn_waiting(first, [&] { return select(items.send(1), items.receive()); });
        co_await turns(3);
        EXPECT_FALSE(one.ready());
        if (sends_first) {
          auto two = spawn_waiting(second, [&] { return select(items.send(2), items.receive()); });
          const auto of_one = co_await one;
          const auto of_two = co_await two;
          EXPECT_EQ(**std::get<1>(*of_one), 2);
          EXPECT_TRUE(std::get<0>(*of_two)->has_value());
        } else {
          auto two = spawn_waiting(second, [&] { return select(items.receive(), items.send(2)); });
          const auto of_one = co_await one;
          const auto of_two = co_await two;
          EXPECT_TRUE(std::get<0>(*of_one)->has_value());
          EXPECT_EQ(**std::get<0>(*of_two), 1);
        }
        EXPECT_EQ(items.try_receive().value(), std::nullopt);
        EXPECT_EQ(items.try_send(3), false);
      }());
    }
  });
}

TEST(select, with_both_ends_of_a_channel_that_has_room_or_items_takes_what_is_ready) {
  for (const auto in : each_style) {
    channel<int> items(1);
    const auto first = await_in(in, [&] { return select(items.receive(), items.send(1)); });
    EXPECT_TRUE(std::get<1>(first));
    EXPECT_EQ(items.size(), 1U);
    const auto second = await_in(in, [&] { return select(items.send(2), items.receive()); });
    EXPECT_EQ(*std::get<1>(second), 1) << "it is full: the other end is ready";
    EXPECT_EQ(items.size(), 0U) << "and the item of the send stays with its select";
  }
}

TEST(select, a_line_whose_first_has_lost_serves_the_next) {
  each_mix([](style first, style second) {
    run([&]() -> task<> {
      channel<int> items, others;
      auto select_of_both = spawn_waiting(first, [&] { return select(items.receive(), others.receive()); });
      auto plain = spawn_receive(second, items);
      co_await turns(3);
      EXPECT_EQ(others.try_send(1), true);
      EXPECT_EQ(items.try_send(2), true) << "the first in line has lost meanwhile";
      EXPECT_EQ(co_await plain, 2);
      EXPECT_EQ(**std::get<1>(*co_await select_of_both), 1);

      channel<int> full(1);
      EXPECT_EQ(full.try_send(0), true);
      auto sends_either = spawn_waiting(first, [&] { return select(full.send(1), others.send(1)); });
      co_await turns(2);
      auto sends = spawn_send(second, full, 2);
      co_await turns(2);
      EXPECT_EQ(others.try_receive().value(), 1);
      EXPECT_EQ(full.try_receive().value(), 0);
      EXPECT_EQ(full.size(), 1U) << "the next sender has the room";
      EXPECT_EQ(full.try_receive().value(), 2);
      EXPECT_TRUE((co_await sends).has_value());
      EXPECT_TRUE((co_await sends_either).has_value());
    }());
  });
}

// Each select sends to the next channel of the ring and receives from its own.
TEST(select, in_rings_makes_pairs) {
  for (const int size : {2, 3, 5}) {
    each_mix([size](style first, style second) {
      run([&]() -> task<> {
        std::vector<std::unique_ptr<channel<int>>> ring;
        for (int i = 0; i < size; ++i) ring.push_back(std::make_unique<channel<int>>());
        const auto at = [&](int i) -> channel<int>& { return *ring[static_cast<std::size_t>(i % size)]; };
        auto branch = [&](int i) {
          return spawn_waiting(i % 2 == 0 ? first : second, [&, i] { return select(at(i + 1).send(i), at(i).receive()); });
        };
        std::vector<decltype(branch(0))> all;
        for (int i = 0; i < size; ++i) all.push_back(branch(i));
        co_await turns(10);
        int sent = 0, received = 0, left = 0;
        for (auto& each : all) {
          if (!each.ready()) {
            ++left;
            each.request_stop();
          }
          const auto ended = co_await each;
          if (!ended) continue;
          EXPECT_NE(std::get<0>(*ended).has_value(), std::get<1>(*ended).has_value());
          sent += std::get<0>(*ended).has_value();
          received += std::get<1>(*ended).has_value();
        }
        EXPECT_EQ(sent, received);
        EXPECT_GE(sent, 1);
        EXPECT_EQ(sent + received + left, size);
        for (int i = 0; i < size; ++i) EXPECT_EQ(at(i).try_receive().value(), std::nullopt);
      }());
    });
  }
}

TEST(select, an_operation_that_lost_is_awaited_again) {
  for (const auto in : each_style) {
    run([&]() -> task<> {
      channel<std::string> items, others;
      int rounds = 0;
      auto in_task = [&]() -> task<> {
        auto sending = items.send("the same item each time, longer than fits into the string");
        auto receiving = others.receive();
        for (; rounds < 3; ++rounds) {
          const auto got = co_await select(sending, receiving, sleep_for(0s));
          EXPECT_TRUE(std::get<2>(got));
        }
        const auto lost = co_await select(sending, receiving);
        EXPECT_EQ(*std::get<1>(lost), "other");
        EXPECT_TRUE((co_await sending).has_value()) << "outside of a select";
      };
      auto on_fiber = [&] {
        auto sending = items.send("the same item each time, longer than fits into the string");
        auto receiving = others.receive();
        for (; rounds < 3; ++rounds) {
          const auto got = await(select(sending, receiving, sleep_for(0s)));
          EXPECT_TRUE(std::get<2>(got));
        }
        const auto lost = await(select(sending, receiving));
        EXPECT_EQ(*std::get<1>(lost), "other");
        EXPECT_TRUE(await(sending).has_value()) << "outside of a select";
      };
      auto sends = in == style::task ? spawn(in_task) : spawn(on_fiber);
      while (!others.try_send("other").value()) co_await yield_now();
      co_await turns(4);
      EXPECT_EQ(rounds, 3);
      EXPECT_EQ((co_await items.receive())->size(), 57U);
      EXPECT_TRUE((co_await sends).has_value());
    }());
  }
}

// One that has been put aside by a line, since it had lost its race, must be able to leave a line later on.
TEST(select, an_operation_that_lost_is_stopped_in_its_second_wait) {
  for (const auto in : each_style) {
    run([&]() -> task<> {
      channel<int> items, others;
      auto in_task = [&]() -> task<> {
        auto receiving = items.receive();
        (void)co_await select(receiving, others.receive());
        (void)co_await receiving;
      };
      auto on_fiber = [&] {
        auto receiving = items.receive();
        (void)await(select(receiving, others.receive()));
        (void)await(receiving);
      };
      auto waits = in == style::task ? spawn(in_task) : spawn(on_fiber);
      co_await turns(3);
      EXPECT_EQ(others.try_send(1), true);
      EXPECT_EQ(items.try_send(2), false) << "it is found to have lost";
      co_await turns(5);
      waits.request_stop();
      EXPECT_EQ((co_await waits).error(), errc::stopped);
      EXPECT_EQ(items.try_send(3), false);
    }());
  }
}

// The same for what others wait for in lines; free() makes it to be had.
template <class Wait, class Free>
void lose_and_wait_again(style in, Wait wait, Free free) {
  run([&]() -> task<> {
    channel<int> others;
    auto in_task = [&]() -> task<> {
      auto waiting = wait();
      (void)co_await select(waiting, others.receive());
      (void)co_await waiting;
      (void)co_await with_timeout(0s, wait());
      co_await stopped();
    };
    auto on_fiber = [&] {
      auto waiting = wait();
      (void)await(select(waiting, others.receive()));
      (void)await(waiting);
      (void)await(with_timeout(0s, wait()));
      await(stopped());
    };
    for (const bool stops : {true, false}) {
      auto waits = in == style::task ? spawn(in_task) : spawn(on_fiber);
      co_await turns(3);
      EXPECT_EQ(others.try_send(1), true);
      co_await turns(5);
      if (!stops) {
        free();
        co_await turns(5);
      }
      waits.request_stop();
      const result<> ended = co_await waits;
      EXPECT_EQ(ended.error(), errc::stopped);
    }
  }());
}

TEST(select, a_lock_that_lost_is_waited_for_again_to_its_end_or_a_stop) {
  for (const auto in : each_style) {
    mutex m;
    auto held = m.try_lock();
    lose_and_wait_again(in, [&] { return m.lock(); }, [&] { held.unlock(); });
    EXPECT_TRUE(m.try_lock());

    semaphore s(0);
    lose_and_wait_again(in, [&] { return s.permit(); }, [&] { s.release(); });
    EXPECT_EQ(s.available(), 1U);

    guarded<int> g(0);
    lose_and_wait_again(
        in, [&] { return g.wait_until([](int value) { return value == 1; }); },
        [&] {
          auto sets = [&]() -> task<> {
            auto access = co_await g.lock();
            *access = 1;
          };
          (void)spawn(sets);
        });
  }
}

// Two runtimes on two threads, all of whose strands select between sending to and receiving from shared channels.
TEST(select, between_two_threads_gives_every_item_once) {
  constexpr int each = support::slowly ? 1'000 : 10'000;
  for (const std::size_t capacity : {0, 1}) {
    channel<int> one(capacity), two(capacity);
    std::vector<std::atomic<int>> received(static_cast<std::size_t>(4 * each));
    std::atomic<int> under_way{0}, strands{4};
    const auto take = [&](const result<int>& item) {
      if (item) ++received[static_cast<std::size_t>(*item)], --under_way;
    };
    const auto closes_when_all_is_received = [&] {
      if (strands == 0 && under_way == 0) one.close(), two.close();
    };
    const auto work = [&](int thread) {
      auto in_task = [&](int first) -> task<> {
        for (int item = first; item < first + each;) {
          ++under_way;
          const auto got = co_await select(one.send(item), two.receive(), two.send(item), one.receive());
          EXPECT_EQ(std::get<0>(got).has_value() + std::get<1>(got).has_value() + std::get<2>(got).has_value() +
                        std::get<3>(got).has_value(),
                    1);
          if (std::get<0>(got) || std::get<2>(got)) {
            ++item;
          } else {
            --under_way;
            take(std::get<1>(got) ? *std::get<1>(got) : *std::get<3>(got));
          }
        }
        --strands;
        closes_when_all_is_received();
        for (;;) {
          const auto got = co_await select(one.receive(), two.receive());
          const result<int> item = std::get<0>(got) ? *std::get<0>(got) : *std::get<1>(got);
          if (!item) break;
          take(item);
          closes_when_all_is_received();
        }
      };
      auto on_fiber = [&](int first) {
        for (int item = first; item < first + each;) {
          ++under_way;
          const auto got = await(select(two.receive(), one.send(item), one.receive(), two.send(item)));
          if (std::get<1>(got) || std::get<3>(got)) {
            ++item;
          } else {
            --under_way;
            take(std::get<0>(got) ? *std::get<0>(got) : *std::get<2>(got));
          }
        }
        --strands;
        closes_when_all_is_received();
        for (;;) {
          const auto got = await(select(two.receive(), one.receive()));
          const result<int> item = std::get<0>(got) ? *std::get<0>(got) : *std::get<1>(got);
          if (!item) break;
          take(item);
          closes_when_all_is_received();
        }
      };
      run([&]() -> task<> {
        auto a = spawn(in_task, 2 * thread * each);
        auto b = spawn(on_fiber, (2 * thread + 1) * each);
        EXPECT_TRUE((co_await a).has_value());
        EXPECT_TRUE((co_await b).has_value());
      }());
    };
    std::thread other(work, 1);
    work(0);
    other.join();
    for (auto& times : received) EXPECT_EQ(times, 1);
    EXPECT_EQ(under_way, 0);
  }
}

}  // namespace
