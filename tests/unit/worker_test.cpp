// A worker that never runs out of work still sees what happens outside: events, timers, and nodes from other threads.
#include <cordage/runtime/worker.hpp>

#include <chrono>
#include <thread>

#include <gtest/gtest.h>

#include <cordage/fiber.hpp>
#include <cordage/runtime.hpp>
#include <cordage/task.hpp>
#include <cordage/tcp.hpp>
#include <cordage/time.hpp>

#include "manual_operation.hpp"

namespace {

using namespace cordage;
using namespace std::chrono_literals;

// Keeps a worker busy, one way or the other, until all the others have what they wait for. Hangs, and so fails, if they
// never get it.
template <class Busy>
void expect_others_to_get_on(Busy busy) {
  int waiting = 0;
  runtime rt;
  auto listener = std::move(*tcp::listener::bind(*endpoint::parse("127.0.0.1:0")));
  auto accepts = [&]() -> task<> {
    ++waiting;
    const tcp::stream accepted = co_await !listener.accept();
    --waiting;
  };
  auto sleeps = [&] {
    ++waiting;
    await(sleep_for(1ms));
    --waiting;
  };
  auto keeps_busy = [&]() -> task<> {
    co_await yield_now();
    EXPECT_EQ(waiting, 2) << "accept and sleep have begun before the connection is made";
    auto connect_from_elsewhere = [&] { const tcp::stream made = run(!tcp::connect(listener.local())); };
    std::thread elsewhere(connect_from_elsewhere);
    while (waiting != 0) co_await busy();
    elsewhere.join();
  };
  rt.spawn(accepts);
  rt.spawn(sleeps);
  rt.run(keeps_busy());
}

TEST(worker, looks_outside_while_there_is_always_a_turn_to_take) { expect_others_to_get_on(yield_now); }

TEST(worker, looks_outside_while_a_strand_takes_one_ready_operation_after_the_other) {
  manual always;
  always.is_ready = true;
  expect_others_to_get_on([&] { return manual_operation(always); });
}

TEST(worker, looks_outside_while_a_fiber_takes_one_ready_operation_after_the_other) {
  manual always;
  always.is_ready = true;
  bool slept = false;
  auto sleeps = [&]() -> task<> {
    co_await sleep_for(1ms);
    slept = true;
  };
  runtime rt;
  rt.spawn(sleeps);
  rt.run(fiber{[&] {
    while (!slept) await(manual_operation(always));
  }});
}

}  // namespace
