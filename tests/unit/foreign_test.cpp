// Awaitables and coroutines of others together with ours.
#include <cordage/strands/foreign.hpp>

#include <coroutine>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/async_generator.hpp>
#include <cordage/fiber.hpp>
#include <cordage/runtime.hpp>
#include <cordage/task.hpp>
#include <cordage/time.hpp>

#include "counted.hpp"
#include "slowly.hpp"

namespace {

using namespace cordage;

// A queue of somebody else's, whose awaiters wait for a number.
struct mailbox {
  std::coroutine_handle<> waiter;
  int letter = 0;

  struct awaiter {
    mailbox& box;
    const std::thread::id asked_on = std::this_thread::get_id();
    bool await_ready() const noexcept { return box.letter != 0; }
    void await_suspend(std::coroutine_handle<> h) noexcept { box.waiter = h; }
    int await_resume() const {
      EXPECT_EQ(std::this_thread::get_id(), asked_on) << "the strand's own thread";
      if (box.letter < 0) throw std::runtime_error("returned to sender");
      return box.letter;
    }
  };
  awaiter operator co_await() noexcept { return awaiter{*this}; }

  void deliver(int number) {
    letter = number;
    if (waiter) std::exchange(waiter, nullptr).resume();
  }
};

TEST(foreign_awaitable, is_awaited_in_a_task_and_in_a_fiber) {
  run([]() -> task<> {
    mailbox full{.waiter = {}, .letter = 3};
    EXPECT_EQ(co_await full, 3);
    auto reads = [&] { EXPECT_EQ(await(full), 3); };
    fiber reader{reads};
    co_await reader;

    mailbox box;
    auto delivers = [&] { box.deliver(4); };
    spawn(delivers);
    EXPECT_EQ(co_await box, 4);
    mailbox other;
    auto waits = [&] { EXPECT_EQ(await(other), 5); };
    auto waiting = spawn(waits);
    co_await yield_now();
    other.deliver(5);
    EXPECT_TRUE((co_await waiting).has_value());
  }());
}

TEST(foreign_awaitable, that_another_thread_resumes_goes_on_at_home) {
  mailbox to_task, to_fiber;
  std::thread postman;
  run([&]() -> task<> {
    auto waits = [&] {
      const auto home = std::this_thread::get_id();
      EXPECT_EQ(await(to_fiber), 7);
      EXPECT_EQ(std::this_thread::get_id(), home);
    };
    auto waiting = spawn(waits);
    auto posts = [&] {
      postman = std::thread([&] {
        to_fiber.deliver(7);
        to_task.deliver(6);
      });
    };
    spawn(posts);
    const auto home = std::this_thread::get_id();
    EXPECT_EQ(co_await to_task, 6);
    EXPECT_EQ(std::this_thread::get_id(), home);
    EXPECT_TRUE((co_await waiting).has_value());
  }());
  postman.join();
}

TEST(foreign_awaitable, throws_what_it_throws) {
  run([]() -> task<> {
    mailbox box;
    auto delivers = [&] { box.deliver(-1); };
    spawn(delivers);
    std::string what;
    try {
      co_await box;
    } catch (const std::runtime_error& e) {
      what = e.what();
    }
    EXPECT_EQ(what, "returned to sender");
  }());
}

struct throws_when_suspended {
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<>) const { throw std::runtime_error("not today"); }
  void await_resume() const noexcept {}
};

TEST(foreign_awaitable, may_throw_when_it_suspends) {
  run([]() -> task<> {
    bool caught = false;
    try {
      co_await throws_when_suspended();
    } catch (const std::runtime_error&) {
      caught = true;
    }
    EXPECT_TRUE(caught);
  }());
  EXPECT_THROW(run(fiber{[] { await(throws_when_suspended()); }}), std::runtime_error);
}

struct gives_counted {
  counted value;
  bool await_ready() const noexcept { return true; }
  void await_suspend(std::coroutine_handle<>) const noexcept {}
  counted await_resume() { return std::move(value); }
};

TEST(foreign_awaitable, is_kept_while_it_is_awaited_and_destroyed_once) {
  counted::alive = 0;
  run([]() -> task<> {
    gives_counted named{counted(1)};
    const counted from_lvalue = co_await named;
    EXPECT_EQ(from_lvalue.value, 1);
    const counted from_rvalue = co_await std::move(named);
    EXPECT_EQ(counted::alive, 3);
    auto in_fiber = [] { EXPECT_EQ(await(gives_counted{counted(2)}).value, 2); };
    fiber f{in_fiber};
    co_await f;
    EXPECT_EQ(counted::alive, 3);
  }());
  EXPECT_EQ(counted::alive, 0);
}

TEST(foreign_awaitable, cannot_be_stopped_but_the_strand_is_when_it_has_completed) {
  run([]() -> task<> {
    mailbox box;
    bool went_on = false;
    auto waits = [&]() -> task<> {
      co_await box;
      went_on = true;
    };
    auto waits_on_fiber = [&] {
      await(box);
      went_on = true;
    };
    auto waiting = spawn(waits);
    co_await yield_now();
    waiting.request_stop();
    for (int i = 0; i < 3; ++i) co_await yield_now();
    EXPECT_TRUE(box.waiter) << "it is still awaited";
    box.deliver(1);
    EXPECT_EQ((co_await waiting).error(), errc::stopped);
    EXPECT_FALSE(went_on);

    box.letter = 0;
    auto on_fiber = spawn(waits_on_fiber);
    co_await yield_now();
    on_fiber.request_stop();
    co_await yield_now();
    co_await yield_now();
    EXPECT_TRUE(box.waiter);
    box.deliver(2);
    EXPECT_EQ((co_await on_fiber).error(), errc::stopped);
    EXPECT_FALSE(went_on);
  }());
}

TEST(foreign_awaitable, that_is_always_ready_or_resumes_at_once_does_not_grow_the_stack) {
  struct at_once {
    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<>) const noexcept { return false; }
    void await_resume() const noexcept {}
  };
  struct resumes {
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> h) const { h.resume(); }
    void await_resume() const noexcept {}
  };
  constexpr int rounds = support::slowly ? 10'000 : 300'000;
  run([]() -> task<> {
    for (int i = 0; i < rounds; ++i) {
      co_await std::suspend_never();
      co_await at_once();
      co_await resumes();
    }
  }());
  run(fiber{[] {
    for (int i = 0; i < rounds; ++i) {
      await(std::suspend_never());
      await(at_once());
      await(resumes());
    }
  }});
}

// --- our operations in coroutines of others ---

// Somebody else's coroutine: eager, detached, and awaitable itself.
struct theirs {
  struct promise_type {
    std::coroutine_handle<> waiter;
    std::exception_ptr failure;
    bool done = false;

    theirs get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    struct last {
      bool await_ready() noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> self) noexcept {
        self.promise().done = true;
        return self.promise().waiter ? self.promise().waiter : std::noop_coroutine();
      }
      void await_resume() noexcept {}
    };
    last final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { failure = std::current_exception(); }
  };

  std::coroutine_handle<promise_type> frame;

  bool await_ready() const { return frame.promise().done; }
  void await_suspend(std::coroutine_handle<> h) { frame.promise().waiter = h; }
  void await_resume() const {
    if (frame.promise().failure) std::rethrow_exception(frame.promise().failure);
  }
  void end() { frame.destroy(); }
};

async<int> fails_later() {
  co_await yield_now();
  co_return unexpected(make_error_code(errc::closed));
}
task<int> gives_later(int value) {
  co_await yield_now();
  co_return value;
}

TEST(foreign_coroutine, awaits_our_operations_tasks_and_fibers) {
  int steps = 0;
  auto body = [&]() -> theirs {
    co_await yield_now();
    ++steps;
    co_await sleep_for(std::chrono::milliseconds(1));
    const int value = co_await gives_later(5);
    EXPECT_EQ(value, 5);
    fiber squared{[] {
      await(yield_now());
      return 49;
    }};
    EXPECT_EQ(co_await squared, 49);
    const result<int> failed = co_await fails_later();
    EXPECT_EQ(failed.error(), errc::closed);
    bool thrown = false;
    try {
      (void)co_await !fails_later();
    } catch (const std::system_error& e) {
      thrown = e.code() == errc::closed;
    }
    EXPECT_TRUE(thrown);
    ++steps;
  };
  run([&]() -> task<> {
    theirs running = body();
    EXPECT_EQ(steps, 0);
    co_await running;  // there and back
    EXPECT_EQ(steps, 2);
    running.end();
  }());
}

TEST(foreign_coroutine, keeps_the_runtime_until_its_wait_is_over) {
  bool ended = false;
  auto body = [&]() -> theirs {
    co_await sleep_for(std::chrono::milliseconds(1));
    ended = true;
  };
  std::optional<theirs> running;
  run([&]() -> task<> {
    running = body();
    co_return;
  }());
  EXPECT_TRUE(ended);
  running->end();
}

TEST(foreign_coroutine, gets_an_error_when_the_runtime_is_stopped) {
  runtime rt;
  std::error_code got, later;
  auto body = [&]() -> theirs {
    try {
      co_await sleep_for(std::chrono::hours(1));
    } catch (const std::system_error& e) {
      got = e.code();
    }
    try {
      co_await yield_now();
    } catch (const std::system_error& e) {
      later = e.code();
    }
  };
  std::optional<theirs> running;
  EXPECT_THROW(rt.run([&]() -> task<> {
    running = body();
    co_await yield_now();
    rt.request_stop();
    co_await sleep_for(std::chrono::hours(1));
  }()),
               stopped_error);
  EXPECT_EQ(got, errc::stopped);
  EXPECT_EQ(later, errc::stopped) << "a stop is sticky";
  running->end();
}

// A coroutine that knows what a stop is.
struct stoppable {
  struct promise_type {
    static inline bool told = false;
    stoppable get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
    std::coroutine_handle<> unhandled_stopped() noexcept {
      told = true;
      return std::noop_coroutine();
    }
  };
  std::coroutine_handle<promise_type> frame;
};

TEST(foreign_coroutine, is_told_of_a_stop_where_its_promise_can_hear) {
  counted::alive = 0;
  runtime rt;
  stoppable::promise_type::told = false;
  auto body = []() -> stoppable {
    const counted local(1);
    co_await sleep_for(std::chrono::hours(1));
    ADD_FAILURE() << "went on";
  };
  std::optional<stoppable> waiting;
  EXPECT_THROW(rt.run([&]() -> task<> {
    waiting = body();
    co_await yield_now();
    rt.request_stop();
    co_await sleep_for(std::chrono::hours(1));
  }()),
               stopped_error);
  EXPECT_TRUE(stoppable::promise_type::told);
  EXPECT_EQ(counted::alive, 1);
  waiting->frame.destroy();
  EXPECT_EQ(counted::alive, 0);
}

TEST(foreign_coroutine, is_thrown_what_an_operation_throws_before_it_waits) {
  auto none = []() -> async_generator<int> { co_return; };
  bool refused = false;
  auto body = [&]() -> theirs {
    auto sequence = none();
    auto at = co_await sequence.begin();
    try {
      co_await ++at;
    } catch (const std::logic_error&) {
      refused = true;
    }
  };
  std::optional<theirs> running;
  run([&]() -> task<> {
    running = body();
    co_return;
  }());  // ends: no wait is left over
  EXPECT_TRUE(refused);
  running->end();
}

TEST(foreign_coroutine, may_not_await_ours_outside_a_runtime) {
  auto body = []() -> theirs { co_await yield_now(); };
  theirs refused = body();
  EXPECT_THROW(refused.await_resume(), std::logic_error);
  refused.end();
}

TEST(foreign_coroutine, may_be_destroyed_while_it_waits_for_what_can_be_withdrawn) {
  counted::alive = 0;
  auto deep = [](counted) -> task<> {
    const counted local(2);
    co_await sleep_for(std::chrono::hours(1));
    ADD_FAILURE() << "went on";
  };
  auto deeper = [&]() -> task<> {
    const counted local(1);
    co_await deep(counted(3));
  };
  auto body = [&](bool in_a_task) -> theirs {
    const counted local(0);
    if (in_a_task) co_await deeper();
    co_await sleep_for(std::chrono::hours(1));
  };
  run([&]() -> task<> {
    theirs at_an_operation = body(false);
    theirs in_a_task = body(true);
    co_await yield_now();
    EXPECT_EQ(counted::alive, 6);
    at_an_operation.end();
    EXPECT_EQ(counted::alive, 5);
    in_a_task.end();
    EXPECT_EQ(counted::alive, 0);
  }());
}

TEST(foreign_coroutine_death, must_not_be_destroyed_when_it_is_too_late_to_withdraw) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  auto body = []() -> theirs { co_await yield_now(); };
  EXPECT_DEATH(run([&]() -> task<> {
                 theirs ready = body();
                 ready.end();
                 co_return;
               }()),
               "can no longer be withdrawn");
}

}  // namespace
