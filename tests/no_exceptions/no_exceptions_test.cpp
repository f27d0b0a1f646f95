// A library and a program with -fno-exceptions: what works as with them, and what cannot be done. Fibers: fiber_test.cpp.
#include <cordage/cordage.hpp>

#include <chrono>
#include <coroutine>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "counted.hpp"
#include "manual_operation.hpp"

namespace {

using namespace cordage;
using namespace std::chrono_literals;

static_assert(!config::exceptions);

// --- Tasks -----------------------------------------------------------------------------------------------------------

task<int> depth(int levels) {
  if (levels == 0) {
    co_await yield_now();
    co_return 0;
  }
  const int below = co_await depth(levels - 1);
  co_return below + 1;
}

TEST(no_exceptions, tasks_await_tasks) { EXPECT_EQ(run(depth(10'000)), 10'000); }

async<int> positive(int value) {
  co_await yield_now();
  if (value < 0) co_return detail::fail(errc::closed);
  co_return value;
}

async<int> sum(int a, int b, int& finished) {
  const counted held;
  const int first = co_await !positive(a);
  const int second = co_await !positive(b);
  ++finished;
  co_return first + second;
}

TEST(no_exceptions, an_error_passes_through_callers_that_say_so) {
  int finished = 0;
  EXPECT_EQ(run(sum(1, 2, finished)), 3);
  EXPECT_EQ(run(sum(1, -2, finished)), detail::fail(errc::closed));
  EXPECT_EQ(finished, 1);
  EXPECT_EQ(counted::alive, 0);
}

TEST(no_exceptions, an_error_is_looked_at_without_the_word) {
  int finished = 0;
  auto body = [&]() -> task<std::string> {
    const result<int> none = co_await sum(-1, 2, finished);
    if (!none) co_return none.error().message();
    co_return "no error";
  };
  EXPECT_EQ(run(body()), "closed");
}

task<> waits_for(manual& never, int& after) {
  const counted held;
  co_await manual_operation(never);
  ++after;
}

task<> holds_and_waits_for(manual& never, int& after) {
  const counted held;
  co_await waits_for(never, after);
  ++after;
}

TEST(no_exceptions, a_stop_destroys_the_frames_of_tasks) {
  manual never;
  int after = 0;
  auto body = [&]() -> task<> {
    auto waiting = spawn(holds_and_waits_for, std::ref(never), std::ref(after));
    co_await yield_now();
    EXPECT_EQ(counted::alive, 2);
    waiting.request_stop();
    const result<> ended = co_await waiting;
    EXPECT_EQ(ended, detail::fail(errc::stopped));
  };
  run(body());
  EXPECT_EQ(counted::alive, 0);
  EXPECT_EQ(after, 0);
}

TEST(no_exceptions, a_failed_child_stops_its_scope) {
  manual never;
  int after = 0;
  auto body = [&]() -> async<> {
    auto opens = [&](scope& children) -> async<> {
      children.spawn(waits_for, std::ref(never), std::ref(after));
      children.spawn(positive, -1);
      co_return {};
    };
    co_await !with_scope(opens);
    ADD_FAILURE() << "it went on";
    co_return {};
  };
  EXPECT_EQ(run(body()), detail::fail(errc::closed));
  EXPECT_EQ(counted::alive, 0);
  EXPECT_EQ(after, 0);
}

TEST(no_exceptions, a_scope_gives_its_value_when_its_children_have_ended) {
  int ended = 0;
  auto body = [&]() -> task<int> {
    auto child = [&]() -> task<> {
      co_await sleep_for(1ms);
      ++ended;
    };
    auto opens = [&](scope& children) -> task<int> {
      children.spawn(child);
      children.spawn([&] { ended += await(sleep_for(1ms)).has_value() ? 1 : 0; });
      co_return 7;
    };
    const int value = co_await with_scope(opens);
    co_return value + ended;
  };
  EXPECT_EQ(run(body()), 9);
}

TEST(no_exceptions, a_promise_fulfils_its_future_and_a_dropped_one_is_an_error) {
  auto body = []() -> task<> {
    promise<int> kept;
    future<int> answer = kept.get_future();
    kept.set_value(42);
    const result<int> value = co_await answer;
    EXPECT_EQ(value, 42);
    future<int> never = promise<int>().get_future();
    const result<int> broken = co_await never;
    EXPECT_EQ(broken, detail::fail(errc::broken_promise));
  };
  run(body());
}

// --- Generators and coroutines ---------------------------------------------------------------------------------------

generator<int> counting(int from, int to) {
  const counted held;
  if (from == to) co_return;
  co_yield from;
  co_yield elements_of(counting(from + 1, to));
}

TEST(no_exceptions, generators_recur_and_are_given_up_in_the_middle) {
  std::vector<int> seen;
  for (const int value : counting(0, 5)) seen.push_back(value);
  EXPECT_EQ(seen, (std::vector{0, 1, 2, 3, 4}));
  for (const int value : counting(0, 5)) {
    if (value == 3) break;
  }
  EXPECT_EQ(counted::alive, 0);
}

async_generator<int> counting_slowly(int to) {
  for (int i = 0; i < to; ++i) {
    co_await yield_now();
    co_yield i;
  }
}

TEST(no_exceptions, async_generators_are_iterated_in_a_task_and_on_a_fiber) {
  auto body = []() -> task<int> {
    int total = 0;
    auto add = [&](int value) { total += value; };
    co_await for_each(counting_slowly(5), add);
    co_return total;
  };
  EXPECT_EQ(run(body()), 10);
  EXPECT_EQ(run(fiber{[] {
              int total = 0;
              auto sequence = counting_slowly(5);
              auto at = await(sequence.begin());
              EXPECT_TRUE(at.has_value());
              while (*at != sequence.end()) {
                total += **at;
                EXPECT_TRUE(await(++*at).has_value());
              }
              return total;
            }}),
            10);
}

void visit(int levels) {
  const counted held;
  if (levels == 0) return;
  this_coroutine::yield(levels);
  visit(levels - 1);
}

TEST(no_exceptions, a_coroutine_yields_from_any_depth_to_its_end) {
  std::vector<int> seen;
  coroutine<int> down{visit, 3};
  while (const auto value = down.resume()) seen.push_back(*value);
  EXPECT_EQ(seen, (std::vector{3, 2, 1}));
  EXPECT_EQ(down.status(), coroutine_status::dead);
  EXPECT_EQ(counted::alive, 0);
}

TEST(no_exceptions, a_coroutine_that_has_not_begun_is_destroyed) {
  const coroutine<int> never_resumed{visit, 3};
  EXPECT_EQ(never_resumed.status(), coroutine_status::suspended);
}

TEST(no_exceptions, a_coroutine_on_a_fiber_waits) {
  EXPECT_EQ(run(fiber{[] {
              coroutine<int> waits{[] {
                EXPECT_TRUE(await(sleep_for(1ms)).has_value());
                this_coroutine::yield(1);
                EXPECT_TRUE(await(yield_now()).has_value());
                this_coroutine::yield(2);
              }};
              int total = 0;
              while (const auto value = waits.resume()) total += *value;
              return total;
            }}),
            3);
}

// --- A coroutine of another library ----------------------------------------------------------------------------------

struct foreign {
  struct promise_type {
    foreign get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept {}
  };
};

foreign waits_elsewhere(manual& never, result<int>& seen) { seen = co_await manual_result_operation(never); }

TEST(no_exceptions, a_stop_is_an_error_in_a_coroutine_of_another_library_that_waits_for_a_result) {
  manual never;
  result<int> seen;
  runtime here;
  auto body = [&]() -> async<> {
    waits_elsewhere(never, seen);
    here.request_stop();
    co_return {};
  };
  EXPECT_TRUE(here.run(body()).has_value());
  EXPECT_EQ(seen, detail::fail(errc::stopped));
}

// --- What cannot be done without them --------------------------------------------------------------------------------

TEST(no_exceptions_death, a_suspended_coroutine_cannot_be_destroyed) {
  EXPECT_DEATH(([] {
                 coroutine<int> walk(stack_options{.name = "walk"}, visit, 3);
                 walk.resume();
               }()),
               "coroutine \"walk\" was destroyed while it was suspended, and without exceptions its stack "
               "cannot be unwound; resume it to its end first");
}

TEST(no_exceptions_death, a_stop_of_what_is_run_and_gives_no_result_is_fatal) {
  EXPECT_DEATH(([] {
                 runtime here;
                 auto body = [&]() -> task<> {
                   here.request_stop();
                   co_await sleep_for(1h);
                 };
                 here.run(body());
               }()),
               "what was run was stopped, and has no result to tell it by");
}

TEST(no_exceptions_death, an_error_that_no_caller_takes_is_fatal_and_named) {
  auto body = []() -> task<> { co_await !positive(-1); };
  EXPECT_DEATH(run(body()), "an error reached code that cannot take it: closed");
}

TEST(no_exceptions_death, broken_promises_of_the_caller_are_told) {
  EXPECT_DEATH(static_cast<void>(await(sleep_for(1ms))),
               "await was called outside a fiber; a task waits with co_await");
  EXPECT_DEATH(spawn([] {}), "spawn was called outside a runtime; use run");
  EXPECT_DEATH(this_coroutine::yield(1), "yield was called outside a coroutine");
  EXPECT_DEATH(run(fiber{[] { run(depth(1)); }}), "were called inside a worker; await there instead");
  EXPECT_DEATH(([] {
                 coroutine<int> walk{visit, 0};
                 for (int i = 0; i < 2; ++i) walk.resume();
               }()),
               "coroutine is dead, expected suspended");
}

}  // namespace
