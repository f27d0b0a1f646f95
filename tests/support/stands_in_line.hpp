// What holds of everything that strands stand in line for: a mutex, permits, a guarded value. `make` gives an operation whose
// value keeps what is waited for from others, as long as it lives.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/dump.hpp>
#include <cordage/fiber.hpp>
#include <cordage/result.hpp>
#include <cordage/runtime.hpp>
#include <cordage/task.hpp>

#include "both_styles.hpp"

namespace support {

// The first strand of a mixture is a task, the second a fiber.
inline style style_of(int number) { return each_style[number % 2]; }

// Awaits make(), calls then() while it has what that gives, and keeps it for so many turns of the queue.
template <class Make, class Then>
cordage::task<> take_in_task(Make& make, Then& then, int kept_for = 0) {
  if constexpr (std::is_void_v<cordage::detail::awaited_value<decltype(make())>>) {
    co_await make();
    then();
    co_await turns(kept_for);
  } else {
    const auto held = co_await make();
    then();
    co_await turns(kept_for);
  }
}
template <class Make, class Then>
void take_on_fiber(Make& make, Then& then, int kept_for = 0) {
  if constexpr (std::is_void_v<cordage::detail::awaited_value<decltype(make())>>) {
    cordage::await(make());
    then();
    cordage::await(turns(kept_for));
  } else {
    const auto held = cordage::await(make());
    then();
    cordage::await(turns(kept_for));
  }
}

// A strand that does that.
template <class Make, class Then>
cordage::join_handle<void> spawn_waiter(const cordage::spawn_options& options, style in, Make make, Then then, int kept_for) {
  auto in_task = [make, then, kept_for]() -> cordage::task<> { co_await take_in_task(make, then, kept_for); };
  auto on_fiber = [make, then, kept_for] { take_on_fiber(make, then, kept_for); };
  return in == style::task ? cordage::spawn(options, in_task) : cordage::spawn(options, on_fiber);
}

// How a strand has ended. GCC 12 takes no co_await inside of what gtest expects where that is in a template.
inline cordage::task<> expect_end(cordage::join_handle<void>& of) {
  const auto ended = co_await of;
  EXPECT_TRUE(ended.has_value());
}
inline cordage::task<> expect_stop(cordage::join_handle<void>& of) {
  const auto ended = co_await of;
  EXPECT_EQ(ended.error(), cordage::errc::stopped);
}

// One that writes its name to the log when it has got what it waits for.
template <class Make>
cordage::join_handle<void> spawn_waiter(style in, std::string& log, char name, Make make, int kept_for = 1) {
  return spawn_waiter({}, in, make, [&log, name] { log += name; }, kept_for);
}

// Waiters of both styles go on in the order in which they came.
template <class Make>
void expect_first_in_first_out(Make make) {
  for (const style first : each_style) {
    std::string log;
    auto all = [&]() -> cordage::task<> {
      auto held = co_await make();
      std::vector<cordage::join_handle<void>> waiters;
      for (int i = 0; i < 6; ++i)
        waiters.push_back(spawn_waiter(style_of(i + static_cast<int>(first)), log, static_cast<char>('a' + i), make));
      co_await turns(5);
      EXPECT_EQ(log, "");
      held.unlock();
      for (auto& each : waiters) co_await expect_end(each);
    };
    cordage::run(all());
    EXPECT_EQ(log, "abcdef");
  }
}

// Who gives back and asks again in the same turn, again and again, goes behind those who wait.
template <class Make>
void expect_a_loop_does_not_overtake(Make make) {
  for (const style of_loop : each_style) {
    for (const style of_waiter : each_style) {
      std::string log;
      auto in_task = [&]() -> cordage::task<> {
        for (int i = 0; i < 3; ++i) {
          const auto held = co_await make();
          log += 'L';
          co_await cordage::yield_now();
        }
      };
      auto on_fiber = [&] {
        for (int i = 0; i < 3; ++i) {
          const auto held = cordage::await(make());
          log += 'L';
          cordage::await(cordage::yield_now());
        }
      };
      auto all = [&]() -> cordage::task<> {
        auto loop = of_loop == style::task ? cordage::spawn(in_task) : cordage::spawn(on_fiber);
        auto one = spawn_waiter(of_waiter, log, 'a', make);
        auto other = spawn_waiter(of_waiter, log, 'b', make);
        co_await expect_end(loop);
        co_await expect_end(one);
        co_await expect_end(other);
      };
      cordage::run(all());
      EXPECT_EQ(log, "LabLL");
    }
  }
}

// A waiter is stopped before, when and after it is given what it waits for. What it has got, if it has, goes on to the next.
template <class Make>
void expect_a_stop_loses_nothing(Make make) {
  enum class at { before, as_it_is_given, after };
  for (const style of_stopped : each_style) {
    for (const style of_next : each_style) {
      for (const at moment : {at::before, at::as_it_is_given, at::after}) {
        std::string log;
        auto all = [&]() -> cordage::task<> {
          auto held = co_await make();
          auto stopped = spawn_waiter(of_stopped, log, 'a', make);
          auto next = spawn_waiter(of_next, log, 'b', make);
          co_await turns(3);
          if (moment == at::before) {
            stopped.request_stop();
            co_await turns(3);
            EXPECT_TRUE(stopped.ready()) << "it does not wait for what it waited for";
            held.unlock();
          } else if (moment == at::as_it_is_given) {
            // Given by another thread, so that the stop is in the queue before the waiter is.
            stopped.request_stop();
            std::thread([&] { held.unlock(); }).join();
          } else {
            held.unlock();
            stopped.request_stop();
          }
          co_await expect_stop(stopped);
          co_await expect_end(next);
          const auto again = co_await make();
          log += '.';
        };
        cordage::run(all());
        EXPECT_EQ(log, moment == at::before ? "b." : "ab.") << name_of(of_stopped) << ' ' << name_of(of_next);
      }
    }
  }
}

// Who always finds it free, and never has to wait, lets others have their turns.
template <class Make>
void expect_ready_at_once_lets_others_go_on(Make make) {
  for (const style in : each_style) {
    bool other_has_run = false;
    auto nothing = [] {};
    auto in_task = [&]() -> cordage::task<> {
      while (!other_has_run) co_await take_in_task(make, nothing);
    };
    auto on_fiber = [&] {
      while (!other_has_run) take_on_fiber(make, nothing);
    };
    auto all = [&]() -> cordage::task<> {
      auto loop = in == style::task ? cordage::spawn(in_task) : cordage::spawn(on_fiber);
      co_await cordage::yield_now();
      other_has_run = true;
      co_await expect_end(loop);
    };
    cordage::run(all());
  }
}

// A strand that is to stop does not even take what is there.
template <class Make>
void expect_a_stopping_strand_takes_nothing(Make make) {
  for (const style in : each_style) {
    bool has_got_it = false;
    cordage::join_handle<void>* self = nullptr;
    auto make_after_a_stop = [&] {
      self->request_stop();
      return make();
    };
    auto all = [&]() -> cordage::task<> {
      auto handle = spawn_waiter({}, in, make_after_a_stop, [&] { has_got_it = true; }, 0);
      self = &handle;
      co_await expect_stop(handle);
    };
    cordage::run(all());
    EXPECT_FALSE(has_got_it);
  }
}

// Destroys `one` while a strand of that style and name waits for make(*one): for death tests.
template <class T, class Make>
void destroy_while_awaited(std::unique_ptr<T> one, style in, std::string_view name, Make make) {
  auto all = [&]() -> cordage::task<> {
    auto waiter = spawn_waiter({.name = name}, in, [&] { return make(*one); }, [] {}, 0);
    co_await turns(3);
    one.reset();
  };
  cordage::run(all());
}

// What a dump shows of fiber "waiter", which waits for make() while task "holder" has it, or while what that has got is kept
// although it has ended.
template <class Make>
std::string seen_while_it_waits(cordage::dump_format format, Make make, bool holder_has_ended) {
  using namespace cordage;
  std::string seen;
  bool over = false;
  auto all = [&]() -> task<> {
    std::optional<detail::awaited_value<decltype(make())>> kept;
    auto holds = [&]() -> task<> {
      kept.emplace(co_await make());
      while (!over) co_await yield_now();
    };
    auto holder = spawn({.name = "holder"}, holds);
    co_await turns(2);
    auto waiter = spawn_waiter({.name = "waiter"}, style::fiber, make, [] {}, 0);
    co_await turns(2);
    over = holder_has_ended;
    co_await turns(2);
    EXPECT_EQ(holder.ready(), holder_has_ended);
    seen = dump(format);
    over = true;
    co_await expect_end(holder);
    kept.reset();
    co_await expect_end(waiter);
  };
  run(all());
  return seen;
}

// A thread that destroys what it is given.
template <class T>
class destroyer {
 public:
  void take(T what) {
    const std::lock_guard lock(mutex_);
    given_.push_back(std::move(what));
  }
  ~destroyer() {
    done_ = true;
    thread_.join();
  }

 private:
  void destroy() {
    for (bool last = false; !last;) {
      last = done_;
      std::deque<T> taken;
      {
        const std::lock_guard lock(mutex_);
        taken.swap(given_);
      }
      if (taken.empty()) std::this_thread::yield();
    }
  }

  std::mutex mutex_;
  std::deque<T> given_;
  std::atomic<bool> done_{false};
  std::thread thread_{[this] { destroy(); }};
};

// So many threads, each of which calls f with its number.
template <class F>
class threads {
 public:
  threads(int count, F f) {
    for (int i = 0; i < count; ++i) all_.emplace_back(f, i);
  }
  ~threads() {
    for (auto& each : all_) each.join();
  }

 private:
  std::vector<std::thread> all_;
};

// On two runtimes, each on a thread of its own, `strands` each of both styles: f(number) in each, a task.
template <class F>
void run_on_two_threads(int strands, F f) {
  const threads both(2, [&](int which) {
    auto all = [&]() -> cordage::task<> {
      std::vector<cordage::join_handle<void>> handles;
      for (int i = 0; i < strands; ++i) {
        const int number = which * strands + i;
        auto in_task = [&f, number]() -> cordage::task<> { co_await f(number); };
        auto on_fiber = [&f, number] { cordage::await(f(number)); };
        if (style_of(i) == style::task) {
          handles.push_back(cordage::spawn(in_task));
        } else {
          handles.push_back(cordage::spawn(on_fiber));
        }
      }
      for (auto& each : handles) co_await expect_end(each);
    };
    cordage::run(all());
  });
}

// 10,000 times something is had by one at a time: by strands of two runtimes, which give it back here or elsewhere, and by
// threads that try. work() is called by who has it.
template <class Make, class Try, class Work>
void pass_around(Make make, Try try_now, Work work) {
  using held = cordage::detail::awaited_value<decltype(make())>;
  constexpr int strands = 4, times = 1'000, tries = 1'000;
  destroyer<held> elsewhere;
  const threads outside(2, [&](int) {
    for (int i = 0; i < tries;) {
      if (const auto got = try_now()) {
        work();
        ++i;
      } else {
        std::this_thread::yield();
      }
    }
  });
  auto strand = [&](int number) -> cordage::task<> {
    for (int i = 0; i < times; ++i) {
      auto got = co_await make();
      work();
      if ((i + number) % 3 == 0) co_await cordage::yield_now();
      if ((i + number) % 5 == 0) elsewhere.take(std::move(got));
    }
  };
  run_on_two_threads(strands, strand);
}
inline constexpr int passed_around = 10'000;

}  // namespace support
