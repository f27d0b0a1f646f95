// suspend on its bad days: resumed, dropped and stopped on several threads at once, and in signal handlers.
#include <cordage/suspend.hpp>

#include <pthread.h>
#include <sys/time.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include <cordage/scope.hpp>
#include <cordage/time.hpp>

#include "both_styles.hpp"

namespace {

using namespace cordage;
using namespace std::chrono_literals;
using namespace support;

constexpr int batches = 100;
constexpr int waiters = 100;  // of each batch: 10,000 rounds

using random_source = std::minstd_rand;

void pause(random_source& random) {
  for (unsigned spin = 0, longest = random() % 200; spin < longest; ++spin) asm volatile("");
}

// A library that holds one waiter, as C libraries do: whoever takes the pointer may use it.
struct holder {
  std::atomic<void*> waiter{nullptr};
  std::atomic<int> resumed{0};  // how many calls of resume won
  int told = 0;                 // how often on_stop was called
  std::optional<join_handle<result<int>>> handle;

  suspension<int> take() { return suspension<int>::from(waiter.exchange(nullptr)); }
  // Waits for the waiter, which a stop may keep from ever coming.
  suspension<int> take_when_there() {
    for (;;) {
      if (auto taken = take()) return taken;
      if (handle->ready()) return take();
      std::this_thread::yield();
    }
  }
  void resume(suspension<int>& with, int value) {
    if (with.resume(value)) ++resumed;
  }
};

struct world {
  std::array<holder, waiters> all;

  template <bool HasOnStop, class OnStop>
  static auto operation(holder& at, [[maybe_unused]] OnStop& on_stop, [[maybe_unused]] int i) {
    auto keeps = [&at](suspension<int> waiter) { at.waiter = waiter.release(); };
    if constexpr (HasOnStop) {
      auto tells = [&at, &on_stop, i] {
        ++at.told;
        on_stop(at, i);
      };
      return suspend<int>(keeps, tells);
    } else {
      return suspend<int>(keeps);
    }
  }

  // Spawns one waiter for each holder, every second one on a fiber. on_stop(holder, index) where has_on_stop.
  template <bool HasOnStop, class OnStop>
  void spawn_waiters(OnStop& on_stop) {
    for (int i = 0; i < waiters; ++i) {
      holder& at = all[static_cast<std::size_t>(i)];
      auto make = [&at, &on_stop, i] { return operation<HasOnStop>(at, on_stop, i); };
      auto in_task = [make]() -> task<result<int>> { co_return co_await make(); };
      auto on_fiber = [make]() -> result<int> { return await(make()); };
      if (i % 2 == 0) {
        at.handle.emplace(spawn(in_task));
      } else {
        at.handle.emplace(spawn(on_fiber));
      }
    }
  }
};

// One batch: the waiters on this thread, `first` and `second`, given each holder in turn, on two others, and afterwards
// judge(holder, how it ended).
template <bool HasOnStop, class OnStop, class First, class Second, class Judge>
void race(unsigned seed, OnStop on_stop, First first, Second second, Judge judge) {
  world of;
  std::thread one, two;
  run([&]() -> task<> {
    of.spawn_waiters<HasOnStop>(on_stop);
    const auto visits = [&of](auto act, unsigned seeded) {
      return [&of, act, seeded] {
        random_source random(seeded);
        for (holder& at : of.all) {
          pause(random);
          act(at, random);
        }
      };
    };
    one = std::thread(visits(first, seed));
    two = std::thread(visits(second, seed + 1));
    for (holder& at : of.all) {
      const result<int> ended = co_await *at.handle;
      judge(at, ended);
    }
  }());
  one.join();
  two.join();
  for (holder& at : of.all) std::ignore = at.take();
}

template <class Batch>
void many_times(Batch batch) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  random_source random(seed);
  for (int i = 0; i < batches && !testing::Test::HasFailure(); ++i) batch(static_cast<unsigned>(random()));
}

constexpr auto no_on_stop = [](holder&, int) {};

TEST(suspension, resumed_by_two_threads_at_once_is_resumed_by_exactly_one) {
  many_times([](unsigned seed) {
    std::array<std::optional<suspension<int>>, waiters> shared;
    std::array<std::atomic<int>, waiters> wins{};
    std::array<std::atomic<bool>, waiters> there{};
    std::atomic<int> value_sum = 0;
    std::array<std::thread, 2> threads;
    int received_sum = 0;
    run([&]() -> task<> {
      auto waits = [&](std::size_t i) -> task<> {
        auto shares = [&, i](suspension<int> waiter) {
          shared[i].emplace(std::move(waiter));
          there[i] = true;
        };
        received_sum += *co_await suspend<int>(shares);
      };
      auto waits_on_fiber = [&](std::size_t i) {
        auto shares = [&, i](suspension<int> waiter) {
          shared[i].emplace(std::move(waiter));
          there[i] = true;
        };
        received_sum += *await(suspend<int>(shares));
      };
      co_await with_scope([&](scope& children) -> task<> {
        for (std::size_t i = 0; i < waiters; ++i) {
          if (i % 2 == 0) {
            children.spawn(waits, i);
          } else {
            children.spawn(waits_on_fiber, i);
          }
        }
        for (int t = 0; t < 2; ++t) {
          threads[static_cast<std::size_t>(t)] = std::thread([&, t] {
            random_source random(seed + static_cast<unsigned>(t));
            for (std::size_t i = 0; i < waiters; ++i) {
              while (!there[i]) std::this_thread::yield();
              pause(random);
              if (!shared[i]->resume(t + 1)) continue;
              ++wins[i];
              value_sum += t + 1;
            }
          });
        }
        co_return;
      });
    }());
    for (auto& thread : threads) thread.join();
    for (auto& each : wins) EXPECT_EQ(each, 1);
    EXPECT_EQ(received_sum, value_sum);
  });
}

TEST(suspension, resumed_dropped_and_stopped_on_different_threads_ends_one_way) {
  many_times([](unsigned seed) {
    race<false>(
        seed, no_on_stop,
        [](holder& at, random_source& random) {
          auto taken = at.take_when_there();
          if (taken && random() % 2 == 0) at.resume(taken, 7);
        },
        [](holder& at, random_source& random) {
          if (random() % 2 == 0) at.handle->request_stop();
        },
        [](holder& at, const result<int>& ended) {
          if (ended) {
            EXPECT_EQ(*ended, 7);
          } else if (ended.error() == errc::stopped) {
            EXPECT_EQ(at.resumed, 0);
          } else {
            EXPECT_EQ(ended.error(), errc::broken_promise);
            EXPECT_EQ(at.resumed, 0);
          }
        });
  });
}

TEST(suspension, resumed_after_a_stop_is_told_so) {
  many_times([](unsigned seed) {
    race<false>(
        seed, no_on_stop,
        [](holder& at, random_source&) {
          while (!at.handle->ready()) std::this_thread::yield();
          auto taken = at.take();
          EXPECT_FALSE(taken && taken.resume(7));
        },
        [](holder& at, random_source&) { at.handle->request_stop(); },
        [](holder& at, const result<int>& ended) {
          EXPECT_EQ(ended, unexpected(error(errc::stopped)));
          EXPECT_EQ(at.resumed, 0);
        });
  });
}

TEST(suspension, with_on_stop_that_resumes_or_drops_ends_one_way_while_others_do_the_same) {
  many_times([](unsigned seed) {
    race<true>(
        seed,
        [](holder& at, int i) {
          auto taken = at.take();
          if (taken && i % 3 == 0) at.resume(taken, 8);
        },
        [](holder& at, random_source& random) {
          if (auto taken = at.take_when_there(); taken && random() % 2 == 0) at.resume(taken, 7);
        },
        [](holder& at, random_source& random) {
          if (random() % 2 == 0) at.handle->request_stop();
        },
        [](holder& at, const result<int>& ended) {
          EXPECT_LE(at.told, 1);
          if (ended) {
            EXPECT_TRUE(*ended == 7 || *ended == 8);
          } else if (ended.error() == errc::stopped) {
            EXPECT_EQ(at.resumed, 0);
          } else {
            EXPECT_EQ(ended.error(), errc::broken_promise);
            EXPECT_EQ(at.resumed, 0);
          }
        });
  });
}

// Each on_stop stops the next waiter, while another thread stops them from the other end.
TEST(suspension, may_be_stopped_in_the_on_stop_of_another) {
  many_times([](unsigned seed) {
    holder* first = nullptr;
    race<true>(
        seed,
        [&first](holder& at, int i) {
          if (first == nullptr) first = &at - i;
          if (i + 1 < waiters) first[i + 1].handle->request_stop();
          std::ignore = at.take();
        },
        [](holder& at, random_source& random) {
          if (random() % 4 == 0) std::ignore = at.take_when_there();
        },
        [](holder& at, random_source&) { at.handle->request_stop(); },
        [](holder& at, const result<int>& ended) {
          EXPECT_LE(at.told, 1);
          EXPECT_FALSE(ended.has_value());
        });
  });
}

// For the handler, which resumes what is there.
std::optional<isr_suspension> for_handler;
std::atomic<bool> armed{false};
std::atomic<int> resumed_by_handler{0};
std::atomic<int> handled_rounds{0};

void handle_signal(int) {
  if (!armed.exchange(false)) return;
  if (for_handler->resume()) ++resumed_by_handler;
  ++handled_rounds;
}

struct handled_signal {
  explicit handled_signal(int number) : number_(number) {
    resumed_by_handler = 0;
    std::signal(number_, handle_signal);
  }
  ~handled_signal() {
    std::signal(number_, SIG_DFL);
    armed = false;
    for_handler.reset();
  }
  int number_;
};

void arm(isr_suspension waiter) {
  for_handler.emplace(std::move(waiter));
  armed = true;
}

TEST(suspend_for_isr, is_resumed_by_a_signal_handler_before_and_after_on_suspend_returns) {
  const handled_signal handled(SIGUSR1);
  for (const auto in : each_style) {
    std::string order;
    auto raises_at_once = [](isr_suspension waiter) {
      arm(std::move(waiter));
      std::raise(SIGUSR1);
    };
    auto nothing = [](auto&) -> task<> { co_return; };
    EXPECT_TRUE(wait_and_act(in, order, [&] { return suspend_for_isr(raises_at_once); }, nothing));
    EXPECT_EQ(order, "v+!");
    auto raises = [](auto&) -> task<> {
      std::raise(SIGUSR1);
      std::raise(SIGUSR1);
      co_return;
    };
    EXPECT_TRUE(wait_and_act(in, order, [] { return suspend_for_isr(arm); }, raises));
    EXPECT_EQ(order, "v+!");
  }
  EXPECT_EQ(resumed_by_handler, 4);
}

TEST(suspend_for_isr, dropped_or_stopped_ends_without_the_handler) {
  const handled_signal handled(SIGUSR1);
  for (const auto in : each_style) {
    std::string order;
    auto drops = [](auto&) -> task<> {
      armed = false;
      for_handler.reset();
      co_return;
    };
    EXPECT_TRUE(wait_and_act(in, order, [] { return suspend_for_isr(arm); }, drops));
    EXPECT_EQ(order, "[" + error(errc::broken_promise).message() + "]+!");
    auto stops = [](auto& handle) -> task<> {
      handle.request_stop();
      co_return;
    };
    EXPECT_FALSE(wait_and_act(in, order, [] { return suspend_for_isr(arm); }, stops));
    EXPECT_EQ(order, "");
    std::raise(SIGUSR1);
    EXPECT_EQ(resumed_by_handler, 0);
  }
}

// A timer whose signals come at any moment, while the thread works, switches or sleeps.
struct signal_storm {
  signal_storm() { set(30); }
  ~signal_storm() { set(0); }
  static void set(int microseconds) {
    const itimerval every{.it_interval = {.tv_sec = 0, .tv_usec = microseconds},
                          .it_value = {.tv_sec = 0, .tv_usec = microseconds}};
    setitimer(ITIMER_REAL, &every, nullptr);
  }
};

TEST(suspend_for_isr, survives_a_storm_of_signals) {
  constexpr int rounds = 5'000;
  for (const auto in : each_style) {
    const handled_signal handled(SIGALRM);
    const signal_storm storm;
    auto in_task = []() -> task<int> {
      int resumed = 0;
      for (int i = 0; i < rounds; ++i) resumed += (co_await suspend_for_isr(arm)).has_value();
      co_return resumed;
    };
    auto on_fiber = [] {
      int resumed = 0;
      for (int i = 0; i < rounds; ++i) resumed += await(suspend_for_isr(arm)).has_value();
      return resumed;
    };
    EXPECT_EQ(in == style::fiber ? run(fiber{on_fiber}) : run(in_task()), rounds);
    EXPECT_EQ(resumed_by_handler, rounds);
  }
}

TEST(suspend_for_isr, is_resumed_by_a_handler_on_another_thread_while_it_is_stopped) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  random_source random(seed);
  const handled_signal handled(SIGUSR1);
  std::atomic<bool> over = false;
  std::thread raises([&] {
    while (!over) {
      if (armed) std::raise(SIGUSR1);
      std::this_thread::yield();
    }
  });
  int resumed = 0, stopped = 0;
  run([&]() -> task<> {
    auto in_task = []() -> task<result<>> { co_return co_await suspend_for_isr(arm); };
    auto on_fiber = []() -> result<> { return await(suspend_for_isr(arm)); };
    for (int i = 0; i < 10'000; ++i) {
      const int handled_before = handled_rounds;
      auto handle = i % 2 == 0 ? spawn(in_task) : spawn(on_fiber);
      co_await turns(1);
      pause(random);
      if (random() % 2 == 0) handle.request_stop();
      const result<> ended = co_await handle;
      ++(ended ? resumed : stopped);
      // A handler that has begun may be about to look at the suspension.
      if (armed.exchange(false)) continue;
      while (handled_rounds == handled_before) std::this_thread::yield();
    }
  }());
  over = true;
  raises.join();
  EXPECT_EQ(resumed + stopped, 10'000);
  EXPECT_EQ(resumed, resumed_by_handler);
}

}  // namespace
