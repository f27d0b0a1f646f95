// A stack that overflows ends the program, with a message that says whose it was.
#include <setjmp.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include <cordage/coroutine.hpp>
#include <cordage/fiber.hpp>
#include <cordage/runtime.hpp>

#include "death_tests.hpp"
#include "system_calls.hpp"

namespace {

using namespace cordage;

// Frame after frame.
[[gnu::noinline]] int descend(int depth, const char* above) {
  char frame[512];
  asm volatile("" : : "r"(frame), "r"(above) : "memory");
  const int deeper = depth == 0 ? 0 : descend(depth - 1, frame);
  asm volatile("" : : "r"(frame) : "memory");
  return deeper + 1;
}

// One frame larger than any stack here, of which only the far end is touched.
[[gnu::noinline]] int leap() {
  char frame[300 * 1024];
  asm volatile("" : : "r"(frame) : "memory");
  frame[0] = 1;
  asm volatile("" : : "r"(frame) : "memory");
  return frame[0];
}

// Where no stack is.
void fault() {
  auto* nowhere = reinterpret_cast<volatile int*>(std::size_t{8});
  asm volatile("" : "+r"(nowhere));
  *nowhere = 1;
}

// Our message has the name of a stack in it, in quotes. An emulator may say something itself.
constexpr const char* nothing_of_ours = "^[^\"]*$";

class overflow_death : public testing::Test {
 protected:
  void SetUp() override {
    if (config::sanitized) GTEST_SKIP() << "a sanitizer has a handler of its own";
    support::prepare_death_test();
  }
};

TEST_F(overflow_death, of_a_fiber_names_it_and_its_size) {
  EXPECT_EXIT(run(fiber{fiber_options{.name = "deep"}, [] { descend(1'000'000, nullptr); }}),
              testing::KilledBySignal(support::protection_fault), "fiber \"deep\" overflowed its 64 KiB stack");
}

TEST_F(overflow_death, of_a_spawned_fiber_on_another_thread_is_reported_too) {
  const auto overflow = [] {
    std::thread([] {
      runtime rt;
      auto deep = [] { descend(1'000'000, nullptr); };
      rt.spawn(spawn_options{.name = "worker", .stack_size = 256 * 1024}, deep);
      rt.run(yield_now());
    }).join();
  };
  EXPECT_EXIT(overflow(), testing::KilledBySignal(support::protection_fault), "fiber \"worker\" overflowed its 256 KiB stack");
}

TEST_F(overflow_death, of_a_coroutine_says_so) {
  const auto overflow = [] {
    coroutine<int> c{stack_options{.name = "walk", .stack_size = 16 * 1024}, [] { descend(1'000'000, nullptr); }};
    c.resume();
  };
  EXPECT_EXIT(overflow(), testing::KilledBySignal(support::protection_fault), "coroutine \"walk\" overflowed its 16 KiB stack");
}

TEST_F(overflow_death, by_a_frame_larger_than_the_guard_is_caught_too) {
  if (!CORDAGE_STACKS_ARE_PROBED) GTEST_SKIP() << "this compiler has no -fstack-clash-protection for this machine";
  EXPECT_EXIT(run(fiber{[] { leap(); }}), testing::KilledBySignal(support::protection_fault),
              "fiber \"unnamed\" overflowed its 64 KiB stack");
}

TEST_F(overflow_death, other_faults_are_left_as_they_were) {
  const auto fault_on_a_fiber = [] {
    run(fiber{[] { fault(); }});
  };
  EXPECT_EXIT(fault_on_a_fiber(), testing::KilledBySignal(SIGSEGV), nothing_of_ours);
}

TEST_F(overflow_death, a_signal_that_is_sent_ends_the_program_as_before) {
  const auto send = [] {
    run(fiber{[] {}});
    ::kill(::getpid(), SIGSEGV);
    for (;;) ::pause();
  };
  EXPECT_EXIT(send(), testing::KilledBySignal(SIGSEGV), nothing_of_ours);
}

TEST_F(overflow_death, a_handler_that_was_there_before_gets_other_faults) {
  const auto fault_on_a_fiber = [] {
    std::signal(SIGSEGV, [](int) { std::_Exit(7); });
    run(fiber{[] { fault(); }});
  };
  EXPECT_EXIT(fault_on_a_fiber(), testing::ExitedWithCode(7), "");
}

// As without us: also those who are called once, who leave by a jump, and who need more than a signal stack has.
TEST_F(overflow_death, a_handler_that_was_there_before_gets_them_as_it_was_installed) {
  const auto install = [](void (*handler)(int), int flags) {
    struct sigaction action {};
    action.sa_handler = handler;
    action.sa_flags = flags;
    ::sigaction(SIGSEGV, &action, nullptr);
  };
  const auto once = [&] {
    install(
        [](int) {
          static volatile bool told = false;
          if (std::exchange(told, true) || ::write(STDERR_FILENO, "told\n", 5) != 5) std::_Exit(1);
        },
        static_cast<int>(SA_RESETHAND));
    run(fiber{[] { fault(); }});
  };
  EXPECT_EXIT(once(), testing::KilledBySignal(SIGSEGV), "^told\n[^\"]*$");

  static jmp_buf out_of_the_fault;
  const auto recovers = [&] {
    install([](int) { ::_longjmp(out_of_the_fault, 1); }, SA_NODEFER);
    run(fiber{[] {}});
    static volatile int times = 0;
    if (_setjmp(out_of_the_fault) != 0) times = times + 1;
    if (times < 3) fault();
    std::_Exit(times);
  };
  EXPECT_EXIT(recovers(), testing::ExitedWithCode(3), "");

  const auto needs_much = [&] {
    install([](int) { std::_Exit(leap() + 2); }, 0);
    run(fiber{[] {}});
    fault();
  };
  EXPECT_EXIT(needs_much(), testing::ExitedWithCode(3), "");
}

}  // namespace
