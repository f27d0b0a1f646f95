// Stop, shields and combinators where coroutines and awaitables of another library take part.
#include <cordage/stop.hpp>

#include <chrono>
#include <coroutine>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include <gtest/gtest.h>

#include <cordage/suspend.hpp>
#include <cordage/time.hpp>
#include <cordage/when.hpp>

#include "both_styles.hpp"
#include "connected.hpp"
#include "counted.hpp"
#include "manual_operation.hpp"

namespace {

using namespace cordage;
using namespace std::chrono_literals;
using namespace support;

constexpr auto for_ever = 24h;

std::string text(errc code) { return "[" + error(code).message() + "]"; }

// An awaitable of somebody else's that tells how often its value was taken.
struct elsewhere {
  std::coroutine_handle<> waiter;
  int taken = 0;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> h) noexcept { waiter = h; }
  int await_resume() noexcept { return ++taken; }
  void complete() { std::exchange(waiter, nullptr).resume(); }
};

TEST(foreign_awaitable, is_waited_for_and_discarded_by_a_stopped_strand_as_far_as_the_boundary) {
  for (const auto in : each_style) {
    elsewhere other;
    std::string order;
    auto stops_then_completes = [&](auto& handle) -> task<> {
      handle.request_stop();
      co_await turns(4);
      EXPECT_TRUE(other.waiter);
      EXPECT_FALSE(handle.ready());
      other.complete();
    };
    EXPECT_FALSE(wait_and_act(in, order, [&]() -> elsewhere& { return other; }, stops_then_completes));
    EXPECT_EQ(order, "");
    EXPECT_FALSE(wait_and_act(in, order, [&] { return as_result(other); }, stops_then_completes));
    EXPECT_EQ(order, text(errc::stopped) + "+");
    EXPECT_EQ(other.taken, 0);
    EXPECT_FALSE(wait_and_act(in, order, [&] { return shield(other); }, stops_then_completes));
    EXPECT_EQ(order, "1+") << "behind a shield it is delivered";
    auto completes = [&](auto&) -> task<> {
      co_await turns(4);
      other.complete();
    };
    EXPECT_TRUE(wait_and_act(in, order, [&] { return with_timeout(0s, other); }, completes));
    EXPECT_EQ(order, text(errc::timed_out) + "+!");
    stop_source source;
    auto stops_source = [&](auto&) -> task<> {
      source.request_stop();
      co_await turns(4);
      other.complete();
    };
    EXPECT_TRUE(wait_and_act(in, order, [&] { return as_result(with_stop(source.token(), other)); }, stops_source));
    EXPECT_EQ(order, text(errc::stopped) + "+!");
  }
}

// A coroutine of another library: eager, and destroyed by whoever holds it.
struct theirs {
  struct promise_type {
    theirs get_return_object() { return theirs(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
  explicit theirs(std::coroutine_handle<promise_type> h) : frame(h) {}
  theirs(theirs&& other) noexcept : frame(std::exchange(other.frame, nullptr)) {}
  ~theirs() {
    if (frame) frame.destroy();
  }
  bool done() const { return frame.done(); }
  std::coroutine_handle<promise_type> frame;
};

// What a foreign coroutine is told when it awaits make(), in a runtime that is stopped then.
template <class Make>
std::string told_when_stopped(Make make, runtime& rt, std::string& message) {
  std::string order;
  std::optional<theirs> foreign;
  auto awaits = [&]() -> theirs {
    try {
      co_await make();
      order += "!";
    } catch (const std::system_error& e) {
      order += "[" + e.code().message() + "]";
      message = e.what();
    }
    order += "g";
  };
  auto program = [&]() -> task<> {
    foreign.emplace(awaits());
    co_await turns(2);
    EXPECT_FALSE(foreign->done());
    rt.request_stop();
    co_await stopped();
  };
  EXPECT_THROW(rt.run(program()), stopped_error);
  EXPECT_TRUE(foreign->done());
  return order;
}

template <class Make>
std::string told_when_stopped(Make make) {
  runtime rt;
  std::string message;
  return told_when_stopped(make, rt, message);
}

TEST(foreign_coroutine, is_a_boundary_for_the_stop_of_combinators_and_of_what_decides_about_stops) {
  const std::string stopped_and_went_on = text(errc::stopped) + "g";
  EXPECT_EQ(told_when_stopped([] { return when_all(sleep_for(for_ever), sleep_for(for_ever)); }), stopped_and_went_on);
  EXPECT_EQ(told_when_stopped([] { return when_any(sleep_for(for_ever), stopped()); }), stopped_and_went_on);
  EXPECT_EQ(told_when_stopped([] { return with_timeout(for_ever, sleep_for(for_ever)); }), stopped_and_went_on);
  EXPECT_EQ(told_when_stopped([] { return with_stop({}, sleep_for(for_ever)); }), stopped_and_went_on);
  EXPECT_EQ(told_when_stopped([] { return shield_for(1us, sleep_for(for_ever)); }), stopped_and_went_on);
  EXPECT_EQ(told_when_stopped([] { return stopped(); }), stopped_and_went_on);
  int cleaned = 0;
  auto cleanup = [&]() -> task<> {
    co_await turns(3);
    ++cleaned;
  };
  EXPECT_EQ(told_when_stopped([&] { return finally(sleep_for(for_ever), cleanup); }), stopped_and_went_on);
  EXPECT_EQ(cleaned, 1);
  auto drops_on_stop = [&] {
    auto kept = std::make_shared<std::optional<suspension<int>>>();
    auto keeps = [kept](suspension<int> waiter) { kept->emplace(std::move(waiter)); };
    auto drops = [kept] { kept->reset(); };
    return suspend<int>(keeps, drops);
  };
  EXPECT_EQ(told_when_stopped(drops_on_stop), stopped_and_went_on);
}

TEST(foreign_coroutine, is_told_with_whom_it_was_when_it_was_stopped) {
  runtime rt;
  std::optional<connection> between;
  rt.run(fiber{[&] { between.emplace(connected()); }});
  const std::string peer = to_string(*between->a.remote());
  std::byte byte;
  std::string message;
  told_when_stopped([&] { return between->a.read_some({&byte, 1}); }, rt, message);
  EXPECT_EQ(message, "read_some " + peer + ": stopped");
}

TEST(foreign_coroutine, begins_what_is_shielded_although_its_runtime_was_stopped) {
  std::string order;
  runtime rt;
  std::optional<theirs> foreign;
  auto awaits = [&]() -> theirs {
    try {
      co_await stopped();
    } catch (const std::system_error&) {
      order += "s";
    }
    co_await shield(turns(2));
    order += "2";
    const result<> told = co_await as_result(shield(sleep_for(1us)));
    order += told ? "v" : "!";
    try {
      co_await yield_now();
      order += "!";
    } catch (const std::system_error&) {
      order += "s";
    }
  };
  auto program = [&]() -> task<> {
    foreign.emplace(awaits());
    co_await yield_now();
    rt.request_stop();
    co_await stopped();
  };
  EXPECT_THROW(rt.run(program()), stopped_error);
  EXPECT_EQ(order, "s2vs");
}

TEST(foreign_coroutine, awaits_combinators_and_gets_what_they_give) {
  std::string order;
  std::optional<theirs> foreign;
  auto awaits = [&]() -> theirs {
    std::ignore = co_await when_all(turns(2), sleep_for(1us));
    order += "a";
    const result<> late = co_await with_timeout(1us, sleep_for(for_ever));
    order += text(errc::timed_out) == "[" + late.error().message() + "]" ? "t" : "!";
    try {
      co_await !with_timeout(1us, sleep_for(for_ever));
    } catch (const std::system_error& e) {
      order += e.code() == errc::timed_out ? "t" : "!";
    }
    const result<> told = co_await as_result(shield(turns(1)));
    order += told ? "v" : "!";
    const stop_token token = co_await this_strand::stop_token();
    order += token.stop_requested() ? "!" : "k";
    order += &(co_await this_strand::executor()) == executor::running() ? "e" : "!";
  };
  auto program = [&]() -> task<> {
    foreign.emplace(awaits());
    co_return;
  };
  run(program());
  EXPECT_EQ(order, "attvke");
}

}  // namespace
