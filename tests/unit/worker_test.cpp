// A worker that never runs out of work still sees what happens outside: events, timers, and nodes from other threads.
#include <cordage/runtime/worker.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include <gtest/gtest.h>

#include <cordage/fiber.hpp>
#include <cordage/runtime.hpp>
#include <cordage/task.hpp>
#include <cordage/tcp.hpp>
#include <cordage/time.hpp>
#include <cordage/virtual_clock.hpp>
#include <cordage/watched_descriptor.hpp>

#include "manual_operation.hpp"
#include "system_calls.hpp"

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

struct always_ready {
  bool ready() const noexcept { return true; }
  bool start(resumable&) const noexcept { return false; }
  cancel_result cancel() const noexcept { return cancel_result::too_late; }
  void get() const noexcept {}
};

// A strand whose operations are all ready takes many in each turn, and it is these that keep others waiting.
template <class Busy>
long operations_until_an_event_is_seen(Busy keeps_busy) {
  const support::both_ends ends = support::open_socket_pair();
  const support::owned_fd& near = ends.near;
  const support::owned_fd& far = ends.far;
  long done = 0;
  long seen = -1;
  auto waits = [&]() -> task<> {
    watched_descriptor watched(near.get());
    co_await !watched.readable();
    seen = done;
  };
  virtual_clock clock;  // the real one lets some time pass between looks
  runtime rt({.clock = &clock});
  auto waiting = rt.spawn(waits);
  auto begins = [&] { EXPECT_EQ(::write(far.get(), "x", 1), 1); };
  auto goes_on = [&] { return seen < 0 && ++done < 100'000; };
  rt.run(keeps_busy(begins, goes_on));
  return seen;
}

TEST(worker, looks_outside_after_so_many_operations_however_few_turns_they_take) {
  const auto in_task = [](auto& begins, auto& goes_on) -> task<> {
    co_await yield_now();
    begins();
    while (goes_on()) co_await always_ready();
  };
  const auto on_fiber = [](auto& begins, auto& goes_on) {
    const auto busy = [&] {
      await(yield_now());
      begins();
      while (goes_on()) await(always_ready());
    };
    return fiber<void>(busy);
  };
  for (const long operations : {operations_until_an_event_is_seen(in_task), operations_until_an_event_is_seen(on_fiber)}) {
    EXPECT_GE(operations, 0);
    EXPECT_LE(operations, 600);  // twice the worker's 256, and a turn
  }
}

}  // namespace
