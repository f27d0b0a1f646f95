// Everything at once: random children in random combinators, stopped from everywhere while they complete, throw and clean up.
//
// Whatever happens: what was made is destroyed once, every child has ended before its combinator goes on, no wake is lost
// (or a run would not end), and what is given fits what was asked for.
#include <cordage/when.hpp>

#include <pthread.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <deque>
#include <mutex>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/fiber.hpp>
#include <cordage/promise.hpp>
#include <cordage/runtime.hpp>
#include <cordage/stop.hpp>
#include <cordage/task.hpp>
#include <cordage/time.hpp>

#include "counted.hpp"
#include "slowly.hpp"

namespace {

using namespace cordage;
using namespace std::chrono_literals;

constexpr auto for_ever = 24h;
constexpr int rounds = support::emulated ? 1'000 : 10'000;

using random_source = std::mt19937;

// Prints the seed with every failure.
struct seeded {
  const random_source::result_type seed = std::random_device{}();
  testing::ScopedTrace trace{__FILE__, __LINE__, "seed " + std::to_string(seed)};
  random_source random{seed};
};

// A thread that sets promises, soon.
class provider {
 public:
  future<int> ask(int value) {
    promise<int> asked;
    auto answer = asked.get_future();
    const std::lock_guard lock(mutex_);
    asked_.emplace_back(std::move(asked), value);
    return answer;
  }
  ~provider() {
    done_ = true;
    thread_.join();
  }

 private:
  void provide() {
    for (bool last = false; !last;) {
      last = done_;
      std::deque<std::pair<promise<int>, int>> taken;
      {
        const std::lock_guard lock(mutex_);
        taken.swap(asked_);
      }
      for (auto& [asked, value] : taken) asked.set_value(value);
      if (taken.empty()) std::this_thread::yield();
    }
  }

  std::mutex mutex_;
  std::deque<std::pair<promise<int>, int>> asked_;
  std::atomic<bool> done_{false};
  std::thread thread_{[this] { provide(); }};
};

// Of one combinator: how many children have begun and not ended. None when it is over, however it ended.
struct children_of_one {
  children_of_one() = default;
  children_of_one(const children_of_one&) = delete;
  ~children_of_one() { EXPECT_EQ(running, 0) << "a child outlived its combinator"; }
  int running = 0;
};

// What a round of random children shares.
struct day {
  random_source& random;
  provider& elsewhere;
  stop_token token{};
  children_of_one strands{};

  unsigned pick(unsigned below) { return static_cast<unsigned>(random()) % below; }
};

struct present {
  explicit present(children_of_one& of) : among(of) { ++among.running; }
  present(const present&) = delete;
  ~present() { --among.running; }
  children_of_one& among;
  counted local{};
};

enum waits : unsigned {
  a_turn,
  some_time,
  somebody_else,
  shielded,
  cleaning_up,
  on_a_fiber,
  to_throw,
  nothing,
  for_a_stop
};

task<int> one_wait(day& d, children_of_one& siblings, unsigned kind, int value) {
  present here(siblings);
  if (kind == a_turn) co_await yield_now();
  if (kind == some_time) co_await sleep_for(std::chrono::microseconds(d.pick(100)));
  if (kind == somebody_else || kind == shielded) {
    auto answer = d.elsewhere.ask(value);
    result<int> got = 0;
    if (kind == shielded) {
      got = co_await shield(answer);
    } else {
      got = co_await answer;
    }
    EXPECT_EQ(got, value);
  }
  if (kind == cleaning_up) {
    auto cleanup = [&]() -> task<> {
      present cleaning(siblings);
      co_await yield_now();
      if (d.pick(8) == 0) throw std::runtime_error("a cleanup that fails");
    };
    co_await finally(sleep_for(1us), cleanup);
  }
  if (kind == on_a_fiber) {
    auto body = [&] {
      present on_fiber(siblings);
      await(yield_now());
      await(sleep_for(1us));
    };
    fiber<void> waits(body);
    co_await waits;
  }
  if (kind == to_throw) throw std::runtime_error("a child that fails");
  if (kind == for_a_stop) co_await sleep_for(for_ever);
  co_return value;
}

task<int> throws_when_stopped(children_of_one& siblings) {
  present here(siblings);
  const auto got = co_await as_result(sleep_for(for_ever));
  EXPECT_EQ(got.error(), errc::stopped);
  throw std::logic_error("a child that throws while stopping");
}

task<int> random_child(day& d, children_of_one& siblings, int depth);

// A random combinator over random children; looks at what is given.
task<int> random_combinator(day& d, children_of_one& siblings, int depth) {
  present here(siblings);
  children_of_one mine;
  const unsigned kind = d.pick(6);
  int sum = 0;
  if (kind == 0) {
    const auto [a, b, c] = co_await when_all(random_child(d, mine, depth), random_child(d, mine, depth),
                                             one_wait(d, mine, d.pick(6), 3));
    EXPECT_EQ(c, 3);
    sum = a + b + c;
  } else if (kind == 1) {
    const auto [a, b, c] = co_await when_any(random_child(d, mine, depth), random_child(d, mine, depth),
                                             one_wait(d, mine, d.pick(6), 3));
    EXPECT_TRUE(a || b || c);
    sum = a.value_or(0) + b.value_or(0) + c.value_or(0);
  } else if (kind == 2) {
    const auto got =
        co_await with_timeout(std::chrono::microseconds(d.pick(200)), random_child(d, mine, depth));
    sum = got.value_or(1);
    if (!got) {
      EXPECT_EQ(got.error(), errc::timed_out);
    }
  } else if (kind == 3) {
    const auto got = co_await expect<0>(when_any(random_child(d, mine, depth), one_wait(d, mine, a_turn, 1)));
    sum = got.value_or(1);
    if (!got) {
      EXPECT_EQ(got.error(), errc::lost_race);
    }
  } else if (kind == 4) {
    std::vector<task<int>> children;
    for (unsigned i = d.pick(4); i > 0; --i) children.push_back(random_child(d, mine, depth));
    const auto got = co_await when_all(children);
    EXPECT_EQ(got.size(), children.size());
  } else {
    const auto got = co_await as_result(with_stop(d.token, random_child(d, mine, depth)));
    if (!got) {
      EXPECT_EQ(got.error(), errc::stopped);
    }
    sum = got.value_or(1);
  }
  EXPECT_EQ(mine.running, 0) << "a child was still running when its combinator had completed";
  co_return sum;
}

task<int> random_child(day& d, children_of_one& siblings, int depth) {
  if (depth > 0 && d.pick(2) == 0) return random_combinator(d, siblings, depth - 1);
  const unsigned kind = d.pick(40);
  if (kind == 39) return throws_when_stopped(siblings);
  const unsigned wait = kind < 30 ? kind % 6 : kind == 30 ? to_throw : kind == 31 ? nothing : for_a_stop;
  return one_wait(d, siblings, wait, static_cast<int>(kind));
}

// A strand for a random combinator, as a task or on a fiber.
join_handle<int> spawn_random(day& d) {
  auto in_task = [&d] { return random_combinator(d, d.strands, 3); };
  auto in_fiber = [&d] { return await(random_combinator(d, d.strands, 3)); };
  return d.pick(2) == 0 ? spawn(in_task) : spawn(in_fiber);
}

task<> joined(day& d, join_handle<int>& handle) {
  try {
    const auto got = co_await handle;
    if (!got) {
      EXPECT_EQ(got.error(), errc::stopped);
    }
  } catch (const std::exception&) {
    // A child failed.
  }
  EXPECT_EQ(d.strands.running, 0);
}

TEST(bad_days, a_stop_races_completion_in_a_random_tree) {
  seeded by;
  provider elsewhere;
  counted::alive = 0;
  runtime rt;
  auto all_days = [&]() -> task<> {
    for (int round = 0; round < rounds && !testing::Test::HasFailure(); ++round) {
      day d{by.random, elsewhere};
      auto handle = spawn_random(d);
      for (unsigned turns = d.pick(12); turns > 0; --turns) co_await yield_now();
      handle.request_stop();
      co_await joined(d, handle);
      EXPECT_EQ(counted::alive, 0);
    }
  };
  rt.run(all_days());
}

TEST(bad_days, a_stop_comes_before_the_start) {
  seeded by;
  provider elsewhere;
  counted::alive = 0;
  auto all_days = [&]() -> task<> {
    for (int round = 0; round < rounds && !testing::Test::HasFailure(); ++round) {
      day d{by.random, elsewhere};
      auto handle = spawn_random(d);
      handle.request_stop();
      co_await joined(d, handle);
      EXPECT_EQ(counted::alive, 0);
    }
  };
  run(all_days());
}

TEST(bad_days, another_thread_stops_while_with_stop_begins_and_ends) {
  seeded by;
  provider elsewhere;
  counted::alive = 0;
  std::atomic<const stop_source*> offered{nullptr};
  std::atomic<bool> over{false};
  std::thread other([&] {
    while (!over) {
      const stop_source* const taken = offered.exchange(nullptr);
      if (taken == nullptr) {
        std::this_thread::yield();
      } else {
        const stop_source own = *taken;
        own.request_stop();
      }
    }
  });
  auto all_days = [&]() -> task<> {
    for (int round = 0; round < rounds && !testing::Test::HasFailure(); ++round) {
      stop_source stops;
      day d{by.random, elsewhere, stops.token()};
      auto tree = [&] { return with_stop(d.token, random_combinator(d, d.strands, 2)); };
      auto strand = [&]() -> task<int> { co_return co_await tree(); };
      offered = &stops;
      auto handle = spawn(strand);
      if (d.pick(4) == 0) co_await yield_now();
      if (d.pick(4) == 0) handle.request_stop();
      while (!stops.stop_requested()) co_await yield_now();
      co_await joined(d, handle);
      EXPECT_EQ(counted::alive, 0);
    }
  };
  run(all_days());
  over = true;
  other.join();
}

std::atomic<join_handle<int>*> handle_to_stop{nullptr};
std::atomic<const stop_source*> source_to_stop{nullptr};

// Stops from a handler of SIGUSR1.
class stops_by_signal {
 public:
  stops_by_signal() {
    struct sigaction action {};
    action.sa_handler = [](int) {
      if (join_handle<int>* const handle = handle_to_stop; handle != nullptr) handle->request_stop();
      if (const stop_source* const source = source_to_stop; source != nullptr) source->request_stop();
    };
    action.sa_flags = SA_RESTART;
    sigaction(SIGUSR1, &action, &before_);
  }
  ~stops_by_signal() { sigaction(SIGUSR1, &before_, nullptr); }

 private:
  struct sigaction before_ {};
};

TEST(bad_days, a_signal_handler_stops_strands_and_sources) {
  seeded by;
  provider elsewhere;
  stops_by_signal handler;
  counted::alive = 0;
  auto all_days = [&]() -> task<> {
    for (int round = 0; round < rounds && !testing::Test::HasFailure(); ++round) {
      stop_source stops;
      day d{by.random, elsewhere, stops.token()};
      auto handle = spawn_random(d);
      if (d.pick(2) == 0) handle_to_stop = &handle;
      source_to_stop = &stops;
      for (unsigned turns = d.pick(8); turns > 0; --turns) co_await yield_now();
      std::raise(SIGUSR1);
      handle_to_stop = nullptr;
      source_to_stop = nullptr;
      handle.request_stop();
      co_await joined(d, handle);
      EXPECT_EQ(counted::alive, 0);
    }
  };
  run(all_days());
}

// The signal arrives in the middle of whatever the worker does.
TEST(bad_days, a_signal_from_another_thread_arrives_anywhere) {
  seeded by;
  provider elsewhere;
  stops_by_signal handler;
  counted::alive = 0;
  std::atomic<bool> over{false};
  std::thread other([&over, worker = pthread_self()] {
    while (!over) {
      pthread_kill(worker, SIGUSR1);
      std::this_thread::sleep_for(20us);
    }
  });
  auto all_days = [&]() -> task<> {
    for (int round = 0; round < rounds && !testing::Test::HasFailure(); ++round) {
      stop_source stops;
      day d{by.random, elsewhere, stops.token()};
      auto handle = spawn_random(d);
      handle_to_stop = &handle;
      source_to_stop = &stops;
      for (unsigned turns = d.pick(100); turns > 0; --turns) co_await yield_now();
      handle.request_stop();
      co_await joined(d, handle);
      handle_to_stop = nullptr;
      source_to_stop = nullptr;
      EXPECT_EQ(counted::alive, 0);
    }
  };
  run(all_days());
  over = true;
  other.join();
}

TEST(bad_days, a_thousand_strands_listen_to_one_token) {
  seeded by;
  provider elsewhere;
  counted::alive = 0;
  for (int round = 0; round < 10; ++round) {
    stop_source stops;
    std::thread other;
    int stopped = 0;
    int listening = 0;
    auto in_task = [&](counted) -> task<> {
      ++listening;
      const auto got = co_await as_result(with_stop(stops.token(), sleep_for(for_ever)));
      stopped += got.error() == errc::stopped;
    };
    auto sleeper = [] { await(sleep_for(for_ever)); };
    auto on_fiber = [&](counted) -> task<> {
      ++listening;
      const auto got = co_await as_result(with_stop(stops.token(), fiber<void>(sleeper)));
      stopped += got.error() == errc::stopped;
    };
    auto all = [&]() -> task<> {
      std::vector<task<>> strands;
      for (int i = 0; i < 1000; ++i)
        strands.push_back(i % 10 == 0 ? on_fiber(counted()) : in_task(counted()));
      other = std::thread([&, wait = by.random() % 20'000] {
        for (unsigned spin = 0; spin < wait; ++spin) asm volatile("");
        stops.request_stop();
      });
      co_await when_all(std::move(strands));
    };
    run(all());
    other.join();
    EXPECT_EQ(listening, 1000);
    EXPECT_EQ(stopped, 1000);
    EXPECT_EQ(counted::alive, 0);
  }
}

TEST(bad_days, threads_provide_values_while_everything_is_stopped_from_a_thread) {
  seeded by;
  counted::alive = 0;
  provider elsewhere;
  for (int round = 0; round < rounds / 10; ++round) {
    day d{by.random, elsewhere};
    runtime rt;
    std::atomic<bool> begun{false};
    auto all = [&]() -> task<> {
      begun = true;
      for (int i = 0; i < 100; ++i) {
        bool failed = false;
        try {
          co_await when_any(random_child(d, d.strands, 2), random_child(d, d.strands, 2));
        } catch (const std::exception&) {
          failed = true;
        }
        EXPECT_EQ(d.strands.running, 0) << failed;
      }
    };
    std::thread stopper([&, wait = by.random() % 100'000] {
      while (!begun) std::this_thread::yield();
      for (unsigned spin = 0; spin < wait; ++spin) asm volatile("");
      rt.request_stop();
    });
    try {
      rt.run(all());
    } catch (const stopped_error&) {
      // It was not over before.
    }
    stopper.join();
    EXPECT_EQ(d.strands.running, 0);
    EXPECT_EQ(counted::alive, 0);
  }
}

}  // namespace
