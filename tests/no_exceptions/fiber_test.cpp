// Fibers in a program with -fno-exceptions: what they wait for gives results, and a stop is one of its errors.
#include <cordage/cordage.hpp>

#include <array>
#include <chrono>
#include <expected>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

#include <gtest/gtest.h>

#include "counted.hpp"
#include "manual_operation.hpp"

namespace {

using namespace cordage;
using namespace std::chrono_literals;

task<int> three() {
  co_await yield_now();
  co_return 3;
}

async<int> fails() {
  co_await yield_now();
  co_return detail::fail(errc::closed);
}

task<> holds_and_waits_for(manual& never, int& after) {
  const counted held;
  co_await manual_operation(never);
  ++after;
}

template <class X>
using awaited = decltype(await(std::declval<X>()));

static_assert(std::is_same_v<awaited<manual_operation>, result<int>>);
static_assert(std::is_same_v<awaited<manual_result_operation>, result<int>>);
static_assert(std::is_same_v<awaited<task<>>, result<>>);
static_assert(std::is_same_v<awaited<async<int>>, result<int>>);
static_assert(std::is_same_v<awaited<task<int&>>, result<std::reference_wrapper<int>>>);
// An expected that cannot say that there was a stop.
static_assert(
    std::is_same_v<awaited<task<std::expected<int, std::string>>>, result<std::expected<int, std::string>>>);

TEST(no_exceptions_fiber, await_on_a_fiber_gives_results) {
  int referred_to = 5;
  auto reference = [&]() -> task<int&> {
    co_await yield_now();
    co_return referred_to;
  };
  auto refused = []() -> task<std::expected<int, std::string>> {
    co_return std::unexpected(std::string("no"));
  };
  run(fiber{[&] {
    EXPECT_EQ(await(three()), 3);
    EXPECT_EQ(await(fails()), detail::fail(errc::closed));
    EXPECT_EQ(await(fiber{[] { return std::make_unique<int>(6); }}).value().operator*(), 6);
    EXPECT_TRUE(await(sleep_for(1ms)).has_value());
    const auto given = await(reference());
    EXPECT_EQ(&given->get(), &referred_to);
    const auto no = await(refused());
    EXPECT_TRUE(no.has_value());
    EXPECT_EQ(no->error(), "no");
  }});
}

// What a fiber that was stopped in a wait has seen.
struct seen_by_fiber {
  result<int> first, second;
};

TEST(no_exceptions_fiber, a_stop_is_an_error_in_a_fiber_and_stays_one) {
  manual never, ready{.value = 3, .is_ready = true};
  seen_by_fiber seen;
  auto waits = [&] {
    const counted held;
    seen.first = await(manual_operation(never));
    seen.second = await(manual_operation(ready));
  };
  auto body = [&]() -> task<> {
    auto waiting = spawn(waits);
    co_await yield_now();
    waiting.request_stop();
    const result<> ended = co_await waiting;
    EXPECT_TRUE(ended.has_value());  // it has done what it had to do
  };
  run(body());
  EXPECT_EQ(seen.first, detail::fail(errc::stopped));
  EXPECT_EQ(seen.second, detail::fail(errc::stopped));
  EXPECT_EQ(never.cancels, 1);
  EXPECT_EQ(never.gets, 0);
  EXPECT_EQ(ready.readies, 0);
  EXPECT_EQ(counted::alive, 0);
}

TEST(no_exceptions_fiber, completion_beats_stop_in_a_fiber) {
  manual slow{.can_be_withdrawn = false};
  seen_by_fiber seen;
  auto waits = [&] {
    seen.first = await(manual_operation(slow));
    seen.second = await(manual_operation(slow));
    return 7;
  };
  auto body = [&]() -> task<> {
    auto waiting = spawn(waits);
    co_await yield_now();
    waiting.request_stop();
    co_await yield_now();
    slow.complete(5);
    const result<int> ended = co_await waiting;
    EXPECT_EQ(ended, 7);
  };
  run(body());
  EXPECT_EQ(seen.first, 5);
  EXPECT_EQ(seen.second, detail::fail(errc::stopped));
}

TEST(no_exceptions_fiber, a_stop_reaches_a_fiber_through_the_task_it_awaits) {
  manual never;
  int after = 0;
  result<> seen;
  auto waits = [&] { seen = await(holds_and_waits_for(never, after)); };
  auto body = [&]() -> task<> {
    auto waiting = spawn(waits);
    co_await yield_now();
    waiting.request_stop();
    const result<> ended = co_await waiting;
    EXPECT_TRUE(ended.has_value());
  };
  run(body());
  EXPECT_EQ(seen, detail::fail(errc::stopped));
  EXPECT_EQ(counted::alive, 0);
  EXPECT_EQ(after, 0);
}

TEST(no_exceptions_fiber, a_stop_reaches_a_coroutine_on_a_fiber) {
  manual never;
  auto waits = [&] {
    coroutine<int> steps{
        [&] { this_coroutine::yield(await(manual_operation(never)).error() == errc::stopped ? 1 : 0); }};
    int total = 0;
    while (const auto value = steps.resume()) total += *value;
    return total;
  };
  auto body = [&]() -> task<> {
    auto waiting = spawn(waits);
    co_await yield_now();
    waiting.request_stop();
    const result<int> ended = co_await waiting;
    EXPECT_EQ(ended, 1);
  };
  run(body());
}

// A fiber may hand on that it was stopped. If that were an error, it would be a failure of the runtime.
TEST(no_exceptions_fiber, a_fiber_that_hands_a_stop_on_has_stopped) {
  auto naps = []() -> result<> {
    const result<> slept = await(sleep_for(1h));
    if (!slept) return unexpected(slept.error());
    return {};
  };
  runtime here;
  here.spawn(naps);
  auto body = [&]() -> task<> {
    auto joined = spawn(naps);
    co_await yield_now();
    joined.request_stop();
    const result<> ended = co_await joined;
    EXPECT_EQ(ended, detail::fail(errc::stopped));
    here.request_stop();
  };
  here.run(body());
}

TEST(no_exceptions_fiber, a_stop_takes_down_a_task_that_awaits_a_fiber) {
  int after = 0;
  auto naps = []() -> result<> { return await(sleep_for(1h)); };
  auto waits = [&]() -> task<> {
    const counted held;
    co_await !fiber{naps};
    ++after;
  };
  auto body = [&]() -> task<> {
    auto waiting = spawn(waits);
    co_await yield_now();
    co_await yield_now();
    waiting.request_stop();
    const result<> ended = co_await waiting;
    EXPECT_EQ(ended, detail::fail(errc::stopped));
  };
  run(body());
  EXPECT_EQ(counted::alive, 0);
  EXPECT_EQ(after, 0);
}

TEST(no_exceptions_fiber, a_fiber_that_overlooks_its_stop_keeps_nobody_from_going_on) {
  bool enough = false;
  int naps = 0;
  auto overlooks = [&] {
    while (!enough) naps += await(sleep_for(1h)).has_value() ? 0 : 1;
  };
  auto body = [&]() -> task<> {
    auto waiting = spawn(overlooks);
    co_await yield_now();
    waiting.request_stop();
    for (int turn = 0; turn < 5; ++turn) co_await yield_now();
    enough = true;
    const result<> ended = co_await waiting;
    EXPECT_TRUE(ended.has_value());
  };
  run(body());
  EXPECT_GT(naps, 1);
}

TEST(no_exceptions_fiber, a_stop_of_what_is_run_is_an_error_where_the_value_is_a_result) {
  runtime here;
  auto body = [&]() -> async<> {
    here.request_stop();
    co_await sleep_for(1h);
    co_return {};
  };
  EXPECT_EQ(here.run(body()), detail::fail(errc::stopped));
}

void echo_once(tcp::stream peer) {
  std::array<std::byte, 16> buffer;
  const result<std::size_t> read = await(peer.read_some(buffer));
  if (!read) return;
  const result<> written = await(peer.write_all(std::span(buffer).first(*read)));
  EXPECT_TRUE(written.has_value());
}

async<std::size_t> asks_echo() {
  auto listening = tcp::listener::bind(endpoint::ipv4({127, 0, 0, 1}, 0));
  if (!listening) co_return unexpected(listening.error());
  const endpoint at = listening->local();
  auto server = spawn(tcp::serve(std::move(*listening), echo_once));
  tcp::stream peer = co_await !tcp::connect(at);
  std::array<std::byte, 4> buffer{};
  co_await !peer.write_all(std::span(std::as_const(buffer)));
  const std::size_t read = co_await !peer.read_some(buffer);
  server.request_stop();
  const result<> ended = co_await server;
  EXPECT_EQ(ended, detail::fail(errc::stopped));
  co_return read;
}

TEST(no_exceptions_fiber, fibers_serve_over_tcp) { EXPECT_EQ(run(asks_echo()), 4u); }

}  // namespace
