// finally, and the waits in destructors of a fiber that is being unwound: cleanup that has to wait.
#include <cordage/stop.hpp>

#include <chrono>
#include <coroutine>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include <gtest/gtest.h>

#include <cordage/coroutine.hpp>
#include <cordage/promise.hpp>
#include <cordage/scope.hpp>
#include <cordage/time.hpp>
#include <cordage/when.hpp>

#include "both_styles.hpp"
#include "counted.hpp"
#include "manual_operation.hpp"

namespace {

using namespace cordage;
using namespace std::chrono_literals;
using namespace support;

constexpr auto for_ever = 24h;

constexpr auto does_nothing = [](auto&) -> task<> { co_return; };
constexpr auto stops = [](auto& handle) -> task<> {
  handle.request_stop();
  co_return;
};

std::string text(errc code) { return "[" + error(code).message() + "]"; }

// What wait_and_act noted, and how the strand ended.
template <class Make, class Act>
std::string told(style in, std::string& order, Make make, Act act) {
  try {
    const auto ended = wait_and_act(in, order, make, act);
    return order + (ended ? " value" : ended.error() == errc::stopped ? " stopped" : " error");
  } catch (const std::exception& e) {
    return order + " " + e.what();
  }
}

TEST(finally, runs_the_cleanup_after_a_value_an_error_an_exception_and_a_stop_and_ends_as_the_body_did) {
  for (const auto in : each_style) {
    std::string order;
    auto gives = [&]() -> task<int> {
      co_await yield_now();
      order += "b";
      co_return 3;
    };
    auto fails = [&]() -> task<result<int>> {
      co_await yield_now();
      order += "b";
      co_return unexpected(errc::closed);
    };
    auto throws = [&]() -> task<int> {
      co_await yield_now();
      order += "b";
      throw std::runtime_error("body");
    };
    auto waits = [&]() -> task<int> {
      at_exit left{[&] { order += "b"; }};
      co_await sleep_for(for_ever);
      order += "!";
      co_return 3;
    };
    auto cleanup = [&]() -> task<> {
      co_await turns(3);
      order += "c";
    };
    EXPECT_EQ(told(in, order, [&] { return finally(gives, cleanup); }, does_nothing), "bc3+! value");
    EXPECT_EQ(told(in, order, [&] { return finally(fails, cleanup); }, does_nothing),
              "bc" + text(errc::closed) + "+! value");
    EXPECT_EQ(told(in, order, [&] { return finally(throws, cleanup); }, does_nothing), "bc body");
    EXPECT_EQ(told(in, order, [&] { return finally(waits, cleanup); }, stops), "bc stopped");
  }
}

TEST(finally, takes_operations_tasks_fibers_and_callables_of_both_kinds) {
  for (const auto in : each_style) {
    std::string order;
    manual body, cleanup;
    body.value = 1;
    auto gives_task = [&]() -> task<int> { co_return co_await manual_operation(body); };
    auto on_fiber = [&] { return await(manual_operation(body)); };
    auto cleans_task = [&]() -> task<> { std::ignore = co_await manual_operation(cleanup); };
    auto cleans_on_fiber = [&] { std::ignore = await(manual_operation(cleanup)); };
    auto acts = [&](auto&) -> task<> {
      EXPECT_EQ(cleanup.starts, 0);
      body.complete(1);
      co_await turns(3);
      EXPECT_EQ(cleanup.starts, 1);
      cleanup.complete(2);
    };
    const auto check = [&](auto make) {
      body.starts = cleanup.starts = 0;
      EXPECT_EQ(told(in, order, make, acts), "1+! value");
    };
    check([&] { return finally(manual_operation(body), manual_operation(cleanup)); });
    check([&] { return finally(gives_task(), cleans_task()); });
    check([&] { return finally(gives_task, cleans_task); });
    check([&] { return finally(on_fiber, cleans_on_fiber); });
    check([&] { return finally(fiber{on_fiber}, fiber{cleans_on_fiber}); });
    check([&] { return finally(gives_task, cleans_on_fiber); });
    check([&] { return finally(on_fiber, cleans_task()); });
    check([&] { return finally(!manual_result_operation(body), !manual_result_operation(cleanup)); });
    check([&] { return finally(shield(manual_operation(body)), shield(manual_operation(cleanup))); });
    check([&] { return finally(with_timeout(for_ever, manual_operation(body)), when_all(manual_operation(cleanup))); });
    manual_operation named_body(body), named_cleanup(cleanup);
    check([&] { return finally(named_body, named_cleanup); });
  }
}

TEST(finally, completes_as_the_cleanup_where_only_that_failed) {
  for (const auto in : each_style) {
    std::string order;
    auto gives = []() -> task<int> { co_return 3; };
    auto gives_result = []() -> task<result<int>> { co_return 3; };
    auto fails_body = []() -> task<result<int>> { co_return unexpected(errc::timed_out); };
    auto throws_body = []() -> task<int> {
      co_await yield_now();
      throw std::runtime_error("body");
    };
    auto fails = []() -> task<result<>> {
      co_await yield_now();
      co_return unexpected(errc::closed);
    };
    auto throws = []() -> task<> {
      co_await yield_now();
      throw std::runtime_error("cleanup");
    };
    auto throws_on_fiber = [] {
      await(yield_now());
      throw std::runtime_error("cleanup");
    };
    EXPECT_EQ(told(in, order, [&] { return finally(gives, throws); }, does_nothing), " cleanup");
    EXPECT_EQ(told(in, order, [&] { return finally(gives, throws_on_fiber); }, does_nothing), " cleanup");
    EXPECT_EQ(told(in, order, [&] { return finally(gives_result, throws); }, does_nothing), " cleanup");
    EXPECT_EQ(told(in, order, [&] { return finally(gives_result, fails); }, does_nothing),
              text(errc::closed) + "+! value");
    EXPECT_EQ(told(in, order, [&] { return finally(gives, fails); }, does_nothing),
              " " + std::string(std::system_error(error(errc::closed)).what()));
    EXPECT_EQ(told(in, order, [&] { return finally(fails_body, throws); }, does_nothing),
              text(errc::timed_out) + "+! value");
    EXPECT_EQ(told(in, order, [&] { return finally(fails_body, fails); }, does_nothing),
              text(errc::timed_out) + "+! value");
    EXPECT_EQ(told(in, order, [&] { return finally(throws_body, throws); }, does_nothing), " body");
    auto waits = []() -> task<int> {
      co_await sleep_for(for_ever);
      co_return 1;
    };
    EXPECT_EQ(told(in, order, [&] { return finally(waits, throws); }, stops), " stopped");
    EXPECT_EQ(told(in, order, [&] { return finally(waits, fails); }, stops), " stopped");
  }
}

TEST(finally, behind_a_check_passes_the_error_on_after_the_cleanup) {
  for (const auto in : each_style) {
    std::string order;
    auto fails = []() -> async<int> { co_return unexpected(errc::closed); };
    auto cleanup = [&] { order += "c"; };
    auto in_async = [&]() -> async<int> {
      const int value = co_await !finally(fails, cleanup);
      order += "!";
      co_return value;
    };
    auto on_fiber = [&]() -> result<int> { return await(!finally(fails, cleanup)); };
    const auto ended = in == style::fiber ? run(fiber{on_fiber}) : run(in_async());
    EXPECT_EQ(ended.error(), errc::closed);
    EXPECT_EQ(order, "c");
  }
}

TEST(finally, shields_its_cleanup_however_long_it_waits) {
  for (const auto in : each_style) {
    std::string order;
    manual slow;
    auto cleanup = [&]() -> task<> {
      for (int i = 0; i < 3; ++i) {
        order += std::to_string(co_await manual_operation(slow));
        co_await sleep_for(10us);
      }
    };
    auto acts = [&](auto& handle) -> task<> {
      handle.request_stop();
      for (int i = 0; i < 3; ++i) {
        while (slow.waiter == nullptr) co_await yield_now();
        EXPECT_FALSE(handle.ready());
        slow.complete(i);
      }
    };
    auto waits = [] { await(sleep_for(for_ever)); };
    EXPECT_EQ(told(in, order, [&] { return finally(waits, cleanup); }, acts), "012 stopped");
    EXPECT_EQ(told(in, order, [&] { return with_timeout(0s, finally(sleep_for(for_ever), cleanup)); }, acts),
              "012" + text(errc::timed_out) + "+ stopped");
    EXPECT_EQ(slow.cancels, 0);
  }
}

TEST(finally, waits_for_its_cleanup_when_the_whole_runtime_is_stopped) {
  for (const auto in : each_style) {
    std::string order;
    runtime rt;
    auto waits = [&] {
      rt.request_stop();
      await(sleep_for(for_ever));
    };
    auto cleanup = [&]() -> task<> {
      co_await sleep_for(2ms);
      co_await turns(10);
      order += "c";
    };
    auto in_task = [&]() -> task<> { co_await finally(waits, cleanup); };
    auto on_fiber = [&] { await(finally(waits, cleanup)); };
    auto handle = in == style::fiber ? rt.spawn(on_fiber) : rt.spawn(in_task);
    EXPECT_THROW(rt.run(sleep_for(for_ever)), stopped_error);
    EXPECT_TRUE(handle.ready());
    EXPECT_EQ(order, "c");
  }
}

TEST(finally, whose_body_returns_before_the_stop_takes_effect_keeps_the_value) {
  for (const auto in : each_style) {
    std::string order;
    manual m;
    auto completes = [&](auto& handle) -> task<> {
      m.complete(4);
      handle.request_stop();
      co_return;
    };
    auto cleanup = [&]() -> task<> {
      co_await turns(2);
      order += "c";
    };
    EXPECT_EQ(told(in, order, [&] { return finally(manual_operation(m), cleanup); }, completes), "c4+ stopped");
  }
}

TEST(finally, nests_and_runs_the_inner_cleanup_first) {
  for (const auto in : each_style) {
    std::string order;
    auto cleanup = [&](const char* name) {
      return [&order, name]() -> task<> {
        co_await turns(2);
        order += name;
      };
    };
    auto first = cleanup("1"), second = cleanup("2"), third = cleanup("3");
    auto inner = [&] { return finally(finally(sleep_for(for_ever), first), second); };
    auto in_cleanup = [&]() -> task<> { co_await finally(yield_now(), third); };
    EXPECT_EQ(told(in, order, inner, stops), "12 stopped");
    EXPECT_EQ(told(in, order, [&] { return finally(inner(), in_cleanup); }, stops), "123 stopped");
  }
}

TEST(finally, in_a_loop_cleans_up_every_time) {
  for (const auto in : each_style) {
    counted::alive = 0;
    int cleaned = 0;
    auto body = [kept = std::make_shared<counted>()]() -> task<int> { co_return kept->value; };
    auto cleanup = [&] { ++cleaned; };
    auto in_task = [&]() -> task<> {
      for (int i = 0; i < 1000; ++i) co_await finally(body, cleanup);
    };
    auto on_fiber = [&] {
      for (int i = 0; i < 1000; ++i) await(finally(body, cleanup));
    };
    if (in == style::fiber) {
      run(fiber{on_fiber});
    } else {
      run(in_task());
    }
    EXPECT_EQ(cleaned, 1000);
    EXPECT_EQ(counted::alive, 1);
  }
}

TEST(finally, calls_nothing_where_the_strand_was_stopped_before) {
  for (const auto in : each_style) {
    std::string order;
    manual m;
    auto body = [&]() -> task<int> {
      order += "b";
      co_return 1;
    };
    auto cleanup = [&] { order += "c"; };
    auto both = [&](int) -> task<int> {
      std::ignore = co_await manual_operation(m);
      co_return co_await finally(body, cleanup);
    };
    auto completes = [&](auto& handle) -> task<> {
      m.complete(4);
      handle.request_stop();
      co_return;
    };
    EXPECT_EQ(told(in, order, [&] { return both(1); }, completes), " stopped");
  }
}

TEST(finally, cleans_up_when_its_body_throws_before_it_waits) {
  for (const auto in : each_style) {
    std::string order;
    auto throws = []() -> task<int> { throw std::runtime_error("body"); };
    auto no_task = [&]() -> task<int> {
      if (order.empty()) throw std::runtime_error("no task");
      return throws();
    };
    auto cleanup = [&] { order += "c"; };
    EXPECT_EQ(told(in, order, [&] { return finally(throws, cleanup); }, does_nothing), "c body");
    EXPECT_EQ(told(in, order, [&] { return finally(no_task, cleanup); }, does_nothing), "c no task");
    EXPECT_EQ(told(in, order, [&] { return finally(yield_now(), no_task); }, does_nothing), " no task");
  }
}

TEST(finally, keeps_a_closure_until_its_task_has_ended_and_destroys_it_once) {
  for (const auto in : each_style) {
    counted::alive = 0;
    std::string order;
    auto body = [value = counted(5)]() -> task<int> {
      co_await yield_now();
      co_return value.value;
    };
    auto cleanup = [&, value = counted(6)]() -> task<> {
      co_await yield_now();
      order += std::to_string(value.value);
    };
    EXPECT_EQ(told(in, order, [&] { return finally(body, cleanup); }, does_nothing), "65+! value");
    EXPECT_EQ(counted::alive, 2);
  }
}

// A letter box of another library.
struct elsewhere {
  std::coroutine_handle<> waiter;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> h) noexcept { waiter = h; }
  int await_resume() const noexcept { return 6; }
};

template <class Goodbye>
std::string unwound_with(Goodbye goodbye) {
  std::string order;
  runtime rt;
  auto handle = rt.spawn([&] {
    at_exit outer{[&] { order += "o"; }};
    at_exit guard{[&] {
      goodbye(order);
      order += stopping() ? "." : "?";
    }};
    await(sleep_for(for_ever));
    order += "!";
  });
  auto stopper = [&]() -> task<> {
    co_await turns(2);
    handle.request_stop();
    const result<> ended = co_await handle;
    EXPECT_EQ(ended.error(), errc::stopped);
  };
  rt.run(stopper());
  return order;
}

task<> ends_by_a_stop(join_handle<void>& handle) {
  co_await turns(2);
  handle.request_stop();
  EXPECT_EQ((co_await handle).error(), errc::stopped);
}

TEST(unwinding_fiber, waits_in_its_destructors_for_operations_tasks_fibers_combinators_and_foreign_awaitables) {
  EXPECT_EQ(unwound_with([](std::string&) { await(sleep_for(1us)); }), ".o");
  EXPECT_EQ(unwound_with([](std::string&) { await(turns(3)); }), ".o");
  EXPECT_EQ(unwound_with([](std::string& order) {
              fiber f{[&] {
                await(yield_now());
                order += "f";
              }};
              await(f);
            }),
            "f.o");
  EXPECT_EQ(unwound_with([](std::string& order) {
              auto [a, b] = await(when_all(turns(2), as_result(sleep_for(1us))));
              order += b ? "w" : "!";
            }),
            "w.o");
  EXPECT_EQ(unwound_with([](std::string& order) { note(order, await(with_timeout(1us, sleep_for(for_ever)))); }),
            text(errc::timed_out) + ".o");
  EXPECT_EQ(unwound_with([](std::string& order) {
              auto cleans = [&] { order += "c"; };
              await(finally(turns(2), cleans));
            }),
            "c.o");
  EXPECT_EQ(unwound_with([](std::string& order) {
              elsewhere other;
              auto resumes = [&]() -> task<> {
                co_await turns(2);
                other.waiter.resume();
              };
              auto helper = spawn(resumes);
              order += std::to_string(await(other));
            }),
            "6.o");
  EXPECT_EQ(unwound_with([](std::string& order) {
              coroutine<int> numbers{[] {
                await(yield_now());
                this_coroutine::yield(4);
                await(yield_now());
              }};
              order += std::to_string(*numbers.resume());
              order += numbers.resume() ? "!" : "e";
            }),
            "4e.o");
}

// What a destructor waits for may be stopped by another's source. It must not let that out, as no destructor must.
TEST(unwinding_fiber, that_swallows_another_stop_in_a_destructor_goes_on_shielded_to_its_own_end) {
  testing::internal::CaptureStderr();
  const std::string order = unwound_with([](std::string& noted) {
    stop_source source;
    source.request_stop();
    try {
      await(with_stop(source.token(), yield_now()));
    } catch (...) {
      noted += "s";
    }
    await(turns(2));
    noted += "w";
  });
  EXPECT_EQ(order, "sw.o");
  EXPECT_NE(testing::internal::GetCapturedStderr().find("swallowed a stop"), std::string::npos);
}

TEST(unwinding_fiber, goes_through_coroutines_that_it_resumed) {
  std::string order;
  runtime rt;
  auto handle = rt.spawn([&] {
    at_exit outer{[&] { order += stopping() ? "f" : "?"; }};
    coroutine<int> waits{[&] {
      at_exit inner{[&] {
        await(turns(2));
        order += stopping() ? "c" : "?";
      }};
      this_coroutine::yield(1);
      await(sleep_for(for_ever));
      order += "!";
    }};
    while (waits.resume()) order += "y";
    order += "!";
  });
  rt.run(ends_by_a_stop(handle));
  EXPECT_EQ(order, "ycf");
}

TEST(unwinding_fiber, that_swallows_its_stop_is_reported_and_stops_again_with_its_destructors_shielded) {
  testing::internal::CaptureStderr();
  std::string order;
  runtime rt;
  auto handle = rt.spawn(spawn_options{.name = "glutton"}, [&] {
    try {
      await(sleep_for(for_ever));
    } catch (...) {
      order += stopping() ? "s" : "?";
    }
    order += stopping() ? "?" : "n";
    at_exit guard{[&] {
      await(turns(2));
      order += "d";
    }};
    await(yield_now());
    order += "!";
  });
  rt.run(ends_by_a_stop(handle));
  EXPECT_EQ(order, "snd");
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("fiber \"glutton\" swallowed a stop"), std::string::npos) << said;
}

}  // namespace
