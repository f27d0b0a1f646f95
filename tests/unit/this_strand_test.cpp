// What a strand can be asked about itself and about its stop.
#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include <cordage/scope.hpp>
#include <cordage/stop.hpp>
#include <cordage/time.hpp>

#include "both_styles.hpp"
#include "counted.hpp"
#include "manual_operation.hpp"

namespace {

using namespace cordage;
using namespace std::chrono_literals;
using namespace support;

constexpr auto for_ever = 24h;

TEST(this_strand, gives_a_token_that_tells_of_the_strands_stop_also_when_shielded_and_afterwards) {
  for (const auto in : each_style) {
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
    EXPECT_FALSE(wait_and_act(in, order, [&] { return asks(1); }, stops));
    EXPECT_EQ(order, "1+");
    EXPECT_TRUE(kept->stop_requested()) << "it outlives its strand";
  }
}

TEST(this_strand, gives_a_token_first_asked_for_after_the_stop) {
  for (const auto in : each_style) {
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
    EXPECT_FALSE(in == style::fiber ? wait_and_act(in, order, [&] { return fiber{in_fiber}; }, stops)
                                    : wait_and_act(in, order, [&] { return in_task(1); }, stops));
    EXPECT_TRUE(told);
  }
}

TEST(this_strand, token_stops_what_another_strand_waits_for) {
  for (const auto in : each_style) {
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
      const result<> listened = co_await listener;
      EXPECT_EQ(listened.error(), errc::stopped);
      const result<> idled = co_await other;
      EXPECT_EQ(idled.error(), errc::stopped);
      handle.request_stop();
    };
    EXPECT_FALSE(wait_and_act(in, order, [] { return stopped(); }, stops));
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

TEST(this_strand, is_the_same_in_a_cleanup_whose_callable_has_a_fiber_of_its_own) {
  for (const auto in : each_style) {
    std::string order;
    runtime rt;
    std::optional<stop_token> outside;
    auto body = [&] {
      order += this_fiber::name() == "outer" ? "!" : "b";
      await(sleep_for(for_ever));
    };
    auto cleanup = [&] {
      order += this_fiber::name() == "outer" ? "!" : "c";
      order += await(this_strand::stop_token()).stop_requested() ? "s" : "n";
      order += outside->stop_requested() ? "s" : "n";
    };
    auto in_task = [&]() -> task<> {
      outside = co_await this_strand::stop_token();
      co_await finally(body, cleanup);
    };
    auto on_fiber = [&] {
      outside = await(this_strand::stop_token());
      await(finally(body, cleanup));
    };
    const spawn_options named{.name = "outer"};
    auto handle = in == style::fiber ? rt.spawn(named, on_fiber) : rt.spawn(named, in_task);
    auto stopper = [&]() -> task<> {
      co_await turns(3);
      handle.request_stop();
      EXPECT_EQ((co_await handle).error(), errc::stopped);
    };
    rt.run(stopper());
    EXPECT_EQ(order, "bcss");
  }
}

// What stopping() says in the destructor of something in the waiting frame, and in the one that awaits it.
template <class Make>
std::string said_by_destructors(style in, bool stops, Make make) {
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
  auto handle = in == style::fiber ? rt.spawn(in_fiber) : rt.spawn(in_task);
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
  for (const auto in : each_style) {
    EXPECT_EQ(said_by_destructors(in, true, [] { return sleep_for(for_ever); }), "nssn");
    EXPECT_EQ(said_by_destructors(in, false, [] { return turns(5); }), "nnnn");
    auto throws = [](int) -> task<> {
      co_await turns(5);
      throw std::runtime_error("no");
    };
    EXPECT_EQ(said_by_destructors(in, false, [&] { return throws(1); }), "nnnn");
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
