#include <cordage/signal.hpp>

#include <csignal>
#include <stdexcept>
#include <system_error>

#include <gtest/gtest.h>

#include <cordage/fiber.hpp>
#include <cordage/runtime.hpp>
#include <cordage/task.hpp>

namespace {

using namespace cordage;

TEST(signal_set, gives_signals_that_arrive_before_and_during_the_wait) {
  run([]() -> task<> {
    signal_set set{SIGUSR1, SIGUSR2};
    std::raise(SIGUSR1);
    EXPECT_EQ(co_await !set.wait(), SIGUSR1);
    auto waiting = spawn([&] { return await(!set.wait()); });
    co_await yield_now();
    std::raise(SIGUSR2);
    EXPECT_EQ(co_await waiting, SIGUSR2);
  }());
}

TEST(signal_set, keeps_several_that_nobody_waited_for) {
  run(fiber{[] {
    signal_set set{SIGUSR1, SIGUSR2};
    std::raise(SIGUSR2);
    std::raise(SIGUSR1);
    EXPECT_EQ(await(!set.wait()), SIGUSR2);
    EXPECT_EQ(await(!set.wait()), SIGUSR1);
  }});
}

TEST(signal_set, restores_what_the_signals_did_before) {
  static int before_called = 0;
  std::signal(SIGUSR1, [](int) { ++before_called; });
  {
    signal_set set{SIGUSR1};
    std::raise(SIGUSR1);
  }
  EXPECT_EQ(before_called, 0);
  std::raise(SIGUSR1);
  EXPECT_EQ(before_called, 1);
  std::signal(SIGUSR1, SIG_DFL);
}

TEST(signal_set, refuses_what_cannot_be_waited_for_and_stays_out_of_the_way) {
  EXPECT_THROW((void)(signal_set{SIGUSR2, SIGKILL}), std::system_error);
  EXPECT_THROW((void)(signal_set{0}), std::system_error);
  EXPECT_THROW((void)(signal_set{100'000}), std::system_error);
  signal_set first{SIGUSR2};
  EXPECT_THROW((void)(signal_set{SIGUSR1, SIGUSR2}), std::logic_error);
  signal_set other{SIGUSR1};
}

TEST(signal_set, waiting_for_one_can_be_stopped) {
  run([]() -> task<> {
    signal_set set{SIGUSR1};
    auto waiting = spawn([&] { return await(!set.wait()); });
    co_await yield_now();
    waiting.request_stop();
    EXPECT_EQ((co_await waiting).error(), errc::stopped);
    std::raise(SIGUSR1);
    EXPECT_EQ(co_await !set.wait(), SIGUSR1);
  }());
}

}  // namespace
