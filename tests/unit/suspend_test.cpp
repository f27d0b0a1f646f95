// suspend: callbacks as something to wait for.
#include <cordage/suspend.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/scope.hpp>
#include <cordage/time.hpp>
#include <cordage/when.hpp>

#include "both_styles.hpp"
#include "counted.hpp"
#include "slowly.hpp"

namespace {

using namespace cordage;
using namespace std::chrono_literals;
using namespace support;

constexpr auto does_nothing = [](auto&) -> task<> { co_return; };
constexpr auto stops = [](auto& handle) -> task<> {
  handle.request_stop();
  co_return;
};

std::string text(errc code) { return "[" + error(code).message() + "]"; }

TEST(suspend, calls_once_when_the_waiter_is_suspended_and_not_on_its_stack) {
  for (const auto in : each_style) {
    std::string order;
    int calls = 0;
    std::optional<suspension<int>> kept;
    const auto home = std::this_thread::get_id();
    auto make = [&] {
      auto on_suspend = [&](suspension<int> waiter) {
        ++calls;
        EXPECT_FALSE(this_fiber::running());
        EXPECT_EQ(std::this_thread::get_id(), home);
        kept.emplace(std::move(waiter));
      };
      return suspend<int>(on_suspend);
    };
    auto resumes = [&](auto& handle) -> task<> {
      EXPECT_EQ(order, "");
      EXPECT_TRUE(kept->resume(5));
      EXPECT_EQ(order, "") << "the waiter goes on in a turn of its own";
      EXPECT_FALSE(kept->resume(6));
      EXPECT_FALSE(kept->resume(unexpected(error(errc::closed))));
      EXPECT_FALSE(handle.ready());
      co_return;
    };
    EXPECT_TRUE(wait_and_act(in, order, make, resumes));
    EXPECT_EQ(order, "5+!");
    EXPECT_EQ(calls, 1);
    EXPECT_FALSE(kept->resume(7)) << "after the end, too";
  }
}

TEST(suspend, may_be_resumed_before_on_suspend_returns) {
  for (const auto in : each_style) {
    std::string order;
    auto inline_resume = [](suspension<int> waiter) { EXPECT_TRUE(waiter.resume(1)); };
    EXPECT_TRUE(wait_and_act(in, order, [&] { return suspend<int>(inline_resume); }, does_nothing));
    EXPECT_EQ(order, "1+!");
    auto in_task = [&]() -> task<int> {
      int sum = 0;
      for (int i = 0; i < 100'000; ++i) sum += *co_await suspend<int>(inline_resume);
      co_return sum;
    };
    auto on_fiber = [&] {
      int sum = 0;
      for (int i = 0; i < 100'000; ++i) sum += *await(suspend<int>(inline_resume));
      return sum;
    };
    EXPECT_EQ(in == style::fiber ? run(fiber{on_fiber}) : run(in_task()), 100'000);
  }
}

TEST(suspend, is_resumed_from_another_thread) {
  for (const auto in : each_style) {
    std::string order;
    std::thread other;
    auto on_suspend = [&](suspension<int> waiter) {
      other = std::thread([waiter = std::move(waiter)]() mutable { EXPECT_TRUE(waiter.resume(8)); });
    };
    EXPECT_TRUE(wait_and_act(in, order, [&] { return suspend<int>(on_suspend); }, does_nothing));
    EXPECT_EQ(order, "8+!");
    other.join();
  }
}

TEST(suspension, that_is_dropped_is_a_broken_promise) {
  for (const auto in : each_style) {
    std::string order;
    auto drops = [](suspension<int>) {};
    EXPECT_TRUE(wait_and_act(in, order, [&] { return suspend<int>(drops); }, does_nothing));
    EXPECT_EQ(order, text(errc::broken_promise) + "+!");
    auto checks = [&]() -> async<int> { co_return co_await !suspend<int>(drops); };
    EXPECT_EQ(run(checks()).error(), errc::broken_promise);

    std::optional<suspension<int>> kept;
    auto keeps = [&](suspension<int> waiter) { kept.emplace(std::move(waiter)); };
    auto drops_later = [&](auto&) -> task<> {
      kept.reset();
      co_return;
    };
    EXPECT_TRUE(wait_and_act(in, order, [&] { return suspend<int>(keeps); }, drops_later));
    EXPECT_EQ(order, text(errc::broken_promise) + "+!");
    auto drops_elsewhere = [&](auto&) -> task<> {
      std::thread([&] { kept.reset(); }).join();
      co_return;
    };
    EXPECT_TRUE(wait_and_act(in, order, [&] { return suspend<int>(keeps); }, drops_elsewhere));
    EXPECT_EQ(order, text(errc::broken_promise) + "+!");
  }
}

TEST(suspension, is_moved_around_and_assigned) {
  for (const auto in : each_style) {
    std::string order;
    std::vector<suspension<int>> kept;
    auto keeps = [&](suspension<int> waiter) {
      suspension<int> moved = std::move(waiter);
      EXPECT_FALSE(waiter);
      EXPECT_TRUE(moved);
      kept.push_back(std::move(moved));
    };
    auto resumes = [&](auto&) -> task<> {
      suspension<int> last = std::move(kept.back());
      kept.pop_back();
      suspension<int>& same = last;
      last = std::move(same);
      EXPECT_TRUE(last);
      EXPECT_TRUE(last.resume(3));
      co_return;
    };
    EXPECT_TRUE(wait_and_act(in, order, [&] { return suspend<int>(keeps); }, resumes));
    EXPECT_EQ(order, "3+!");

    // One that is assigned to is dropped.
    std::optional<suspension<int>> slot;
    auto both_into_one = [&](suspension<int> waiter) {
      if (slot) {
        *slot = std::move(waiter);
      } else {
        slot.emplace(std::move(waiter));
      }
    };
    auto resumes_one = [&](auto&) -> task<> {
      slot->resume(4);
      co_return;
    };
    auto make = [&] { return when_all(suspend<int>(both_into_one), suspend<int>(both_into_one)); };
    EXPECT_TRUE(wait_and_act(in, order, make, resumes_one));
    EXPECT_EQ(order, text(errc::broken_promise) + "4+!");
  }
}

// A C library.
struct c_request {
  void (*done)(void*, int);
  void* context;
};
c_request under_way{};
void c_start(void (*done)(void*, int), void* context) { under_way = {done, context}; }

TEST(suspension, goes_through_the_void_pointer_of_a_c_library) {
  for (const auto in : each_style) {
    std::string order;
    auto starts = [](suspension<int> waiter) {
      c_start([](void* p, int status) { suspension<int>::from(p).resume(status); }, waiter.release());
      EXPECT_FALSE(waiter);
    };
    auto completes = [](auto&) -> task<> {
      under_way.done(under_way.context, 9);
      co_return;
    };
    EXPECT_TRUE(wait_and_act(in, order, [&] { return suspend<int>(starts); }, completes));
    EXPECT_EQ(order, "9+!");
    EXPECT_FALSE(wait_and_act(in, order, [&] { return suspend<int>(starts); }, stops));
    EXPECT_EQ(order, "");
    under_way.done(under_way.context, 9);  // too late, and nothing happens
  }
}

TEST(suspend, gives_move_only_values_nothing_and_errors) {
  for (const auto in : each_style) {
    auto gives = [](suspension<std::unique_ptr<int>> waiter) { waiter.resume(std::make_unique<int>(2)); };
    auto in_task = [&]() -> task<int> { co_return **co_await suspend<std::unique_ptr<int>>(gives); };
    auto on_fiber = [&] { return **await(suspend<std::unique_ptr<int>>(gives)); };
    EXPECT_EQ(in == style::fiber ? run(fiber{on_fiber}) : run(in_task()), 2);

    auto loses = [](suspension<std::unique_ptr<int>> waiter) {
      waiter.resume(std::make_unique<int>(2));
      auto second = std::make_unique<int>(3);
      EXPECT_FALSE(waiter.resume(std::move(second)));
      EXPECT_NE(second, nullptr) << "what is not delivered is left with its owner";
    };
    EXPECT_TRUE(run(suspend<std::unique_ptr<int>>(loses)).has_value());

    std::string order;
    auto nothing = [](suspension<> waiter) { waiter.resume(); };
    EXPECT_TRUE(wait_and_act(in, order, [&] { return suspend(nothing); }, does_nothing));
    EXPECT_EQ(order, "v+!");
    auto fails = [](suspension<int> waiter) { waiter.resume(unexpected(error(errc::closed))); };
    EXPECT_TRUE(wait_and_act(in, order, [&] { return suspend<int>(fails); }, does_nothing));
    EXPECT_EQ(order, text(errc::closed) + "+!");
    auto two_arguments = [](suspension<std::string> waiter) { waiter.resume(2u, 'x'); };
    EXPECT_EQ(run(suspend<std::string>(two_arguments)), "xx");
  }
}

TEST(suspend, throws_at_the_await_what_on_suspend_throws) {
  for (const auto in : each_style) {
    std::string order;
    auto throws = [](suspension<int>) { throw std::runtime_error("not started"); };
    EXPECT_THROW(std::ignore = wait_and_act(in, order, [&] { return suspend<int>(throws); }, does_nothing),
                 std::runtime_error);
    std::optional<suspension<int>> kept;
    auto keeps_and_throws = [&](suspension<int> waiter) {
      kept.emplace(std::move(waiter));
      throw std::runtime_error("started");
    };
    auto resumes = [&](auto& handle) -> task<> {
      EXPECT_FALSE(handle.ready());
      kept->resume(1);
      co_return;
    };
    EXPECT_THROW(std::ignore = wait_and_act(in, order, [&] { return suspend<int>(keeps_and_throws); }, resumes),
                 std::runtime_error);
    kept.reset();
    struct throws_when_moved {
      throws_when_moved() = default;
      throws_when_moved(const throws_when_moved& other) : moves(other.moves + 1) {
        if (moves > 1) throw std::runtime_error("moved");
      }
      void operator()(suspension<int> waiter) const { waiter.resume(1); }
      int moves = 0;
    } const awkward;
    EXPECT_THROW(std::ignore = wait_and_act(in, order, [&] { return suspend<int>(awkward); }, does_nothing),
                 std::runtime_error);
  }
}

TEST(suspend, destroys_its_functions_once) {
  counted::alive = 0;
  for (const auto in : each_style) {
    std::string order;
    auto on_suspend = [value = counted(1)](suspension<int> waiter) { waiter.resume(value.value); };
    auto on_stop = [value = counted(2)] {};
    EXPECT_TRUE(wait_and_act(in, order, [&] { return suspend<int>(on_suspend, on_stop); }, does_nothing));
    EXPECT_EQ(order, "1+!");
  }
  EXPECT_EQ(counted::alive, 0);
}

TEST(suspend, is_ended_by_a_stop_at_once_and_resuming_comes_too_late) {
  for (const auto in : each_style) {
    std::string order;
    std::optional<suspension<int>> kept;
    auto keeps = [&](suspension<int> waiter) { kept.emplace(std::move(waiter)); };
    EXPECT_FALSE(wait_and_act(in, order, [&] { return suspend<int>(keeps); }, stops));
    EXPECT_EQ(order, "");
    EXPECT_FALSE(kept->resume(1));
    kept.reset();
    auto resumes_and_stops = [&](auto& handle) -> task<> {
      EXPECT_TRUE(kept->resume(2));
      handle.request_stop();
      co_return;
    };
    EXPECT_FALSE(wait_and_act(in, order, [&] { return suspend<int>(keeps); }, resumes_and_stops));
    EXPECT_EQ(order, "2+");
    auto drops_and_stops = [&](auto& handle) -> task<> {
      kept.reset();
      handle.request_stop();
      co_return;
    };
    EXPECT_FALSE(wait_and_act(in, order, [&] { return suspend<int>(keeps); }, drops_and_stops));
    EXPECT_EQ(order, text(errc::broken_promise) + "+") << "a bug is an error, not a stop";
  }
}

// The waiter of a library that lets go when it is told to; `told` counts.
struct lets_go {
  std::optional<suspension<int>> kept;
  int told = 0;
  auto operation(auto on_stop) {
    auto keeps = [this](suspension<int> waiter) { kept.emplace(std::move(waiter)); };
    auto tells = [this, on_stop] {
      ++told;
      on_stop(*this);
    };
    return suspend<int>(keeps, tells);
  }
};

TEST(suspend, with_on_stop_waits_until_the_suspension_is_resumed_or_dropped) {
  for (const auto in : each_style) {
    for (const bool resumed : {false, true}) {
      std::string order;
      lets_go library;
      const auto home = std::this_thread::get_id();
      auto on_stop = [&](lets_go&) { EXPECT_EQ(std::this_thread::get_id(), home); };
      auto acts = [&](auto& handle) -> task<> {
        handle.request_stop();
        co_await turns(5);
        EXPECT_FALSE(handle.ready());
        EXPECT_TRUE(!resumed || library.kept->resume(3));
        library.kept.reset();
      };
      EXPECT_FALSE(wait_and_act(in, order, [&] { return library.operation(on_stop); }, acts));
      EXPECT_EQ(order, resumed ? "3+" : "");
      EXPECT_EQ(library.told, 1);
    }
  }
}

TEST(suspend, with_on_stop_may_be_resumed_or_dropped_in_it) {
  for (const auto in : each_style) {
    std::string order;
    lets_go library;
    auto resumes = [](lets_go& l) { EXPECT_TRUE(l.kept->resume(4)); };
    EXPECT_FALSE(wait_and_act(in, order, [&] { return library.operation(resumes); }, stops));
    EXPECT_EQ(order, "4+");
    auto drops = [](lets_go& l) { l.kept.reset(); };
    EXPECT_FALSE(wait_and_act(in, order, [&] { return library.operation(drops); }, stops));
    EXPECT_EQ(order, "");
    EXPECT_FALSE(wait_and_act(in, order, [&] { return as_result(library.operation(drops)); }, stops));
    EXPECT_EQ(order, text(errc::stopped) + "+");
    auto fails = [](lets_go& l) { l.kept->resume(unexpected(error(errc::closed))); };
    EXPECT_FALSE(wait_and_act(in, order, [&] { return library.operation(fails); }, stops));
    EXPECT_EQ(order, text(errc::closed) + "+") << "an error is delivered, too";
    EXPECT_EQ(library.told, 4);
  }
}

TEST(suspend, does_not_call_on_stop_when_the_suspension_was_resumed_or_dropped_before) {
  for (const auto in : each_style) {
    std::string order;
    lets_go library;
    auto nothing = [](lets_go&) {};
    auto resumes_and_stops = [&](auto& handle) -> task<> {
      library.kept->resume(5);
      handle.request_stop();
      co_return;
    };
    EXPECT_FALSE(wait_and_act(in, order, [&] { return library.operation(nothing); }, resumes_and_stops));
    EXPECT_EQ(order, "5+");
    auto drops_and_stops = [&](auto& handle) -> task<> {
      library.kept.reset();
      handle.request_stop();
      co_return;
    };
    EXPECT_FALSE(wait_and_act(in, order, [&] { return library.operation(nothing); }, drops_and_stops));
    EXPECT_EQ(order, text(errc::broken_promise) + "+");
    EXPECT_EQ(library.told, 0);
  }
}

TEST(suspend, on_stop_may_stop_others_and_itself) {
  for (const auto in : each_style) {
    std::string order;
    lets_go library;
    stop_source others;
    join_handle<void>* self = nullptr;
    std::optional<join_handle<void>> bystander;
    auto stops_others = [&](lets_go& l) {
      EXPECT_FALSE(self->request_stop());
      others.request_stop();
      bystander->request_stop();
      l.kept.reset();
    };
    auto acts = [&](auto& handle) -> task<> {
      self = &handle;
      auto idles = []() -> task<> { co_await stopped(); };
      bystander = spawn(idles);
      auto listens = [&]() -> task<> { co_await with_stop(others.token(), stopped()); };
      auto listener = spawn(listens);
      co_await turns(2);
      handle.request_stop();
      const result<> listened = co_await listener;
      EXPECT_EQ(listened.error(), errc::stopped);
      const result<> idled = co_await *bystander;
      EXPECT_EQ(idled.error(), errc::stopped);
    };
    EXPECT_FALSE(wait_and_act(in, order, [&] { return library.operation(stops_others); }, acts));
    EXPECT_EQ(order, "");
    EXPECT_EQ(library.told, 1);
  }
}

TEST(suspend, in_combinators_is_told_by_their_stops) {
  for (const auto in : each_style) {
    std::string order;
    lets_go library;
    auto resumes = [](lets_go& l) { l.kept->resume(4); };
    EXPECT_TRUE(wait_and_act(in, order, [&] { return with_timeout(1us, library.operation(resumes)); }, does_nothing));
    EXPECT_EQ(order, "4+!") << "a value that arrived is given";
    auto drops = [](lets_go& l) { l.kept.reset(); };
    EXPECT_TRUE(wait_and_act(in, order, [&] { return with_timeout(1us, library.operation(drops)); }, does_nothing));
    EXPECT_EQ(order, text(errc::timed_out) + "+!");
    EXPECT_EQ(library.told, 2);
    auto resumes_shielded = [&](auto& handle) -> task<> {
      handle.request_stop();
      co_await turns(3);
      library.kept->resume(6);
    };
    EXPECT_FALSE(wait_and_act(in, order, [&] { return shield(library.operation(drops)); }, resumes_shielded));
    EXPECT_EQ(order, "6+");
    EXPECT_EQ(library.told, 2) << "behind a shield nobody is told";
  }
}

// With a walk past the others for each of them this would take longer than any test may.
TEST(suspension, one_of_very_many_is_resumed_or_stopped_without_passing_the_others) {
  constexpr std::size_t many = support::slowly ? 50'000 : 200'000;
  std::vector<suspension<>> waiting;
  waiting.reserve(many);
  std::size_t resumed = 0, stopped = 0;
  runtime rt;
  std::vector<join_handle<void>> handles;
  handles.reserve(many);
  auto waits = [&]() -> task<> {
    auto keeps = [&](suspension<> waiter) { waiting.push_back(std::move(waiter)); };
    const result<> got = co_await as_result(suspend(keeps));
    ++(got ? resumed : stopped);
  };
  for (std::size_t i = 0; i < many; ++i) handles.push_back(rt.spawn(waits));
  auto acts = [&]() -> task<> {
    while (waiting.size() < many) co_await yield_now();
    for (std::size_t last = many; last > 0; last -= 2) {
      EXPECT_TRUE(waiting[last - 1].resume());
      EXPECT_TRUE(handles[last - 2].request_stop());
      while (resumed + stopped < many - last + 2) co_await yield_now();
    }
  };
  rt.run(acts());
  EXPECT_EQ(resumed, many / 2);
  EXPECT_EQ(stopped, many / 2);
}

}  // namespace
