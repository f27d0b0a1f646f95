// Errors of other types than std::error_code, in whatever passes errors on.
#include <cordage/checked.hpp>

#include <string>
#include <system_error>

#include <gtest/gtest.h>

#include <cordage/fiber.hpp>
#include <cordage/runtime.hpp>
#include <cordage/scope.hpp>
#include <cordage/task.hpp>
#include <cordage/time.hpp>

namespace {

using namespace cordage;

// Converts from and to std::error_code, and remembers that it did.
struct own_error {
  own_error(std::error_code from) : code(from), converted(true) {}
  explicit own_error(errc from) : code(from) {}
  operator std::error_code() const { return code; }
  std::error_code code;
  bool converted = false;
};
// Only gives: converts to std::error_code.
struct giving_error {
  operator std::error_code() const { return make_error_code(errc::closed); }
};

template <class T>
using own = std::expected<T, own_error>;

task<own<int>> own_failure() { co_return unexpected(own_error(errc::closed)); }
async<int> failure_here() { co_return unexpected(errc::closed); }

TEST(error_types, an_async_takes_what_converts_to_its_error_and_to_its_value) {
  auto from_own = []() -> async<int> { co_return unexpected(own_error(errc::closed)); };
  auto from_enum = []() -> async<int> { co_return unexpected(errc::lost_race); };
  auto from_expected = []() -> async<long> { co_return own<int>(7); };
  auto from_failed_expected = []() -> async<long> { co_return own<int>(unexpected(own_error(errc::closed))); };
  EXPECT_EQ(run(from_own()).error(), errc::closed);
  EXPECT_EQ(run(from_enum()).error(), errc::lost_race);
  EXPECT_EQ(run(from_expected()).value(), 7);
  EXPECT_EQ(run(from_failed_expected()).error(), errc::closed);
}

TEST(error_types, a_checked_error_is_converted_to_that_of_an_async) {
  bool went_on = false;
  auto middle = [&]() -> async<> {
    co_await !own_failure();
    went_on = true;
    co_return {};
  };
  EXPECT_EQ(run(middle()).error(), errc::closed);
  EXPECT_FALSE(went_on);
}

TEST(error_types, a_checked_error_is_converted_from_std_error_code_without_exceptions) {
  bool went_on = false;
  auto middle = [&]() -> task<own<std::string>> {
    co_await !failure_here();
    went_on = true;
    co_return "unused";
  };
  // As awaited by a task, by a fiber, and as the beginning of a strand.
  auto awaits = [&]() -> task<own<std::string>> { co_return co_await middle(); };
  auto spawns = [&]() -> task<own<std::string>> { co_return co_await spawn(middle); };
  for (const own<std::string>& got : {run(middle()), run(awaits()), run(spawns()), run(fiber{[&] { return await(middle()); }})}) {
    ASSERT_FALSE(got.has_value());
    EXPECT_EQ(got.error().code, errc::closed);
    EXPECT_TRUE(got.error().converted);
  }
  EXPECT_FALSE(went_on);
}

TEST(error_types, an_error_that_only_gives_is_passed_on_where_it_can_be_and_thrown_elsewhere) {
  auto fails = []() -> task<std::expected<int, giving_error>> { co_return unexpected(giving_error()); };
  auto passes_on = [&]() -> async<int> { co_return co_await !fails(); };
  EXPECT_EQ(run(passes_on()).error(), errc::closed);
  // Its own `!` cannot be passed on: std::error_code does not convert to it.
  auto throws = [&]() -> task<std::expected<int, giving_error>> { co_return co_await !failure_here(); };
  EXPECT_THROW((void)run(throws()), std::system_error);
  EXPECT_THROW(run(fiber{[&] { return await(!fails()); }}), std::system_error);
}

TEST(error_types, a_fiber_that_throws_a_system_error_gives_the_error_of_its_type) {
  const own<int> got = run(fiber{[]() -> own<int> { return await(!failure_here()); }});
  ASSERT_FALSE(got.has_value());
  EXPECT_TRUE(got.error().converted);
}

TEST(error_types, a_scope_and_run_give_errors_and_stops_as_the_type_of_the_function) {
  const own<int> failed = run(with_scope([](scope& children) -> task<own<int>> {
    children.spawn([]() -> task<own<int>> { co_return unexpected(own_error(errc::closed)); });
    co_await sleep_for(std::chrono::hours(1));
    co_return 1;
  }));
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code, errc::closed);

  runtime stopped;
  stopped.request_stop();
  const own<int> got = stopped.run([]() -> task<own<int>> {
    co_await sleep_for(std::chrono::hours(1));
    co_return 1;
  }());
  ASSERT_FALSE(got.has_value());
  EXPECT_EQ(got.error().code, errc::stopped);
}

template <class X>
concept can_be_checked = requires(X x) { checked(std::move(x)); };

TEST(error_types, what_does_not_convert_to_std_error_code_cannot_be_checked) {
  static_assert(can_be_checked<task<own<int>>>);
  static_assert(!can_be_checked<task<std::expected<int, std::string>>>);
  static_assert(!can_be_checked<task<own<bool>>>);
}

}  // namespace
