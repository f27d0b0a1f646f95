// runtime_options::dump_signal: dumps on standard error when a signal comes.
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/cordage.hpp>

#include "guarded_io.hpp"
#include "owned_fd.hpp"
#include "slowly.hpp"

namespace {

using namespace cordage;
using namespace std::chrono_literals;

// What goes to standard error while it lives.
class standard_error {
 public:
  standard_error() : file_(::tmpfile()), before_(::dup(STDERR_FILENO)) { ::dup2(::fileno(file_), STDERR_FILENO); }
  standard_error(const standard_error&) = delete;
  standard_error& operator=(const standard_error&) = delete;
  ~standard_error() {
    ::dup2(before_, STDERR_FILENO);
    ::close(before_);
    ::fclose(file_);
  }
  std::string text() const {
    std::string all;
    char buffer[4096];
    for (ssize_t got; (got = ::pread(::fileno(file_), buffer, sizeof buffer, static_cast<off_t>(all.size()))) > 0;)
      all.append(buffer, static_cast<std::size_t>(got));
    return all;
  }
  bool has(const std::string& what) const { return text().find(what) != std::string::npos; }

 private:
  FILE* file_;
  int before_;
};

std::size_t count(const std::string& text, const std::string& what) {
  std::size_t found = 0;
  for (std::size_t at = 0; (at = text.find(what, at)) != text.npos; at += what.size()) ++found;
  return found;
}

// On this thread, while the runtime runs on another: a handler may run on any.
void send() { ::kill(::getpid(), SIGUSR1); }

TEST(dump_signal, is_answered_by_a_worker_that_sleeps) {
  const standard_error errors;
  runtime rt({.dump_signal = SIGUSR1});
  std::thread sender([&] {
    std::this_thread::sleep_for(20ms);
    send();
    support::eventually("a dump", [&] { return errors.has("\"sleeper\" waits for sleep\n"); });
    rt.request_stop();
  });
  auto sleeper = rt.spawn({.name = "sleeper"}, [] { await(sleep_for(24h)); });
  EXPECT_THROW(rt.run(sleep_for(24h)), stopped_error);
  sender.join();
}

// A handler that runs on the worker's thread in the middle of a turn posts like any other.
TEST(dump_signal, is_answered_by_a_worker_that_is_busy) {
  const standard_error errors;
  runtime rt({.dump_signal = SIGUSR1});
  std::atomic<bool> seen{false};
  auto spins = [&]() -> task<> {
    while (!seen) co_await yield_now();
  };
  auto waits = rt.spawn({.name = "patient"}, [&] {
    while (!seen) await(sleep_for(1ms));
  });
  std::thread sender([&] {
    std::this_thread::sleep_for(20ms);
    send();
    support::eventually("a dump", [&] { return errors.has("\"patient\""); });
    seen = true;
  });
  auto other = rt.spawn(spins);
  rt.run(spins());
  sender.join();
  // Between turns nobody runs, and all that is ready is known.
  EXPECT_TRUE(errors.has(" ready, 1 waiting), ") || errors.has("(3 ready)")) << errors.text();
}

TEST(dump_signal, may_come_at_any_time) {
  const standard_error errors;
  // While there is nobody to answer it the signal must not end the test.
  runtime keeper({.dump_signal = SIGUSR1});
  std::atomic<bool> over{false};
  std::thread sender([&] {
    while (!over) {
      send();
      std::this_thread::sleep_for(50us);
    }
  });
  for (int i = 0; i < (support::emulated ? 20 : 200); ++i) {
    runtime rt({.dump_signal = SIGUSR1});
    auto many = [&]() -> task<> {
      for (int k = 0; k < 10; ++k) (void)spawn(sleep_for(100us));
      for (int k = 0; k < 50; ++k) co_await yield_now();
    };
    rt.run(many());
  }
  over = true;
  sender.join();
  EXPECT_TRUE(errors.has("cordage: "));
}

TEST(dump_signal, reaches_every_runtime_that_has_it) {
  const standard_error errors;
  std::atomic<int> running{0};
  std::atomic<bool> over{false};
  auto run_one = [&] {
    runtime rt({.dump_signal = SIGUSR1});
    auto waits = [&]() -> task<> {
      ++running;
      while (!over) co_await sleep_for(1ms);
    };
    rt.run(waits());
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) threads.emplace_back(run_one);
  support::eventually("all run", [&] { return running == 3; });
  send();
  support::eventually("three dumps", [&] { return count(errors.text(), "cordage: 1 strand (") == 3; });
  over = true;
  for (auto& each : threads) each.join();
}

TEST(dump_signal, that_comes_while_nobody_runs_the_runtime_is_answered_when_somebody_does) {
  const standard_error errors;
  runtime rt({.dump_signal = SIGUSR1});
  ::raise(SIGUSR1);
  EXPECT_EQ(errors.text(), "");
  rt.run(yield_now());
  EXPECT_EQ(count(errors.text(), "cordage: "), 1U) << errors.text();
  ::raise(SIGUSR1);  // stays unanswered
}

std::atomic<int> counted{0};

TEST(dump_signal, does_what_it_did_before_when_the_last_runtime_that_has_it_is_gone) {
  struct sigaction counts {}, before {};
  counts.sa_handler = [](int) { ++counted; };
  ASSERT_EQ(::sigaction(SIGUSR1, &counts, &before), 0);
  {
    runtime one({.dump_signal = SIGUSR1});
    { runtime other({.dump_signal = SIGUSR1}); }
    ::raise(SIGUSR1);
    EXPECT_EQ(counted, 0);
  }
  ::raise(SIGUSR1);
  EXPECT_EQ(counted, 1);
  ASSERT_EQ(::sigaction(SIGUSR1, &before, nullptr), 0);
}

TEST(dump_signal, that_cannot_be_handled_is_refused) {
  for (const int number : {-1, SIGKILL, 1000}) {
    try {
      runtime rt({.dump_signal = number});
      ADD_FAILURE() << number;
    } catch (const std::invalid_argument& refused) {
      EXPECT_NE(std::string(refused.what()).find("dump_signal is " + std::to_string(number)), std::string::npos)
          << refused.what();
    }
  }
}

}  // namespace
