// Awaitables and coroutines of others together with ours.
#include <cordage/strands/foreign.hpp>

#include <coroutine>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/fiber.hpp>
#include <cordage/runtime.hpp>
#include <cordage/task.hpp>

#include "counted.hpp"

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
  constexpr int rounds = config::sanitized ? 10'000 : 300'000;
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

}  // namespace
