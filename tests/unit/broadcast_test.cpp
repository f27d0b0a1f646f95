// broadcast, in both styles.
#include <cordage/broadcast.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/fiber.hpp>
#include <cordage/runtime.hpp>
#include <cordage/stop.hpp>
#include <cordage/task.hpp>
#include <cordage/time.hpp>
#include <cordage/when.hpp>

#include "both_styles.hpp"
#include "counted.hpp"
#include "counted_allocations.hpp"
#include "slowly.hpp"

namespace {

using namespace cordage;
using namespace std::chrono_literals;
using namespace support;

static_assert(!std::is_copy_constructible_v<broadcast<int>> && !std::is_move_constructible_v<broadcast<int>>);
static_assert(!std::is_copy_constructible_v<broadcast<int>::receiver> && std::is_move_assignable_v<broadcast<int>::receiver>);

// A strand that receives until the broadcast is closed, and notes values as numbers and lags as "L".
auto spawn_listener(style in, broadcast<int>& to, std::string& log) {
  auto in_task = [&to, &log]() -> task<> {
    auto mine = to.subscribe();
    for (;;) {
      const result<int> next = co_await mine.receive();
      if (!next && next.error() == errc::closed) break;
      log += next ? std::to_string(*next) : "L";
    }
  };
  auto on_fiber = [&to, &log] {
    auto mine = to.subscribe();
    for (;;) {
      const result<int> next = await(mine.receive());
      if (!next && next.error() == errc::closed) break;
      log += next ? std::to_string(*next) : "L";
    }
  };
  return in == style::task ? spawn(in_task) : spawn(on_fiber);
}

TEST(broadcast, gives_every_receiver_every_value_after_its_subscription) {
  for (const auto in : each_style) {
    run([&]() -> task<> {
      broadcast<int> news(4);
      std::array<std::string, 4> logs;
      EXPECT_TRUE(news.send(0)) << "nobody hears it";
      auto one = spawn_listener(in, news, logs[0]);
      auto two = spawn_listener(style::fiber, news, logs[1]);
      co_await turns(2);
      EXPECT_EQ(news.receivers(), 2U);
      EXPECT_TRUE(news.send(1));
      EXPECT_TRUE(news.send(2));
      auto three = spawn_listener(in, news, logs[2]);
      co_await turns(2);
      EXPECT_TRUE(news.send(3));
      news.close();
      news.close();
      EXPECT_FALSE(news.send(4));
      auto four = spawn_listener(in, news, logs[3]);
      for (auto* each : {&one, &two, &three, &four}) EXPECT_TRUE((co_await *each).has_value());
      EXPECT_EQ(logs, (std::array<std::string, 4>{"123", "123", "3", ""}));
      EXPECT_EQ(news.receivers(), 0U);
    }());
  }
}

TEST(broadcast, tells_who_lags_once_how_much_and_goes_on_with_the_oldest_that_is_left) {
  for (const auto in : each_style) {
    broadcast<int> news(3);
    auto mine = news.subscribe();
    const auto next = [&] { return await_in(in, [&] { return mine.receive(); }); };
    for (int i = 0; i < 3; ++i) news.send(i);
    EXPECT_EQ(next(), 0) << "as far behind as it may be";
    EXPECT_EQ(mine.missed(), 0U);
    for (int i = 3; i < 8; ++i) news.send(i);
    EXPECT_EQ(next().error(), errc::lagged);
    EXPECT_EQ(mine.missed(), 4U);
    EXPECT_EQ(next(), 5);
    EXPECT_EQ(next(), 6);
    for (int i = 8; i < 12; ++i) news.send(i);
    EXPECT_EQ(next().error(), errc::lagged);
    EXPECT_EQ(mine.missed(), 6U);
    news.close();
    for (const int expected : {9, 10, 11}) EXPECT_EQ(next(), expected);
    EXPECT_EQ(next().error(), errc::closed);
    EXPECT_EQ(next().error(), errc::closed);
    EXPECT_EQ(mine.missed(), 6U);
  }
}

TEST(broadcast, that_is_closed_while_a_receiver_lags_tells_it_that_first) {
  for (const auto in : each_style) {
    broadcast<int> news(1);
    auto mine = news.subscribe();
    const auto next = [&] { return await_in(in, [&] { return mine.receive(); }); };
    news.send(1);
    news.send(2);
    news.close();
    EXPECT_EQ(next().error(), errc::lagged);
    EXPECT_EQ(next(), 2);
    EXPECT_EQ(next().error(), errc::closed);
  }
}

TEST(broadcast, holds_nobody_up_for_a_slow_receiver) {
  for (const auto in : each_style) {
    run([&]() -> task<> {
      broadcast<int> news(2);
      auto slow = news.subscribe();
      std::string log;
      auto quick = spawn_listener(in, news, log);
      for (int i = 0; i < 9; ++i) {
        co_await turns(2);
        news.send(i);
      }
      news.close();
      EXPECT_TRUE((co_await quick).has_value());
      EXPECT_EQ(log, "012345678");
      EXPECT_EQ((co_await slow.receive()).error(), errc::lagged);
      EXPECT_EQ(slow.missed(), 7U);
    }());
  }
}

// Counts its copies.
struct copied {
  static inline int copies = 0;
  static inline bool throws = false;
  explicit copied(int v) : what(v) {}
  copied(const copied& other) : what(other.what) {
    if (throws) throw std::runtime_error("a copy that fails");
    ++copies;
  }
  copied(copied&&) noexcept = default;
  counted what;
};

TEST(broadcast, copies_once_for_each_receiver_and_destroys_the_value_when_the_last_is_done) {
  counted::alive = copied::copies = 0;
  {
    broadcast<copied> news(1);
    auto one = news.subscribe(), two = news.subscribe();
    news.send(1);
    EXPECT_EQ(copied::copies, 0) << "made in its place";
    EXPECT_EQ(counted::alive, 1);
    EXPECT_EQ(run(one.receive())->what.value, 1);
    EXPECT_EQ(copied::copies, 1);
    EXPECT_EQ(counted::alive, 1) << "the other one may want it";
    EXPECT_EQ(run(two.receive())->what.value, 1);
    EXPECT_EQ(copied::copies, 2);
    news.send(2);
    EXPECT_EQ(counted::alive, 1) << "the first was displaced";
    news.close();
    news.send(3);
    EXPECT_EQ(counted::alive, 1) << "not sent";
  }
  EXPECT_EQ(counted::alive, 0);
}

TEST(broadcast, keeps_a_displaced_value_until_those_who_were_given_it_have_copied_it) {
  for (const auto in : each_style) {
    counted::alive = 0;
    run([&]() -> task<> {
      broadcast<copied> news(1);
      auto in_task = [&]() -> task<int> {
        auto mine = news.subscribe();
        co_return (co_await mine.receive())->what.value;
      };
      auto on_fiber = [&] {
        auto mine = news.subscribe();
        return await(mine.receive())->what.value;
      };
      auto waits = in == style::task ? spawn(in_task) : spawn(on_fiber);
      co_await turns(2);
      news.send(1);
      news.send(2);
      EXPECT_EQ(counted::alive, 2);
      EXPECT_EQ(co_await waits, 1);
      EXPECT_EQ(counted::alive, 1);
    }());
    EXPECT_EQ(counted::alive, 0);
  }
}

TEST(broadcast, throws_what_copying_throws_and_goes_on) {
  counted::alive = 0;
  for (const auto in : each_style) {
    broadcast<copied> news(2);
    auto mine = news.subscribe();
    news.send(1);
    news.send(2);
    copied::throws = true;
    EXPECT_THROW((void)await_in(in, [&] { return mine.receive(); }), std::runtime_error);
    copied::throws = false;
    EXPECT_EQ(await_in(in, [&] { return mine.receive(); })->what.value, 2);
  }
  EXPECT_EQ(counted::alive, 0);
}

TEST(broadcast, a_stopped_receive_misses_nothing) {
  for (const auto in : each_style) {
    broadcast<int> news(2);
    auto mine = news.subscribe();
    std::string order;
    auto stops = [](auto& handle) -> task<> {
      handle.request_stop();
      co_return;
    };
    EXPECT_EQ(wait_and_act(in, order, [&] { return mine.receive(); }, stops).error(), errc::stopped);
    EXPECT_EQ(order, "");
    auto sends_and_stops = [&](auto& handle) -> task<> {
      news.send(1);
      handle.request_stop();
      co_return;
    };
    EXPECT_EQ(wait_and_act(in, order, [&] { return mine.receive(); }, sends_and_stops).error(), errc::stopped);
    EXPECT_EQ(order, "1+") << "delivered, and the next wait stops";
    news.send(2);
    EXPECT_EQ(await_in(in, [&] { return mine.receive(); }), 2);
    EXPECT_EQ(await_in(in, [&] { return with_timeout(1ms, mine.receive()); }).error(), errc::timed_out);
    news.send(3);
    EXPECT_EQ(await_in(in, [&] { return mine.receive(); }), 3);
    EXPECT_EQ(mine.missed(), 0U);
  }
}

TEST(broadcast, a_receive_that_loses_a_select_misses_nothing) {
  for (const auto in : each_style) {
    run([&]() -> task<> {
      broadcast<int> news(4), others(4);
      std::string log;
      auto in_task = [&]() -> task<> {
        auto mine = news.subscribe();
        auto other = others.subscribe();
        while (log.size() < 12) {
          const auto got = co_await select(mine.receive(), other.receive());
          note(log, std::get<0>(got) ? **std::get<0>(got) : 10 + **std::get<1>(got));
          EXPECT_NE(std::get<0>(got).has_value(), std::get<1>(got).has_value());
        }
      };
      auto on_fiber = [&] {
        auto mine = news.subscribe();
        auto other = others.subscribe();
        while (log.size() < 12) {
          const auto got = await(select(mine.receive(), other.receive()));
          note(log, std::get<0>(got) ? **std::get<0>(got) : 10 + **std::get<1>(got));
          EXPECT_NE(std::get<0>(got).has_value(), std::get<1>(got).has_value());
        }
      };
      auto selects = in == style::task ? spawn(in_task) : spawn(on_fiber);
      for (int i = 1; i < 5; ++i) {
        co_await turns(4);
        others.send(i);
        news.send(i);
      }
      EXPECT_TRUE((co_await selects).has_value());
      EXPECT_EQ(log, "111122133144");
    }());
  }
}

TEST(broadcast, an_operation_with_a_name_receives_again_and_again) {
  for (const auto in : each_style) {
    counted::alive = 0;
    run([&]() -> task<> {
      broadcast<counted> news(1);
      std::string log;
      auto in_task = [&]() -> task<> {
        auto mine = news.subscribe();
        auto next = mine.receive();
        for (;;) {
          const result<counted> got = co_await next;
          log += got ? std::to_string(got->value) : got.error() == errc::lagged ? "L" : "C";
          if (!got && got.error() == errc::closed) break;
        }
      };
      auto on_fiber = [&] {
        auto mine = news.subscribe();
        auto next = mine.receive();
        for (;;) {
          const result<counted> got = await(next);
          log += got ? std::to_string(got->value) : got.error() == errc::lagged ? "L" : "C";
          if (!got && got.error() == errc::closed) break;
        }
      };
      auto listens = in == style::task ? spawn(in_task) : spawn(on_fiber);
      co_await turns(2);
      for (int i = 1; i < 5; ++i) news.send(i);
      co_await turns(2);
      news.send(5);
      co_await turns(2);
      news.close();
      EXPECT_TRUE((co_await listens).has_value());
      EXPECT_EQ(log, "1L45C");
    }());
    EXPECT_EQ(counted::alive, 0);
  }
}

TEST(broadcast, receivers_may_be_moved_and_subscribe_for_what_comes_later) {
  broadcast<int> news(4), others(4);
  auto mine = news.subscribe();
  news.send(1);
  auto moved = std::move(mine);
  EXPECT_EQ(news.receivers(), 1U);
  EXPECT_EQ(run(moved.receive()), 1);
  moved = others.subscribe();
  EXPECT_EQ(news.receivers(), 0U);
  EXPECT_EQ(others.receivers(), 1U);
  others.send(2);
  EXPECT_EQ(run(moved.receive()), 2);
}

TEST(broadcast, allocates_nothing_in_steady_state) {
  if (config::sanitized) GTEST_SKIP() << "a sanitizer brings its own allocator";
  broadcast<int> news(4);
  auto mine = news.subscribe();
  run([&]() -> task<> {
    std::uint64_t made = 0;
    for (int i = 0; i < 5'000; ++i) {
      if (i == 1'000) made = counted_allocations::made;
      news.send(i);
      EXPECT_EQ(co_await mine.receive(), i);
    }
    EXPECT_EQ(counted_allocations::made, made);
  }());
}

TEST(broadcast, between_threads_gives_each_receiver_each_value_or_counts_it_as_missed) {
  constexpr int values = support::slowly ? 3'000 : 30'000;
  broadcast<std::string> news(8);
  std::atomic<int> subscribed{0};
  std::vector<std::thread> listeners;
  for (int t = 0; t < 2; ++t)
    listeners.emplace_back([&] {
      auto listens = [&]() -> task<> {
        auto mine = news.subscribe();
        ++subscribed;
        std::uint64_t got = 0;
        std::uint64_t next = 0;
        for (;;) {
          const result<std::string> value = co_await mine.receive();
          if (!value && value.error() == errc::closed) break;
          if (!value) {
            EXPECT_EQ(value.error(), errc::lagged);
            continue;
          }
          const std::uint64_t number = std::stoull(*value);
          EXPECT_GE(number, next);
          next = number + 1;
          ++got;
        }
        EXPECT_EQ(got + mine.missed(), static_cast<std::uint64_t>(2 * values));
      };
      run([&]() -> task<> {
        auto one = spawn(listens), two = spawn(listens);
        EXPECT_TRUE((co_await one).has_value());
        EXPECT_TRUE((co_await two).has_value());
      }());
    });
  while (subscribed < 4) std::this_thread::yield();
  std::atomic<int> number{0};
  std::vector<std::thread> senders;
  std::mutex in_order;
  for (int t = 0; t < 2; ++t)
    senders.emplace_back([&] {
      for (int i = 0; i < values; ++i) {
        const std::lock_guard lock(in_order);
        EXPECT_TRUE(news.send(std::to_string(number++)));
      }
    });
  for (auto& sender : senders) sender.join();
  news.close();
  for (auto& listener : listeners) listener.join();
}

TEST(broadcast_death, outlives_its_receivers_and_keeps_something) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        auto news = std::make_unique<broadcast<int>>(1);
        auto mine = news->subscribe();
        news.reset();
      },
      "a broadcast was destroyed while there are receivers of it");
  EXPECT_DEATH(broadcast<int>(0), "keeps no value");
  EXPECT_DEATH(
      {
        broadcast<int> news(1);
        auto mine = news.subscribe();
        auto moved = std::move(mine);
        (void)mine.receive();
      },
      "moved from");
  const auto destroy_under = [](style in) {
    run([&]() -> task<> {
      auto shared = std::make_unique<broadcast<int>>(1);
      broadcast<int>& news = *shared;
      auto in_task = [&]() -> task<> {
        auto mine = news.subscribe();
        (void)co_await mine.receive();
      };
      auto on_fiber = [&] {
        auto mine = news.subscribe();
        (void)await(mine.receive());
      };
      const spawn_options options{.name = "listener"};
      auto waits = in == style::task ? spawn(options, in_task) : spawn(options, on_fiber);
      co_await turns(2);
      shared.reset();
    }());
  };
  EXPECT_DEATH(destroy_under(style::task), "a broadcast was destroyed while task \"listener\" waits for it");
  EXPECT_DEATH(destroy_under(style::fiber), "a broadcast was destroyed while fiber \"listener\" waits for it");
}

}  // namespace
