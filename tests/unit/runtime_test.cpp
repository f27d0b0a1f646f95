#include <cordage/runtime.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/stop.hpp>
#include <cordage/time.hpp>

#include "counted.hpp"

namespace {

using namespace cordage;
using namespace std::chrono_literals;

TEST(run, takes_tasks_asyncs_fibers_operations_and_checked_ones) {
  EXPECT_EQ(run([]() -> task<int> { co_return 1; }()), 1);
  EXPECT_EQ(run([]() -> async<int> { co_return 2; }()), 2);
  EXPECT_EQ(run(fiber{[] { return 3; }}), 3);
  run(yield_now());
  EXPECT_EQ(run(![]() -> async<int> { co_return 4; }()), 4);
}

TEST(run, returns_when_all_other_strands_have_ended) {
  std::string log;
  runtime rt;
  rt.spawn([&] {
    for (int i = 0; i < 5; ++i) await(yield_now());
    log += "late";
  });
  rt.run(yield_now());
  EXPECT_EQ(log, "late");
}

TEST(run, stops_the_others_when_what_it_runs_fails) {
  std::string log;
  runtime rt;
  rt.spawn([&] {
    at_exit note{[&] { log += "stopped"; }};
    await(sleep_for(24h));
  });
  auto fails = []() -> task<> {
    co_await yield_now();
    throw std::runtime_error("x");
  };
  EXPECT_THROW(rt.run(fails()), std::runtime_error);
  EXPECT_EQ(log, "stopped");
}

TEST(run, may_be_called_again) {
  runtime rt;
  EXPECT_EQ(rt.run([]() -> task<int> { co_return 1; }()), 1);
  auto handle = rt.spawn([] { return 2; });
  EXPECT_EQ(rt.run([&]() -> task<int> { co_return (co_await handle).value(); }()), 2);
}

TEST(run, inside_a_worker_is_refused_and_says_what_to_do) {
  auto nested = []() -> task<std::string> {
    try {
      run(yield_now());
    } catch (const std::logic_error& e) {
      co_return e.what();
    }
    co_return "";
  };
  EXPECT_NE(run(nested()).find("await there instead"), std::string::npos);
  auto waits = []() -> task<> {
    sync_wait(yield_now());
    co_return;
  };
  EXPECT_THROW(run(waits()), std::logic_error);
}

TEST(runtime, has_one_worker_and_says_so) {
  EXPECT_THROW(runtime({.workers = 2}), std::invalid_argument);
  EXPECT_THROW(runtime({.workers = 0}), std::invalid_argument);
}

TEST(runtime, takes_its_backend_from_the_environment_unless_told) {
  const std::string here(runtime().backend_name());
  const std::array all{backend_kind::epoll, backend_kind::io_uring, backend_kind::kqueue};
  const backend_kind same = *std::ranges::find(all, here, detail::name_of);
  ::setenv("CORDAGE_BACKEND", here.c_str(), 1);
  EXPECT_EQ(runtime().backend_name(), here);
  for (const char* const strange : {"carrier_pigeon", here == "kqueue" ? "epoll" : "kqueue"}) {
    ::setenv("CORDAGE_BACKEND", strange, 1);
    EXPECT_THROW(runtime(), std::invalid_argument);
    EXPECT_EQ(runtime({.backend = same}).backend_name(), here);
  }
  ::unsetenv("CORDAGE_BACKEND");
}

TEST(spawn, outside_a_runtime_is_refused) { EXPECT_THROW(spawn([] {}), std::logic_error); }

TEST(spawn, runs_strands_in_the_order_in_which_they_became_ready) {
  std::string log;
  auto logs = [&](char name) -> task<> {
    for (int i = 0; i < 3; ++i) {
      log += name;
      co_await yield_now();
    }
  };
  auto logs_on_fiber = [&](char name) {
    for (int i = 0; i < 3; ++i) {
      log += name;
      await(yield_now());
    }
  };
  run([&]() -> task<> {
    spawn(logs, 'a');
    spawn(logs_on_fiber, 'b');
    spawn(logs, 'c');
    co_return;
  }());
  EXPECT_EQ(log, "abcabcabc");
}

TEST(spawn, follows_the_one_rule) {
  struct functor {
    int operator()(int a, int b) { return a - b; }
  };
  run([]() -> task<> {
    auto stackful = spawn([] { return this_fiber::running(); });
    auto stackless = spawn([]() -> task<bool> { co_return this_fiber::running(); });
    auto object = spawn(functor{}, 5, 3);
    EXPECT_EQ(co_await stackful, true);
    EXPECT_EQ(co_await stackless, false);
    EXPECT_EQ(co_await object, 2);
  }());
}

TEST(spawn, stores_arguments_by_value_and_passes_references_by_std_ref) {
  counted::alive = 0;
  int target = 0;
  runtime rt;
  {
    counted argument(5);
    rt.spawn([](counted c, int& out) { out = c.value; }, argument, std::ref(target));
  }
  EXPECT_EQ(counted::alive, 1);
  rt.run(yield_now());
  EXPECT_EQ(target, 5);
  EXPECT_EQ(counted::alive, 0);
}

TEST(spawn, drops_captures_and_arguments_when_the_strand_ends_though_its_handle_lives) {
  for (const bool as_fiber : {false, true}) {
    counted::alive = 0;
    runtime rt;
    auto in_task = [held = counted()](counted) -> task<> { co_return; };
    auto in_fiber = [held = counted()](counted) {};
    auto handle = as_fiber ? rt.spawn(in_fiber, counted()) : rt.spawn(in_task, counted());
    const int outside = 2;  // the two lambdas above
    rt.run(yield_now());
    EXPECT_TRUE(handle.ready());
    EXPECT_EQ(counted::alive, outside);
  }
}

TEST(join_handle, gives_values_errors_and_exceptions) {
  run([]() -> task<> {
    auto value = spawn([] { return 1; });
    auto error = spawn([]() -> async<int> { co_return detail::fail(errc::closed); });
    auto exception = spawn([]() -> int { throw std::runtime_error("x"); });
    auto nothing = spawn([] {});
    EXPECT_EQ(co_await value, 1);
    EXPECT_EQ((co_await error).error(), errc::closed);
    EXPECT_TRUE((co_await nothing).has_value());
    bool thrown = false;
    try {
      (void)co_await exception;
    } catch (const std::runtime_error&) {
      thrown = true;
    }
    EXPECT_TRUE(thrown);
  }());
}

TEST(join_handle, that_is_dropped_hands_a_failure_to_the_runtime_which_stops) {
  runtime rt;
  rt.spawn([] { throw std::runtime_error("nobody looked"); });
  std::string what;
  try {
    rt.run(sleep_for(24h));
  } catch (const std::runtime_error& e) {
    what = e.what();
  }
  EXPECT_EQ(what, "nobody looked");
  runtime other;
  other.spawn([]() -> async<> { co_return detail::fail(errc::closed); });
  EXPECT_THROW(other.run(sleep_for(24h)), std::system_error);
}

int failures_seen = 0;

TEST(runtime, has_a_failure_handler) {
  runtime rt;
  rt.on_failure([](const failure& f) noexcept { failures_seen += f.message() == "nobody looked"; });
  rt.spawn([] { throw std::runtime_error("nobody looked"); });
  rt.run(sleep_for(1ms));
  EXPECT_EQ(failures_seen, 1);
}

TEST(join_handle, that_stops_waiting_leaves_the_other_strand_alone) {
  runtime rt;
  auto other = rt.spawn([] {
    for (int i = 0; i < 10; ++i) await(yield_now());
    return 5;
  });
  auto waiter = rt.spawn([&] { (void)await(other); });
  auto body = [&]() -> task<> {
    co_await yield_now();
    waiter.request_stop();
    EXPECT_EQ((co_await waiter).error(), errc::stopped);
    EXPECT_EQ(co_await other, 5);
  };
  rt.run(body());
}

TEST(runtime, takes_strands_from_other_threads_while_it_runs) {
  runtime rt;
  std::atomic<int> ran{0};
  std::vector<std::thread> threads;
  auto keeps_it_alive = [&]() -> task<> {
    while (ran != 400) co_await sleep_for(100us);
  };
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 100; ++i) {
        if ((i + t) % 2 == 0) {
          rt.spawn([&] { ++ran; });
        } else {
          rt.spawn([&]() -> task<> {
            ++ran;
            co_return;
          });
        }
      }
    });
  rt.run(keeps_it_alive());
  for (auto& t : threads) t.join();
  EXPECT_EQ(ran, 400);
}

TEST(join_handle, of_another_threads_runtime_can_be_waited_for) {
  runtime theirs;
  auto handle = theirs.spawn([] {
    await(sleep_for(2ms));
    return 6;
  });
  std::thread thread([&] { theirs.run(yield_now()); });
  EXPECT_EQ(sync_wait(handle), 6);
  thread.join();
}

TEST(sync_wait, of_what_is_stopped_throws_or_gives_an_error) {
  stop_source source;
  source.request_stop();
  EXPECT_THROW(sync_wait(with_stop(source.token(), sleep_for(24h))), stopped_error);
  auto gives_result = [&]() -> async<> {
    co_await with_stop(source.token(), sleep_for(24h));
    co_return {};
  };
  EXPECT_EQ(sync_wait(gives_result()).error(), errc::stopped);
}

TEST(failure, says_what_happened) {
  EXPECT_EQ(failure(make_error_code(errc::closed)).message(), "closed");
  EXPECT_EQ(failure(std::make_exception_ptr(std::runtime_error("why"))).message(), "why");
  EXPECT_EQ(failure(std::make_exception_ptr(5)).message(), "an exception that is no std::exception");
  EXPECT_FALSE(failure());
}

}  // namespace
