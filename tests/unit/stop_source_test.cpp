// stop_source, stop_token, with_stop, and what a strand can be asked about its stop.
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

#include "counted.hpp"
#include "manual_operation.hpp"
#include "two_styles.hpp"

namespace {

using namespace cordage;
using namespace std::chrono_literals;

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
  for (const bool as_fiber : both_styles) {
    manual m;
    stop_source source;
    std::string order;
    auto completes = [&](auto&) -> task<> {
      m.complete(5);
      co_return;
    };
    EXPECT_TRUE(wait_and_act(as_fiber, order, [&] { return with_stop(source.token(), manual_operation(m)); }, completes));
    EXPECT_EQ(order, "5+!");
    EXPECT_TRUE(wait_and_act(as_fiber, order, [&] { return with_stop({}, manual_operation(m)); }, completes));
    EXPECT_EQ(order, "5+!");
    m.is_ready = true;
    EXPECT_TRUE(wait_and_act(as_fiber, order, [&] { return with_stop(source.token(), manual_operation(m)); }, does_nothing));
    EXPECT_EQ(order, "5+!");
    source.request_stop();
  }
}

TEST(with_stop, passes_errors_and_exceptions_on) {
  for (const bool as_fiber : both_styles) {
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
                     as_fiber, order, [&] { return with_stop(source.token(), throws(1)); }, does_nothing),
                 std::runtime_error);
  }
}

TEST(with_stop, of_a_source_that_was_stopped_before_never_begins_what_it_waits_for) {
  for (const bool as_fiber : both_styles) {
    manual m;
    stop_source source;
    source.request_stop();
    std::string order;
    auto make = [&] { return as_result(with_stop(source.token(), manual_operation(m))); };
    EXPECT_TRUE(wait_and_act(as_fiber, order, make, does_nothing));
    EXPECT_EQ(order, told_stopped + "+!") << "as_result is the boundary, and the strand was not stopped";
    EXPECT_EQ(m.starts, 0);
  }
}

TEST(with_stop, stops_what_waits_as_far_as_the_boundary) {
  for (const bool as_fiber : both_styles) {
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
    EXPECT_TRUE(wait_and_act(as_fiber, order, [&] { return as_result(waits(source.token())); }, stops));
    EXPECT_EQ(order, "l" + told_stopped + "+!");
    EXPECT_EQ(m.cancels, 1);
  }
}

TEST(with_stop, without_a_boundary_stops_the_strand) {
  for (const bool as_fiber : both_styles) {
    manual m;
    std::string order;
    stop_source source;
    auto stops = [&](auto&) -> task<> {
      source.request_stop();
      co_return;
    };
    const auto ended = wait_and_act(as_fiber, order, [&] { return with_stop(source.token(), manual_operation(m)); }, stops);
    EXPECT_EQ(ended.error(), errc::stopped);
    EXPECT_EQ(order, "");
  }
  stop_source stopped;
  stopped.request_stop();
  EXPECT_THROW(run(with_stop(stopped.token(), sleep_for(for_ever))), stopped_error);
}

TEST(with_stop, delivers_what_completes_although_the_stop_came) {
  for (const bool as_fiber : both_styles) {
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
    EXPECT_TRUE(wait_and_act(as_fiber, order, make, stops_then_completes));
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
    EXPECT_TRUE(wait_and_act(as_fiber, order, make_other, completes_then_stops));
    EXPECT_EQ(order, "9+!");
  }
}

TEST(with_stop, is_stopped_by_its_strand_too) {
  for (const bool as_fiber : both_styles) {
    manual m;
    std::string order;
    stop_source source;
    auto stops = [&](auto& handle) -> task<> {
      handle.request_stop();
      source.request_stop();
      co_return;
    };
    auto make = [&] { return as_result(with_stop(source.token(), manual_operation(m))); };
    EXPECT_FALSE(wait_and_act(as_fiber, order, make, stops));
    EXPECT_EQ(order, told_stopped + "+");
    EXPECT_EQ(m.cancels, 1);
  }
}

TEST(with_stop, of_two_sources_inside_of_each_other_is_stopped_by_either) {
  for (const bool as_fiber : both_styles) {
    for (const bool by_inner : {false, true}) {
      manual m;
      std::string order;
      stop_source inner, outer;
      auto stops = [&](auto&) -> task<> {
        (by_inner ? inner : outer).request_stop();
        co_return;
      };
      auto make = [&] { return as_result(with_stop(outer.token(), with_stop(inner.token(), manual_operation(m)))); };
      EXPECT_TRUE(wait_and_act(as_fiber, order, make, stops));
      EXPECT_EQ(order, told_stopped + "+!");
    }
  }
}

// So deep that some begin in turns of their own.
TEST(with_stop, deep_inside_others_ends_whenever_it_is_stopped) {
  for (int turn = 0; turn < 12; ++turn) {
    const bool as_fiber = turn % 2 != 0;
    stop_source source;
    auto nested = [&](auto& self, int depth) -> task<> {
      if (depth == 0) co_await sleep_for(for_ever);
      co_await with_stop(source.token(), self(self, depth - 1));
    };
    auto in_fiber = [&] { await(nested(nested, 40)); };
    auto in_task = [&]() -> task<> { co_await nested(nested, 40); };
    runtime rt;
    auto handle = as_fiber ? rt.spawn(in_fiber) : rt.spawn(in_task);
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
  for (const bool as_fiber : both_styles) {
    std::string order;
    stop_source source;
    std::thread other;
    auto stops = [&](auto&) -> task<> {
      other = std::thread([source] { source.request_stop(); });
      co_return;
    };
    auto make = [&] { return as_result(with_stop(source.token(), sleep_for(for_ever))); };
    EXPECT_TRUE(wait_and_act(as_fiber, order, make, stops));
    EXPECT_EQ(order, told_stopped + "+!");
    other.join();
  }
}

const stop_source* asked_by_signal = nullptr;

TEST(stop_source, is_asked_by_a_signal_handler) {
  std::signal(SIGUSR1, [](int) { asked_by_signal->request_stop(); });
  for (const bool as_fiber : both_styles) {
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
      EXPECT_TRUE(wait_and_act(as_fiber, order, make, stops));
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
          if (!co_await as_result(held)) ++stopped_rounds;
        }
      }
    }());
    asks.join();
  }
  EXPECT_LE(stopped_rounds, 20'000);
}

TEST(this_strand, gives_a_token_that_tells_of_the_strands_stop_also_when_shielded_and_afterwards) {
  for (const bool as_fiber : both_styles) {
    manual m;
    std::string order;
    std::optional<stop_token> kept;
    auto asks = [&](int) -> task<int> {
      const stop_token token = co_await this_strand::stop_token();
      kept = token;
      EXPECT_FALSE(token.stop_requested());
      co_await shield(manual_operation(m));
      EXPECT_TRUE(token.stop_requested());
      const stop_token later = co_await shield(this_strand::stop_token());
      EXPECT_TRUE(later.stop_requested());
      co_return 1;
    };
    auto stops = [&](auto& handle) -> task<> {
      handle.request_stop();
      co_await turns(2);
      EXPECT_TRUE(kept->stop_requested());
      m.complete(1);
    };
    EXPECT_FALSE(wait_and_act(as_fiber, order, [&] { return asks(1); }, stops));
    EXPECT_EQ(order, "1+");
    EXPECT_TRUE(kept->stop_requested()) << "it outlives its strand";
  }
}

TEST(this_strand, gives_a_token_first_asked_for_after_the_stop) {
  for (const bool as_fiber : both_styles) {
    manual m;
    bool told = false;
    std::string order;
    auto in_task = [&](int) -> task<> {
      co_await shield(manual_operation(m));
      told = (co_await shield(this_strand::stop_token())).stop_requested();
    };
    auto in_fiber = [&] {
      await(shield(manual_operation(m)));
      told = await(shield(this_strand::stop_token())).stop_requested();
    };
    auto stops = [&](auto& handle) -> task<> {
      handle.request_stop();
      co_await turns(2);
      m.complete(1);
    };
    EXPECT_FALSE(as_fiber ? wait_and_act(true, order, [&] { return fiber{in_fiber}; }, stops)
                          : wait_and_act(false, order, [&] { return in_task(1); }, stops));
    EXPECT_TRUE(told);
  }
}

TEST(this_strand, token_stops_what_another_strand_waits_for) {
  for (const bool as_fiber : both_styles) {
    std::string order;
    auto stops = [](auto& handle) -> task<> {
      stop_token token;
      auto idles = [&]() -> task<> {
        token = co_await this_strand::stop_token();
        co_await sleep_for(for_ever);
      };
      auto other = spawn(idles);
      co_await yield_now();
      auto listens = [&]() -> task<> { co_await with_stop(token, sleep_for(for_ever)); };
      auto listener = spawn(listens);
      co_await yield_now();
      other.request_stop();
      EXPECT_EQ((co_await listener).error(), errc::stopped);
      EXPECT_EQ((co_await other).error(), errc::stopped);
      handle.request_stop();
    };
    EXPECT_FALSE(wait_and_act(as_fiber, order, [] { return stopped(); }, stops));
    EXPECT_EQ(order, "");
  }
}

TEST(this_strand, names_its_executor_in_both_styles) {
  run([]() -> task<> {
    executor& here = co_await this_strand::executor();
    EXPECT_EQ(&here, executor::running());
    auto asks = [&] { EXPECT_EQ(&await(this_strand::executor()), &here); };
    fiber f{asks};
    co_await f;
  }());
}

// What stopping() says in the destructor of something in the waiting frame, and in the one that awaits it.
template <class Make>
std::string said_by_destructors(bool as_fiber, bool stops, Make make) {
  std::string order;
  auto says = [&] { order += stopping() ? "s" : "n"; };
  auto inner = [&](int) -> task<> {
    at_exit guard{says};
    co_await make();
  };
  auto in_task = [&]() -> task<> {
    at_exit guard{says};
    co_await inner(1);
  };
  auto in_fiber = [&] {
    at_exit guard{says};
    await(inner(1));
  };
  runtime rt;
  rt.on_failure([](const failure&) noexcept {});
  auto handle = as_fiber ? rt.spawn(in_fiber) : rt.spawn(in_task);
  auto actor = [&]() -> task<> {
    co_await turns(3);
    says();
    if (stops) handle.request_stop();
    try {
      std::ignore = co_await handle;
    } catch (const std::exception&) {
    }
    says();
  };
  rt.run(actor());
  return order;
}

TEST(stopping, is_so_in_the_destructors_that_a_stop_runs_and_nowhere_else) {
  for (const bool as_fiber : both_styles) {
    EXPECT_EQ(said_by_destructors(as_fiber, true, [] { return sleep_for(for_ever); }), "nssn");
    EXPECT_EQ(said_by_destructors(as_fiber, false, [] { return turns(5); }), "nnnn");
    auto throws = [](int) -> task<> {
      co_await turns(5);
      throw std::runtime_error("no");
    };
    EXPECT_EQ(said_by_destructors(as_fiber, false, [&] { return throws(1); }), "nnnn");
  }
  EXPECT_FALSE(stopping());
}

TEST(stopping, is_not_so_while_an_error_takes_frames_down) {
  std::string order;
  auto says = [&] { order += stopping() ? "s" : "n"; };
  auto fails = [&](int) -> async<> {
    at_exit guard{says};
    co_await yield_now();
    co_return unexpected{errc::closed};
  };
  auto passes = [&](int) -> async<> {
    at_exit guard{says};
    co_await !fails(1);
    co_return {};
  };
  EXPECT_EQ(run(passes(1)).error(), errc::closed);
  EXPECT_EQ(run(fiber{[&]() -> result<> {
                  at_exit guard{says};
                  await(!passes(1));
                  return {};
                }})
                .error(),
            errc::closed);
  EXPECT_EQ(order, "nnnnn");
}

TEST(stopping, of_one_strand_is_not_seen_by_others_that_run_meanwhile) {
  std::string order;
  run([&]() -> task<> {
    auto unwinds_slowly = [&] {
      at_exit guard{[&] {
        order += stopping() ? "s" : "n";
        await(turns(4));
        order += stopping() ? "s" : "n";
      }};
      await(sleep_for(for_ever));
    };
    auto slow = spawn(unwinds_slowly);
    co_await turns(2);
    slow.request_stop();
    co_await turns(2);
    EXPECT_FALSE(stopping());
    auto looks = [] { EXPECT_FALSE(stopping()); };
    fiber other{looks};
    co_await other;
    order += "o";
    EXPECT_EQ((co_await slow).error(), errc::stopped);
  }());
  EXPECT_EQ(order, "sos");
}

}  // namespace
