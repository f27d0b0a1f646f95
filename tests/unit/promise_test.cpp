#include <cordage/promise.hpp>

#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/fiber.hpp>
#include <cordage/runtime.hpp>
#include <cordage/scope.hpp>
#include <cordage/task.hpp>
#include <cordage/time.hpp>

#include "slowly.hpp"

namespace {

using namespace cordage;

TEST(promise, fulfilled_before_the_await_or_by_another_strand_later) {
  run([]() -> task<> {
    promise<int> early;
    auto ready = early.get_future();
    early.set_value(1);
    EXPECT_FALSE(early.valid());
    EXPECT_EQ(co_await ready, 1);
    EXPECT_FALSE(ready.valid());

    promise<std::string> late;
    auto waiting = late.get_future();
    auto provider = [&] { late.set_value(3, 'x'); };
    spawn(provider);
    EXPECT_EQ(co_await !waiting, "xxx");
  }());
}

TEST(promise, fulfilled_by_another_thread_in_both_styles) {
  promise<std::unique_ptr<int>> to_task;
  promise<> to_fiber;
  auto in_task = to_task.get_future();
  auto in_fiber = to_fiber.get_future();
  std::thread provider;
  run([&]() -> task<> {
    auto fiber_waits = [&] { await(!in_fiber); };
    auto handle = spawn(fiber_waits);
    co_await yield_now();
    provider = std::thread([&] {
      to_task.set_value(std::make_unique<int>(7));
      to_fiber.set_value();
    });
    EXPECT_EQ(**co_await in_task, 7);
    EXPECT_TRUE((co_await handle).has_value());
  }());
  provider.join();
}

// What a C library keeps of a request.
struct c_request {
  void (*done)(void*, int);
  void* context;
};

TEST(promise, fulfilled_by_a_callback_of_c_in_both_styles) {
  for (const bool as_fiber : {false, true}) {
    promise<int> kept;
    auto answer = kept.get_future();
    const c_request under_way{[](void* context, int status) { static_cast<promise<int>*>(context)->set_value(status); }, &kept};
    auto calls = [&] { under_way.done(under_way.context, 9); };
    auto in_task = [&]() -> task<int> {
      spawn(calls);
      co_return co_await !answer;
    };
    auto on_fiber = [&] {
      spawn(calls);
      return await(!answer);
    };
    EXPECT_EQ(as_fiber ? run(fiber{on_fiber}) : run(in_task()), 9);
  }
}

TEST(promise, gives_errors_and_exceptions) {
  run([]() -> task<> {
    promise<int> failing;
    auto failed = failing.get_future();
    failing.set_error(errc::closed);
    EXPECT_EQ((co_await failed).error(), errc::closed);

    promise<int> throwing;
    auto thrown = throwing.get_future();
    throwing.set_exception(std::make_exception_ptr(std::runtime_error("thrown")));
    std::string what;
    try {
      (void)co_await thrown;
    } catch (const std::runtime_error& e) {
      what = e.what();
    }
    EXPECT_EQ(what, "thrown");
  }());
}

TEST(promise, dropped_is_broken) {
  run([]() -> task<> {
    auto dropped = promise<int>().get_future();
    EXPECT_EQ((co_await dropped).error(), errc::broken_promise);

    promise<int> overwritten;
    auto lost = overwritten.get_future();
    auto overwrites = [&] { overwritten = promise<int>(); };
    spawn(overwrites);
    EXPECT_EQ((co_await lost).error(), errc::broken_promise);
  }());
  { const promise<int> without_a_future; }
}

TEST(promise, whose_future_was_dropped_is_set_all_the_same) {
  promise<std::unique_ptr<int>> unheard;
  { auto dropped = unheard.get_future(); }
  unheard.set_value(std::make_unique<int>(1));
  promise<std::unique_ptr<int>> without_a_future;
  without_a_future.set_value(std::make_unique<int>(2));  // leaks nothing, says LeakSanitizer
}

TEST(promise, a_stopped_wait_leaves_the_future_to_be_awaited_again) {
  promise<int> kept;
  auto awaited = kept.get_future();
  run([&]() -> task<> {
    auto waits = [&]() -> task<> { (void)co_await awaited; };
    auto waiting = spawn(waits);
    co_await yield_now();
    waiting.request_stop();
    EXPECT_EQ((co_await waiting).error(), errc::stopped);
    kept.set_value(5);
    EXPECT_EQ(co_await awaited, 5);
  }());
}

// Setting on one thread races waiting and stopping on another.
TEST(promise, completes_once_in_any_interleaving) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::minstd_rand random(seed);
  const int rounds = support::emulated ? 50 : support::slowly ? 300 : 2'000;
  int received = 0;
  int stopped = 0;
  for (int i = 0; i < rounds; ++i) {
    promise<int> set_elsewhere;
    auto awaited = set_elsewhere.get_future();
    const unsigned before_setting = random() % 200;
    const unsigned before_stopping = random() % 3;
    std::thread setter([&] {
      for (unsigned spin = 0; spin < before_setting; ++spin) std::this_thread::yield();
      set_elsewhere.set_value(i);
    });
    run([&]() -> task<> {
      auto waits = [&]() -> task<int> { co_return co_await !awaited; };
      auto waiting = spawn(waits);
      for (unsigned turn = 0; turn < before_stopping; ++turn) co_await yield_now();
      if (before_stopping != 0) waiting.request_stop();
      const result<int> got = co_await waiting;
      if (got) {
        EXPECT_EQ(*got, i);
        ++received;
      } else {
        EXPECT_EQ(got.error(), errc::stopped);
        ++stopped;
      }
    }());
    setter.join();
  }
  EXPECT_EQ(received + stopped, rounds);
}

TEST(promise_death, is_set_once) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        promise<int> twice;
        twice.set_value(1);
        twice.set_value(2);
      },
      "set or moved from before");
  EXPECT_DEATH(
      {
        promise<int> p;
        auto one = p.get_future();
        auto two = p.get_future();
      },
      "taken twice");
}

}  // namespace
