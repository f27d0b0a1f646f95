#include <cordage/async_generator.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/fiber.hpp>
#include <cordage/runtime.hpp>
#include <cordage/time.hpp>

#include "counted.hpp"

namespace {

using namespace cordage;
using namespace std::chrono_literals;

async_generator<int> up_to(int last) {
  for (int i = 1; i <= last; ++i) {
    if (i % 2 == 0) co_await yield_now();
    co_yield i;
  }
}

TEST(async_generator, is_iterated_in_a_task_and_on_a_fiber) {
  std::vector<int> in_task, on_fiber;
  run([&]() -> task<> {
    auto sequence = up_to(5);
    for (auto it = co_await sequence.begin(); it != sequence.end(); co_await ++it) in_task.push_back(*it);
  }());
  run(fiber{[&] {
    auto sequence = up_to(5);
    for (auto it = await(sequence.begin()); it != sequence.end(); await(++it)) on_fiber.push_back(*it);
  }});
  EXPECT_EQ(in_task, (std::vector{1, 2, 3, 4, 5}));
  EXPECT_EQ(on_fiber, in_task);
}

TEST(async_generator, may_be_empty_and_runs_nothing_before_it_is_asked) {
  run([]() -> task<> {
    bool ran = false;
    auto body = [&]() -> async_generator<int> {
      ran = true;
      co_return;
    };
    auto none = body();
    EXPECT_FALSE(ran);
    const auto at = co_await none.begin();
    EXPECT_TRUE(at == none.end());
    EXPECT_TRUE(ran);
  }());
}

TEST(async_generator, begins_once_and_ends_once) {
  run([]() -> task<> {
    auto one = up_to(1);
    auto at = co_await one.begin();
    int refused = 0;
    try {
      (void)co_await one.begin();
    } catch (const std::logic_error&) {
      ++refused;
    }
    co_await ++at;
    EXPECT_TRUE(at == one.end());
    try {
      co_await ++at;
    } catch (const std::logic_error&) {
      ++refused;
    }
    EXPECT_EQ(refused, 2);
  }());
  EXPECT_THROW(run(fiber{[] {
                 auto none = up_to(0);
                 auto at = await(none.begin());
                 await(++at);
               }}),
               std::logic_error);
}

TEST(async_generator, throws_what_its_body_throws_and_has_ended_then) {
  auto body = []() -> async_generator<int> {
    co_yield 1;
    co_await yield_now();
    throw std::runtime_error("second");
  };
  run([&]() -> task<> {
    auto sequence = body();
    auto at = co_await sequence.begin();
    std::string what;
    try {
      co_await ++at;
    } catch (const std::runtime_error& e) {
      what = e.what();
    }
    EXPECT_EQ(what, "second");
    EXPECT_TRUE(at == sequence.end());
  }());
}

TEST(async_generator, may_yield_errors) {
  auto body = []() -> async_generator<result<int>> {
    co_yield 1;
    co_yield unexpected(make_error_code(errc::closed));
    co_yield 3;
  };
  std::vector<result<int>> got;
  auto keep = [&](const result<int>& each) { got.push_back(each); };
  run(for_each(body(), keep));
  ASSERT_EQ(got.size(), 3U);
  EXPECT_EQ(got[0], 1);
  EXPECT_EQ(got[1].error(), errc::closed);
  EXPECT_EQ(got[2], 3);
}

TEST(async_generator, leaves_what_is_const_as_it_is) {
  const std::string text = "constant";
  auto body = [&]() -> async_generator<std::string> { co_yield text; };
  run(for_each(body(), [](std::string& copy) { copy.clear(); }));
  EXPECT_EQ(text, "constant");
}

TEST(async_generator, destroys_its_locals_once_wherever_it_ends) {
  auto body = []() -> async_generator<std::unique_ptr<int>> {
    const counted local(1);
    for (int i = 0;; ++i) {
      co_yield std::make_unique<int>(i);
      co_await yield_now();
    }
  };
  counted::alive = 0;
  run([&]() -> task<> {
    auto sequence = body();
    auto at = co_await sequence.begin();
    co_await ++at;
    EXPECT_EQ(**at, 1);
    EXPECT_EQ(counted::alive, 1);
  }());
  EXPECT_EQ(counted::alive, 0);
  { auto never_begun = body(); }
}

TEST(async_generator, is_stopped_in_its_innermost_wait) {
  counted::alive = 0;
  auto deep = []() -> task<> {
    const counted local(2);
    co_await sleep_for(24h);
  };
  auto body = [&]() -> async_generator<int> {
    const counted local(1);
    co_yield 1;
    co_await deep();
    co_yield 2;
  };
  run([&]() -> task<> {
    auto in_task = [&]() -> task<> {
      auto sequence = body();
      auto at = co_await sequence.begin();
      co_await ++at;
      ADD_FAILURE() << "went on";
    };
    auto on_fiber = [&] {
      auto sequence = body();
      auto at = await(sequence.begin());
      await(++at);
      ADD_FAILURE() << "went on";
    };
    auto one = spawn(in_task);
    auto other = spawn(on_fiber);
    co_await yield_now();
    co_await yield_now();
    EXPECT_EQ(counted::alive, 4);
    one.request_stop();
    other.request_stop();
    EXPECT_EQ((co_await one).error(), errc::stopped);
    EXPECT_EQ((co_await other).error(), errc::stopped);
  }());
  EXPECT_EQ(counted::alive, 0);
}

TEST(async_generator, of_many_elements_does_not_grow_the_stack) {
  auto body = []() -> async_generator<int> {
    for (int i = 0; i < 300'000; ++i) co_yield i;
  };
  long sum = 0;
  run(for_each(body(), [&](int i) { sum += i; }));
  EXPECT_EQ(sum, 300'000L * 299'999 / 2);
}

// --- for_each ---

TEST(for_each, takes_functions_of_four_kinds) {
  run([]() -> task<> {
    int sum = 0;
    co_await for_each(up_to(4), [&](int i) { sum += i; });
    EXPECT_EQ(sum, 10);
    sum = 0;
    co_await for_each(up_to(4), [&](int i) {
      sum += i;
      return i < 2;
    });
    EXPECT_EQ(sum, 3);
    sum = 0;
    co_await for_each(up_to(4), [&](int i) -> task<> {
      co_await yield_now();
      sum += i;
    });
    EXPECT_EQ(sum, 10);
    sum = 0;
    co_await for_each(up_to(4), [&](int i) -> task<bool> {
      co_await yield_now();
      sum += i;
      co_return i < 3;
    });
    EXPECT_EQ(sum, 6);
  }());
}

TEST(for_each, leaves_a_named_generator_where_it_is) {
  run(fiber{[] {
    auto sequence = up_to(4);
    int seen = 0;
    await(for_each(sequence, [&](int i) { return (seen = i) < 2; }));
    EXPECT_EQ(seen, 2);
  }});
}

}  // namespace
