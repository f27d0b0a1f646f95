// Stacks with frames of C code on them, which can be unwound only if that code has unwind information.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include <gtest/gtest.h>

#include <cordage/coroutine.hpp>
#include <cordage/fiber.hpp>
#include <cordage/runtime.hpp>
#include <cordage/stop.hpp>
#include <cordage/time.hpp>

// c_frames.c, both of them; they give one more than the callback.
extern "C" {
int calls_back_with_unwind_information(int (*callback)(void*), void* data);
int calls_back_without_unwind_information(int (*callback)(void*), void* data);
}

namespace {

using namespace cordage;
using calls_back = int(int (*)(void*), void*);

constexpr auto for_ever = std::chrono::hours(1);

struct marks_its_end {
  std::string& where;
  char mark;
  ~marks_its_end() { where += mark; }
};

// Calls a callable through C code.
template <class Callable>
int through(calls_back& c_code, Callable callable) {
  return c_code([](void* data) { return (*static_cast<Callable*>(data))(); }, &callable);
}

// Stops a fiber while it waits.
template <class Body>
result<void> stopped_while_waiting(Body body) {
  runtime rt;
  auto handle = rt.spawn(spawn_options{.name = "caller"}, body);
  auto stopper = [&]() -> task<result<void>> {
    co_await yield_now();
    handle.request_stop();
    co_return co_await handle;
  };
  return rt.run(stopper());
}

int waits_for_ever() {
  await(sleep_for(for_ever));
  return 0;
}

int yields() {
  this_coroutine::yield(1);
  return 0;
}

TEST(c_frames, with_unwind_information_are_unwound_when_their_fiber_is_stopped) {
  std::string ended;
  auto body = [&] {
    marks_its_end outer(ended, 'o');
    through(calls_back_with_unwind_information, [&] {
      marks_its_end inner(ended, 'i');
      return waits_for_ever();
    });
    ended += 'x';
  };
  EXPECT_EQ(stopped_while_waiting(body).error(), errc::stopped);
  EXPECT_EQ(ended, "io");
}

TEST(c_frames, with_unwind_information_are_unwound_when_their_coroutine_is_destroyed) {
  std::string ended;
  {
    coroutine<int> c{[&] {
      marks_its_end outer(ended, 'o');
      through(calls_back_with_unwind_information, [&] {
        marks_its_end inner(ended, 'i');
        return yields();
      });
    }};
    EXPECT_EQ(c.resume(), 1);
  }
  EXPECT_EQ(ended, "io");
}

TEST(c_frames, with_unwind_information_are_unwound_when_a_coroutine_that_they_resume_waits_in_a_stopped_fiber) {
  std::string ended;
  auto body = [&] {
    marks_its_end outer(ended, 'o');
    through(calls_back_with_unwind_information, [&] {
      marks_its_end inner(ended, 'i');
      coroutine<int> c{[&] {
        marks_its_end innermost(ended, 'c');
        waits_for_ever();
      }};
      c.resume();
      return 0;
    });
  };
  EXPECT_EQ(stopped_while_waiting(body).error(), errc::stopped);
  EXPECT_EQ(ended, "cio");
}

TEST(c_frames, without_unwind_information_do_no_harm_to_what_is_not_stopped) {
  int given = 0;
  run(fiber{[&] {
    given = through(calls_back_without_unwind_information, [] {
      await(yield_now());
      return 41;
    });
  }});
  EXPECT_EQ(given, 42);
}

TEST(c_frames, without_unwind_information_may_lie_between_a_shielded_wait_and_its_stop) {
  std::string order;
  auto body = [&] {
    through(calls_back_without_unwind_information, [&] {
      await(shield(sleep_for(std::chrono::milliseconds(5))));
      order += 'i';
      return 0;
    });
    order += 'o';
    await(yield_now());
    order += 'x';
  };
  EXPECT_EQ(stopped_while_waiting(body).error(), errc::stopped);
  EXPECT_EQ(order, "io");
}

// As one does with any exception where C code calls back.
TEST(c_frames, without_unwind_information_may_be_left_by_returning_while_the_stop_is_kept) {
  std::string ended;
  auto body = [&] {
    marks_its_end outer(ended, 'o');
    std::exception_ptr kept;
    through(calls_back_without_unwind_information, [&] {
      marks_its_end inner(ended, 'i');
      try {
        return waits_for_ever();
      } catch (...) {
        kept = std::current_exception();
        return 0;
      }
    });
    ended += 'r';
    if (kept != nullptr) std::rethrow_exception(kept);
    ended += 'x';
  };
  EXPECT_EQ(stopped_while_waiting(body).error(), errc::stopped);
  EXPECT_EQ(ended, "iro");
}

class c_frames_death : public testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(c_frames_death, without_unwind_information_are_reported_with_the_fiber_that_is_stopped) {
  auto body = [] { through(calls_back_without_unwind_information, waits_for_ever); };
  EXPECT_EXIT((void)stopped_while_waiting(body), testing::KilledBySignal(SIGABRT),
              "cordage: fiber \"caller\" was stopped, but between its await and its beginning lies code without unwind "
              "information, .*at .*unit_c_frames\\+0x[0-9a-f]+: compile that with -fexceptions, or shield");
}

TEST_F(c_frames_death, without_unwind_information_are_reported_with_the_coroutine_that_is_destroyed) {
  const auto destroy = [] {
    coroutine<int> c{stack_options{.name = "walk"}, [] { through(calls_back_without_unwind_information, yields); }};
    c.resume();
  };
  EXPECT_EXIT(destroy(), testing::KilledBySignal(SIGABRT),
              "cordage: coroutine \"walk\" was destroyed while it was suspended, but between its yield and its beginning lies "
              "code without unwind information, .*at .*\\+0x[0-9a-f]+: compile that with -fexceptions, or resume");
}

TEST_F(c_frames_death, without_unwind_information_are_reported_where_they_resumed_the_coroutine_that_waits) {
  auto body = [] {
    through(calls_back_without_unwind_information, [] {
      coroutine<int> c{[] { waits_for_ever(); }};
      c.resume();
      return 0;
    });
  };
  EXPECT_EXIT((void)stopped_while_waiting(body), testing::KilledBySignal(SIGABRT), "fiber \"caller\" was stopped, but");
}

// What waits there promises to throw nothing, and the language's own handler is in the way.
TEST_F(c_frames_death, without_unwind_information_are_not_taken_for_a_noexcept_function) {
  auto body = [] {
    through(calls_back_without_unwind_information, []() noexcept { return waits_for_ever(); });
  };
  const auto stop = [&] {
    std::set_terminate([] {
      std::fputs("terminated\n", stderr);
      std::_Exit(7);
    });
    (void)stopped_while_waiting(body);
  };
  EXPECT_EXIT(stop(), testing::ExitedWithCode(7), "^terminated");
}

}  // namespace
