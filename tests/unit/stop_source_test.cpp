// stop_source, stop_token, with_stop.
#include <cordage/stop.hpp>

#include <pthread.h>

#include <chrono>
#include <csignal>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/scope.hpp>
#include <cordage/time.hpp>
#include <cordage/when.hpp>

#include "both_styles.hpp"
#include "counted.hpp"
#include "manual_operation.hpp"

namespace {

using namespace cordage;
using namespace std::chrono_literals;
using namespace support;

constexpr auto for_ever = 24h;
const std::string told_stopped = "[" + error(errc::stopped).message() + "]";

constexpr auto does_nothing = [](auto&) -> task<> { co_return; };

TEST(stop_token, made_by_default_never_tells_of_a_stop) {
  const stop_token nobodys;
  EXPECT_FALSE(nobodys.stop_possible());
  EXPECT_FALSE(nobodys.stop_requested());
  stop_token assigned = stop_source().token();
  EXPECT_TRUE(assigned.stop_possible());
  assigned = nobodys;
  EXPECT_FALSE(assigned.stop_possible());
}

TEST(stop_source, is_asked_once_and_stays_stopped_for_all_copies_and_tokens) {
  stop_source source;
  const stop_source copy = source;
  stop_source other;
  other = source;
  other = *&other;
  const stop_token early = source.token();
  const stop_token copied = early;
  EXPECT_FALSE(copied.stop_requested());
  EXPECT_TRUE(copy.request_stop());
  EXPECT_FALSE(source.request_stop());
  EXPECT_FALSE(other.request_stop());
  for (const stop_token& each : {early, copied, source.token(), other.token()}) EXPECT_TRUE(each.stop_requested());
  stop_token moved_from = early;
  const stop_token moved_to = std::move(moved_from);
  EXPECT_TRUE(moved_to.stop_requested());
  EXPECT_TRUE(copy.stop_requested());
}

TEST(stop_token, outlives_its_source) {
  std::optional<stop_source> source(std::in_place);
  const stop_token unstopped = stop_source().token();
  const stop_token token = source->token();
  source->request_stop();
  source.reset();
  EXPECT_TRUE(token.stop_requested());
  EXPECT_FALSE(unstopped.stop_requested());
}

TEST(with_stop, gives_what_completes) {
  for (const auto in : each_style) {
    manual m;
    stop_source source;
    std::string order;
    auto completes = [&](auto&) -> task<> {
      m.complete(5);
      co_return;
    };
    EXPECT_TRUE(wait_and_act(in, order, [&] { return with_stop(source.token(), manual_operation(m)); }, completes));
    EXPECT_EQ(order, "5+!");
    EXPECT_TRUE(wait_and_act(in, order, [&] { return with_stop({}, manual_operation(m)); }, completes));
    EXPECT_EQ(order, "5+!");
    m.is_ready = true;
    EXPECT_TRUE(wait_and_act(in, order, [&] { return with_stop(source.token(), manual_operation(m)); }, does_nothing));
    EXPECT_EQ(order, "5+!");
    source.request_stop();
  }
}

TEST(with_stop, passes_errors_and_exceptions_on) {
  for (const auto in : each_style) {
    manual m;
    m.is_ready = true, m.value = -1;
    stop_source source;
    auto checks = [&]() -> async<int> { co_return co_await !with_stop(source.token(), manual_result_operation(m)); };
    EXPECT_EQ(run(checks()).error(), errc::closed);
    auto checks_inside = [&]() -> async<int> { co_return co_await with_stop(source.token(), !manual_result_operation(m)); };
    EXPECT_EQ(run(checks_inside()).error(), errc::closed);
    auto throws = [](int) -> task<> {
      co_await yield_now();
      throw std::runtime_error("no");
    };
    std::string order;
    EXPECT_THROW(std::ignore = wait_and_act(
                     in, order, [&] { return with_stop(source.token(), throws(1)); }, does_nothing),
                 std::runtime_error);
  }
}

TEST(with_stop, of_a_source_that_was_stopped_before_never_begins_what_it_waits_for) {
  for (const auto in : each_style) {
    manual m;
    stop_source source;
    source.request_stop();
    std::string order;
    auto make = [&] { return as_result(with_stop(source.token(), manual_operation(m))); };
    EXPECT_TRUE(wait_and_act(in, order, make, does_nothing));
    EXPECT_EQ(order, told_stopped + "+!") << "as_result is the boundary, and the strand was not stopped";
    EXPECT_EQ(m.starts, 0);
  }
}

TEST(with_stop, stops_what_waits_as_far_as_the_boundary) {
  for (const auto in : each_style) {
    manual m;
    std::string order;
    auto waits = [&](stop_token token) -> task<int> {
      at_exit left{[&] { order += "l"; }};
      const int value = co_await with_stop(std::move(token), manual_operation(m));
      order += "!";
      co_return value;
    };
    stop_source source;
    auto stops = [&](auto&) -> task<> {
      source.request_stop();
      co_return;
    };
    EXPECT_TRUE(wait_and_act(in, order, [&] { return as_result(waits(source.token())); }, stops));
    EXPECT_EQ(order, "l" + told_stopped + "+!");
    EXPECT_EQ(m.cancels, 1);
  }
}

TEST(with_stop, without_a_boundary_stops_the_strand) {
  for (const auto in : each_style) {
    manual m;
    std::string order;
    stop_source source;
    auto stops = [&](auto&) -> task<> {
      source.request_stop();
      co_return;
    };
    const auto ended = wait_and_act(in, order, [&] { return with_stop(source.token(), manual_operation(m)); }, stops);
    EXPECT_EQ(ended.error(), errc::stopped);
    EXPECT_EQ(order, "");
  }
  stop_source stopped;
  stopped.request_stop();
  EXPECT_THROW(run(with_stop(stopped.token(), sleep_for(for_ever))), stopped_error);
}

TEST(with_stop, delivers_what_completes_although_the_stop_came) {
  for (const auto in : each_style) {
    manual m;
    m.can_be_withdrawn = false;
    std::string order;
    stop_source source;
    auto stops_then_completes = [&](auto&) -> task<> {
      source.request_stop();
      co_await turns(5);
      m.complete(8);
    };
    auto make = [&] { return with_stop(source.token(), manual_operation(m)); };
    EXPECT_TRUE(wait_and_act(in, order, make, stops_then_completes));
    EXPECT_EQ(order, "8+!");
    EXPECT_EQ(m.cancels, 1);

    m.can_be_withdrawn = true;
    stop_source other;
    auto completes_then_stops = [&](auto&) -> task<> {
      m.complete(9);
      other.request_stop();
      co_return;
    };
    auto make_other = [&] { return with_stop(other.token(), manual_operation(m)); };
    EXPECT_TRUE(wait_and_act(in, order, make_other, completes_then_stops));
    EXPECT_EQ(order, "9+!");
  }
}

TEST(with_stop, is_stopped_by_its_strand_too) {
  for (const auto in : each_style) {
    manual m;
    std::string order;
    stop_source source;
    auto stops = [&](auto& handle) -> task<> {
      handle.request_stop();
      source.request_stop();
      co_return;
    };
    auto make = [&] { return as_result(with_stop(source.token(), manual_operation(m))); };
    EXPECT_FALSE(wait_and_act(in, order, make, stops));
    EXPECT_EQ(order, told_stopped + "+");
    EXPECT_EQ(m.cancels, 1);
  }
}

TEST(with_stop, of_two_sources_inside_of_each_other_is_stopped_by_either) {
  for (const auto in : each_style) {
    for (const bool by_inner : {false, true}) {
      manual m;
      std::string order;
      stop_source inner, outer;
      auto stops = [&](auto&) -> task<> {
        (by_inner ? inner : outer).request_stop();
        co_return;
      };
      auto make = [&] { return as_result(with_stop(outer.token(), with_stop(inner.token(), manual_operation(m)))); };
      EXPECT_TRUE(wait_and_act(in, order, make, stops));
      EXPECT_EQ(order, told_stopped + "+!");
    }
  }
}

// So deep that some begin in turns of their own.
TEST(with_stop, deep_inside_others_ends_whenever_it_is_stopped) {
  for (int turn = 0; turn < 12; ++turn) {
    const auto in = turn % 2 != 0 ? style::fiber : style::task;
    stop_source source;
    auto nested = [&](auto& self, int depth) -> task<> {
      if (depth == 0) co_await sleep_for(for_ever);
      co_await with_stop(source.token(), self(self, depth - 1));
    };
    auto in_fiber = [&] { await(nested(nested, 40)); };
    auto in_task = [&]() -> task<> { co_await nested(nested, 40); };
    runtime rt;
    auto handle = in == style::fiber ? rt.spawn(in_fiber) : rt.spawn(in_task);
    auto stopper = [&]() -> task<> {
      co_await turns(turn / 2);
      if (turn % 4 < 2) {
        handle.request_stop();
      } else {
        source.request_stop();
      }
      EXPECT_EQ((co_await handle).error(), errc::stopped);
    };
    rt.run(stopper());
  }
}

TEST(with_stop, tells_a_thousand_listeners_of_which_some_have_left) {
  run([]() -> task<> {
    stop_source source;
    int ended = 0;
    auto listens = [&](int i) -> task<> {
      at_exit note{[&] { ++ended; }};
      if (i % 3 == 0) co_await with_stop(source.token(), yield_now());
      std::ignore = co_await as_result(with_stop(source.token(), sleep_for(for_ever)));
    };
    auto listens_on_fiber = [&](int) {
      at_exit note{[&] { ++ended; }};
      std::ignore = await(as_result(with_stop(source.token(), sleep_for(for_ever))));
    };
    co_await with_scope([&](scope& children) -> task<> {
      for (int i = 0; i < 1000; ++i) children.spawn(listens, i);
      for (int i = 0; i < 50; ++i) children.spawn(listens_on_fiber, i);
      co_await turns(3);
      EXPECT_EQ(ended, 0);
      EXPECT_TRUE(source.request_stop());
    });
    EXPECT_EQ(ended, 1050);
  }());
}

TEST(stop_source, is_asked_by_another_thread) {
  for (const auto in : each_style) {
    std::string order;
    stop_source source;
    std::thread other;
    auto stops = [&](auto&) -> task<> {
      other = std::thread([source] { source.request_stop(); });
      co_return;
    };
    auto make = [&] { return as_result(with_stop(source.token(), sleep_for(for_ever))); };
    EXPECT_TRUE(wait_and_act(in, order, make, stops));
    EXPECT_EQ(order, told_stopped + "+!");
    other.join();
  }
}

const stop_source* asked_by_signal = nullptr;

TEST(stop_source, is_asked_by_a_signal_handler) {
  std::signal(SIGUSR1, [](int) { asked_by_signal->request_stop(); });
  for (const auto in : each_style) {
    for (const bool from_elsewhere : {false, true}) {
      std::string order;
      const stop_source source;
      asked_by_signal = &source;
      const pthread_t self = pthread_self();
      std::thread other;
      auto stops = [&](auto&) -> task<> {
        if (from_elsewhere) {
          other = std::thread([self] { pthread_kill(self, SIGUSR1); });
        } else {
          std::raise(SIGUSR1);
        }
        co_return;
      };
      auto make = [&] { return as_result(with_stop(source.token(), sleep_for(for_ever))); };
      EXPECT_TRUE(wait_and_act(in, order, make, stops));
      EXPECT_EQ(order, told_stopped + "+!");
      if (other.joinable()) other.join();
    }
  }
  std::signal(SIGUSR1, SIG_DFL);
}

// Listeners come and go on the runtime's thread while another asks.
TEST(with_stop, races_its_source_on_another_thread) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::minstd_rand random(seed);
  int stopped_rounds = 0;
  for (int batch = 0; batch < 100; ++batch) {
    std::vector<stop_source> sources(100);
    std::thread asks([&, pause = random() % 64] {
      for (const auto& each : sources) {
        for (unsigned spin = 0; spin < pause; ++spin) asm volatile("");
        each.request_stop();
      }
    });
    run([&]() -> task<> {
      for (const auto& each : sources) {
        auto twice = [&]() -> task<> {
          co_await with_stop(each.token(), turns(2));
          auto slept = [&] { await(with_stop(each.token(), yield_now())); };
          fiber waits{slept};
          co_await waits;
        };
        for (int i = 0; i < 2; ++i) {
          auto held = twice();
          const result<> ended = co_await as_result(held);
        if (!ended) ++stopped_rounds;
        }
      }
    }());
    asks.join();
  }
  EXPECT_LE(stopped_rounds, 20'000);
}

}  // namespace
