// Unwinders find the way from a fiber or a coroutine that runs into whoever has entered it.
#include <execinfo.h>
#include <unwind.h>

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/coroutine.hpp>
#include <cordage/fiber.hpp>
#include <cordage/runtime.hpp>

namespace {

using namespace cordage;

std::vector<void*> backtrace_here() {
  std::vector<void*> frames(200);
  frames.resize(static_cast<std::size_t>(::backtrace(frames.data(), static_cast<int>(frames.size()))));
  return frames;
}

// Some frame is one of this function.
bool passes(const std::vector<void*>& frames, const void* function) {
  return std::any_of(frames.begin(), frames.end(),
                     [&](void* frame) { return _Unwind_FindEnclosingFunction(frame) == function; });
}

std::vector<void*> seen;

extern "C" [[gnu::noinline]] void backtrace_test_inner() {
  seen = backtrace_here();
  asm volatile("");
}

extern "C" [[gnu::noinline]] void backtrace_test_resumes_inner() {
  coroutine<int> inner{backtrace_test_inner};
  inner.resume();
  asm volatile("");
}

extern "C" [[gnu::noinline]] void backtrace_test_resumes_outer() {
  coroutine<int> outer{backtrace_test_resumes_inner};
  outer.resume();
  asm volatile("");
}

TEST(backtrace, leads_from_a_coroutine_through_its_resumers) {
  seen.clear();
  backtrace_test_resumes_outer();
  EXPECT_TRUE(passes(seen, reinterpret_cast<void*>(&backtrace_test_inner)));
  EXPECT_TRUE(passes(seen, reinterpret_cast<void*>(&backtrace_test_resumes_inner)));
  EXPECT_TRUE(passes(seen, reinterpret_cast<void*>(&backtrace_test_resumes_outer)));
}

void run_a_fiber() {
  run(fiber{[] { backtrace_test_resumes_outer(); }});
}

// Not by itself: GCC may put what it inlines into another part of the function, which unwinders take for one of its own.
extern "C" [[gnu::noinline]] void backtrace_test_runs() {
  void (*runs)() = run_a_fiber;
  asm volatile("" : "+r"(runs));
  runs();
  asm volatile("");
}

TEST(backtrace, leads_from_a_fiber_into_the_thread_that_runs_it) {
  seen.clear();
  backtrace_test_runs();
  EXPECT_TRUE(passes(seen, reinterpret_cast<void*>(&backtrace_test_inner)));
  EXPECT_TRUE(passes(seen, reinterpret_cast<void*>(&backtrace_test_resumes_outer)));
  EXPECT_TRUE(passes(seen, reinterpret_cast<void*>(&backtrace_test_runs)));
}

TEST(backtrace, is_the_same_after_many_switches) {
  coroutine<std::size_t> c{[] {
    for (;;) this_coroutine::yield(backtrace_here().size());
  }};
  const auto first = *c.resume();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(*c.resume(), first);
  EXPECT_GT(first, 4U);
}

}  // namespace
