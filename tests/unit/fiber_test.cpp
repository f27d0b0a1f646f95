#include <cordage/fiber.hpp>

#include <cfenv>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/runtime.hpp>
#include <cordage/task.hpp>

#include "counted.hpp"
#include "death_tests.hpp"
#include "many_fibers.hpp"
#include "manual_operation.hpp"
#include "slowly.hpp"

namespace {

using namespace cordage;

task<int> give(int value) { co_return value; }
task<int> give_later(int value) {
  co_await yield_now();
  co_return value;
}

// From the depth of ordinary calls.
int deep_sum(int depth) {
  if (depth == 0) return await(give_later(1));
  return 1 + deep_sum(depth - 1);
}

TEST(fiber, is_lazy_and_keeps_its_arguments_by_value) {
  counted::alive = 0;
  bool ran = false;
  {
    fiber never_awaited{[&](const counted&) { ran = true; }, counted(1)};
    EXPECT_TRUE(never_awaited.valid());
    EXPECT_EQ(counted::alive, 1);
  }
  EXPECT_FALSE(ran);
  EXPECT_EQ(counted::alive, 0);
}

TEST(fiber, awaits_from_any_depth_of_ordinary_calls) {
  // The frames of GCC's AddressSanitizer take a KiB each.
  const fiber_options with_room{.stack_size = config::sanitized ? 256U * 1024 : fiber_options{}.stack_size};
  EXPECT_EQ(run(fiber{with_room, deep_sum, 100}), 101);
}

TEST(fiber, is_awaited_by_tasks_and_by_fibers) {
  run([]() -> task<> {
    fiber inner{[](int a, int b) { return a + await(give_later(b)); }, 1, 2};
    EXPECT_EQ(co_await inner, 3);
    EXPECT_FALSE(inner.valid());
  }());
  run(fiber{[] {
    fiber inner{[](int a) { return a + await(give(1)); }, 4};
    EXPECT_EQ(await(inner), 5);
    EXPECT_EQ(await(fiber{deep_sum, 3}), 4);
  }});
}

TEST(fiber, gives_references_and_what_can_only_be_moved) {
  int target = 1;
  run(fiber{[&] {
    fiber reference{[&]() -> int& { return target; }};
    await(reference) = 2;
    fiber pointer{[] { return std::make_unique<int>(3); }};
    EXPECT_EQ(*await(pointer), 3);
    fiber takes{[](std::unique_ptr<int> p) { return *p; }, std::make_unique<int>(4)};
    EXPECT_EQ(await(takes), 4);
  }});
  EXPECT_EQ(target, 2);
}

TEST(fiber, throws_the_exception_of_its_function_at_the_await) {
  run([]() -> task<> {
    fiber thrower{[] {
      await(yield_now());
      throw std::runtime_error("three");
    }};
    std::string what;
    try {
      co_await thrower;
    } catch (const std::runtime_error& e) {
      what = e.what();
    }
    EXPECT_EQ(what, "three");
  }());
}

TEST(fiber, that_returns_a_result_turns_a_system_error_into_its_error) {
  const auto ended = run(fiber{[]() -> result<int> { throw std::system_error(make_error_code(errc::closed)); }});
  EXPECT_EQ(ended.error(), errc::closed);
  EXPECT_THROW((void)run(fiber{[]() -> result<int> { throw std::logic_error("other"); }}), std::logic_error);
}

TEST(fiber, follows_the_protocol_of_operations) {
  manual m;
  runtime rt;
  rt.spawn([&] {
    while (m.waiter == nullptr) await(yield_now());
    m.complete(4);
  });
  EXPECT_EQ(rt.run(fiber{[&] { return await(manual_operation(m)); }}), 4);
  EXPECT_EQ(m.readies, 1);
  EXPECT_EQ(m.starts, 1);
  EXPECT_EQ(m.gets, 1);
}

TEST(fiber, goes_on_at_once_where_an_operation_completes_in_start) {
  manual m;
  m.completes_in_start = true;
  m.value = 9;
  EXPECT_EQ(run(fiber{[&] { return await(manual_operation(m)); }}), 9);
}

TEST(fiber, does_not_starve_others_by_operations_that_are_ready) {
  manual always;
  always.is_ready = true;
  int turns_of_others = 0;
  runtime rt;
  rt.spawn([&] {
    for (int i = 0; i < 3; ++i) {
      ++turns_of_others;
      await(yield_now());
    }
  });
  rt.run(fiber{[&] {
    for (int i = 0; i < 100'000; ++i) await(manual_operation(always));
    EXPECT_EQ(turns_of_others, 3);
  }});
}

TEST(fiber, keeps_its_exception_apart_from_those_of_others) {
  // Each waits inside its catch block and rethrows what it caught, not what another caught meanwhile.
  runtime rt;
  std::vector<std::string> rethrown(3);
  auto body = [&](std::size_t i) {
    try {
      throw std::runtime_error("of fiber " + std::to_string(i));
    } catch (...) {
      await(yield_now());
      try {
        throw;
      } catch (const std::runtime_error& e) {
        rethrown[i] = e.what();
      }
    }
  };
  for (std::size_t i = 0; i < rethrown.size(); ++i) rt.spawn(body, i);
  rt.run(yield_now());
  EXPECT_EQ(rethrown, (std::vector<std::string>{"of fiber 0", "of fiber 1", "of fiber 2"}));
}

TEST(fiber, counts_uncaught_exceptions_for_itself) {
  runtime rt;
  int during_unwinding = -1, in_the_other = -1;
  rt.spawn([&] {
    try {
      at_exit waits_while_unwinding{[&] {
        await(yield_now());
        during_unwinding = std::uncaught_exceptions();
      }};
      throw std::runtime_error("x");
    } catch (const std::runtime_error&) {
    }
  });
  rt.spawn([&] { in_the_other = std::uncaught_exceptions(); });
  rt.run(yield_now());
  EXPECT_EQ(during_unwinding, 1);
  EXPECT_EQ(in_the_other, 0);
}

TEST(fiber, keeps_registers_and_floating_point_values_across_waits) {
  auto body = [](double start, long steps) {
    double a = start, b = start * 2, c = start * 3, d = start * 4;
    long i = 1, j = 2, k = 3, l = 4, m = 5, n = 6;
    for (long step = 0; step < steps; ++step) {
      a += 1, b += a, c += b, d += c;
      i += 1, j += i, k += j, l += k, m += l, n += m;
      await(yield_now());
    }
    return a + b + c + d + static_cast<double>(i + j + k + l + m + n);
  };
  const auto expected = [](double start, long steps) {
    double a = start, b = start * 2, c = start * 3, d = start * 4;
    long i = 1, j = 2, k = 3, l = 4, m = 5, n = 6;
    for (long step = 0; step < steps; ++step) a += 1, b += a, c += b, d += c, i += 1, j += i, k += j, l += k, m += l, n += m;
    return a + b + c + d + static_cast<double>(i + j + k + l + m + n);
  };
  runtime rt;
  std::vector<join_handle<double>> handles;
  for (int f = 0; f < 10; ++f) handles.push_back(rt.spawn(body, f * 0.5, 20L));
  rt.run([&]() -> task<> {
    for (int f = 0; f < 10; ++f) EXPECT_EQ(co_await handles[static_cast<std::size_t>(f)], expected(f * 0.5, 20));
  }());
}

TEST(fiber, has_an_aligned_stack_and_room_on_it) {
  run(fiber{fiber_options{.stack_size = 256 * 1024}, [] {
    alignas(64) volatile char big[128 * 1024];
    asm volatile("" : : "r"(big) : "memory");  // or the compiler would keep its two ends only
    big[0] = 1;
    big[sizeof big - 1] = 2;
    await(yield_now());
    EXPECT_EQ(big[0] + big[sizeof big - 1], 3);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&big) % 64, 0U);
    EXPECT_GE(this_fiber::stack_high_water(), sizeof big);
    EXPECT_LT(this_fiber::stack_high_water(), 256U * 1024);
  }});
  EXPECT_EQ(this_fiber::stack_high_water(), 0U);
}

TEST(fiber, has_a_name) {
  EXPECT_EQ(this_fiber::name(), "");
  EXPECT_FALSE(this_fiber::running());
  run(fiber{fiber_options{.name = "reader"}, [] {
    EXPECT_TRUE(this_fiber::running());
    EXPECT_EQ(this_fiber::name(), "reader");
    await(fiber{[] { EXPECT_EQ(this_fiber::name(), "unnamed"); }});
    const std::string long_name(100, 'n');
    await(fiber{fiber_options{.name = long_name}, [] { EXPECT_EQ(this_fiber::name(), std::string(29, 'n')); }});
    await(fiber{[] { EXPECT_EQ(this_fiber::name(), "unnamed"); }});  // on the same stack
    EXPECT_EQ(this_fiber::name(), "reader");
  }});
}

TEST(fiber, refuses_arguments_that_do_not_fit_on_its_stack) {
  struct huge {
    char bytes[100 * 1024];
  };
  EXPECT_THROW((void)(fiber{[](const huge&) {}, huge{}}), std::length_error);
  EXPECT_EQ(run(fiber{fiber_options{.stack_size = 1024 * 1024}, [](const huge& h) { return h.bytes[5]; }, huge{}}), 0);
}

static_assert(!std::is_copy_constructible_v<fiber<int>>);

TEST(fiber_death, must_not_be_awaited_twice) {
  support::prepare_death_test();
  EXPECT_DEATH(run(fiber{[] {
                 auto once = fiber{[] { return 1; }};
                 await(once);
                 await(once);
               }}),
               "awaited before");
}

TEST(await, outside_a_fiber_says_what_to_do) {
  std::string what;
  try {
    await(yield_now());
  } catch (const not_in_fiber& e) {
    what = e.what();
  }
  EXPECT_NE(what.find("co_await"), std::string::npos);
  EXPECT_NE(what.find("sync_wait"), std::string::npos);
  EXPECT_THROW(run([]() -> task<> {
                 await(yield_now());
                 co_return;
               }()),
               not_in_fiber);
}

TEST(fibers, run_on_many_threads_each_with_their_own) {
  std::vector<std::thread> threads;
  std::atomic<int> sum{0};
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      runtime rt;
      for (int f = 0; f < 50; ++f) rt.spawn([&] { sum += deep_sum(20); });
      rt.run(yield_now());
    });
  for (auto& t : threads) t.join();
  EXPECT_EQ(sum, 4 * 50 * 21);
}

TEST(fiber, is_suspended_with_a_hundred_thousand_others) {
  support::suspend_and_resume(support::slowly ? 1'000 : 100'000);
}

}  // namespace
