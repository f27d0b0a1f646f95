#include <cordage/checked.hpp>

#include <string>
#include <type_traits>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/fiber.hpp>
#include <cordage/runtime.hpp>
#include <cordage/task.hpp>

#include "counted.hpp"
#include "manual_operation.hpp"

namespace {

using namespace cordage;

async<int> fails() { co_return unexpected(make_error_code(errc::closed)); }
async<int> fails_later() {
  co_await yield_now();
  co_return unexpected(make_error_code(errc::closed));
}
async<int> succeeds(int value) { co_return value; }

TEST(checked, gives_the_value_in_tasks_asyncs_and_fibers) {
  run([]() -> task<> { EXPECT_EQ(co_await !succeeds(3), 3); }());
  EXPECT_EQ(run([]() -> async<int> { co_return co_await !succeeds(4) + 1; }()), 5);
  EXPECT_EQ(run(fiber{[] { return await(!succeeds(6)); }}), 6);
  EXPECT_EQ(run(!succeeds(7)), 7);
}

TEST(checked, throws_a_system_error_in_a_task_and_in_a_fiber) {
  run([]() -> task<> {
    std::error_code code;
    try {
      co_await !fails();
    } catch (const std::system_error& e) {
      code = e.code();
    }
    EXPECT_EQ(code, errc::closed);
  }());
  run(fiber{[] {
    std::error_code code;
    try {
      await(!fails_later());
    } catch (const std::system_error& e) {
      code = e.code();
    }
    EXPECT_EQ(code, errc::closed);
  }});
  EXPECT_THROW(run(!fails()), std::system_error);
}

TEST(checked, in_an_async_skips_the_rest_and_reaches_the_first_caller_that_looks) {
  std::vector<std::string> order;
  auto inner = [&](int) -> async<> {
    at_exit note{[&] { order.push_back("inner destroyed"); }};
    co_await !fails_later();
    order.push_back("never");
    co_return {};
  };
  auto middle = [&](int) -> async<> {
    at_exit note{[&] { order.push_back("middle destroyed"); }};
    co_await !inner(1);
    order.push_back("never");
    co_return {};
  };
  auto outer = [&](int) -> async<int> {
    const auto looked = co_await middle(1);
    order.push_back("looked: " + looked.error().message());
    co_return 1;
  };
  EXPECT_EQ(run(outer(1)), 1);
  EXPECT_EQ(order, (std::vector<std::string>{"inner destroyed", "middle destroyed", "looked: closed"}));
}

TEST(checked, propagates_through_a_task_whose_value_is_a_result) {
  auto body = []() -> task<result<int>> { co_return co_await !fails() + 1; };
  EXPECT_EQ(run(body()).error(), errc::closed);
}

async<> deep(int depth) {
  if (depth == 0) {
    co_await !fails_later();
  } else {
    co_await !deep(depth - 1);
  }
  co_return {};
}

TEST(checked, propagates_through_a_deep_chain_without_growing_the_stack) {
  EXPECT_EQ(run(deep(config::gcc12 && config::sanitized ? 1'000 : 200'000)).error(), errc::closed);
}

TEST(checked, works_on_operations_that_are_ready_that_complete_in_start_and_that_complete_later) {
  for (const int value : {5, -1}) {
    for (const std::string how : {"ready", "in start", "later"}) {
      manual m;
      m.value = value;
      m.is_ready = how == "ready";
      m.completes_in_start = how == "in start";
      runtime rt;
      auto completer = [&]() -> task<> {
        while (m.waiter == nullptr) co_await yield_now();
        m.complete(value);
      };
      if (how == "later") rt.spawn(completer);
      auto body = [&]() -> async<int> { co_return co_await !manual_result_operation(m); };
      const auto got = rt.run(body());
      SCOPED_TRACE(how);
      if (value > 0) {
        EXPECT_EQ(got, value);
      } else {
        EXPECT_EQ(got.error(), errc::closed);
      }
      EXPECT_EQ(m.gets, 1);
    }
  }
}

TEST(checked, destroys_every_frame_on_the_way_once) {
  counted::alive = 0;
  auto leaf = [](counted) -> async<> {
    counted local;
    co_await !fails_later();
    co_return {};
  };
  auto middle = [&](counted c) -> async<> {
    counted local;
    co_await !leaf(c);
    co_return {};
  };
  EXPECT_FALSE(run(middle(counted())).has_value());
  EXPECT_EQ(counted::alive, 0);
}

template <class X>
concept can_be_checked = requires(X x) { checked(std::move(x)); };
template <class X>
concept can_be_negated = requires(X x) { !std::move(x); };

TEST(checked, is_deleted_for_a_result_of_bool_and_absent_without_a_result) {
  static_assert(can_be_checked<async<int>> && can_be_negated<async<int>>);
  static_assert(can_be_checked<task<result<int>>>);
  static_assert(!can_be_checked<async<bool>> && !can_be_negated<async<bool>>);
  static_assert(!can_be_checked<task<int>> && !can_be_negated<task<int>>);
}

}  // namespace
