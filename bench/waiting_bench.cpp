// What it costs to wait among many that wait: timers, and strands that are idle.
//
// Exit status: 0 all gates met, 1 a gate missed.
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <random>
#include <semaphore>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <cordage/cordage.hpp>

#include "support/instructions.hpp"
#include "support/micro.hpp"
#include "support/micro_program.hpp"

namespace {

using namespace std::chrono_literals;
using cordage::task;
using cordage::detail::clock;

[[gnu::noinline]] task<std::uint64_t> trivial(std::uint64_t value) { co_return value; }

task<> await_trivial(std::uint64_t times) {
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < times; ++i) sum += co_await trivial(i);
  bench::keep(sum);
}

// --- timers ----------------------------------------------------------------------------------------------------------

// From a millisecond to hours, as many short as long; the same each time.
std::chrono::nanoseconds some_duration(std::mt19937_64& random) {
  return std::chrono::nanoseconds((std::uint64_t{1} << (20 + random() % 23)) + random() % (1 << 20));
}

struct durations {
  std::array<std::chrono::nanoseconds, 1024> some;

  explicit durations(std::uint64_t seed) {
    std::mt19937_64 random(seed);
    for (auto& each : some) each = some_duration(random);
  }
};

// What a sleep does that is withdrawn: reads the time, starts its timer and cancels it.
void start_and_cancel(clock& by, cordage::resumable& waiter, const durations& lasting, std::uint64_t times) {
  for (std::uint64_t i = 0; i < times; ++i) {
    cordage::detail::timer started;
    started.waiter = &waiter;
    started.deadline = by.now() + lasting.some[i % lasting.some.size()];
    by.start(started);
    by.cancel(started);
  }
}

// --- waking ----------------------------------------------------------------------------------------------------------

// Where one strand waits for another.
struct place {
  cordage::resumable* waiter = nullptr;
};

struct wait_at {
  place* at;
  bool ready() const noexcept { return false; }
  bool start(cordage::resumable& node) const noexcept {
    at->waiter = &node;
    return true;
  }
  cordage::cancel_result cancel() const noexcept {
    return std::exchange(at->waiter, nullptr) != nullptr ? cordage::cancel_result::withdrawn
                                                         : cordage::cancel_result::too_late;
  }
  void get() const noexcept {}
};

task<> waits_again_and_again(place& at) {
  for (;;) co_await wait_at{&at};
}

task<> wake(place& at, std::uint64_t times) {
  for (std::uint64_t i = 0; i < times; ++i) {
    cordage::detail::wake(*at.waiter);
    co_await cordage::yield_now();  // it goes on, and waits again
  }
}

// --- a crowd ---------------------------------------------------------------------------------------------------------

// A runtime on a thread of its own with so many strands that wait and so many timers that run, which performs what it is
// asked for while the asker waits: only one of all the threads runs at a time, on the same processor.
class crowd {
 public:
  crowd(std::size_t idle, std::uint64_t seed) : lasting_(seed), thread_([this, idle, seed] { live(idle, seed); }) {
    done_.acquire();
  }
  ~crowd() {
    perform(what::end, 0);
    thread_.join();
  }

  void start_and_cancel_timers(std::uint64_t times) { perform(what::timers, times); }
  void wake_one(std::uint64_t times) { perform(what::wakes, times); }

 private:
  enum class what { end, timers, wakes };

  void perform(what asked, std::uint64_t times) {
    asked_ = asked;
    times_ = times;
    ask_.release();
    done_.acquire();
  }

  void live(std::size_t idle, std::uint64_t seed) {
    cordage::runtime runtime;
    timers_ = std::vector<cordage::detail::timer>(idle);
    places_ = std::vector<place>(idle);
    for (place& each : places_) runtime.spawn(waits_again_and_again, std::ref(each));
    auto serves = [&]() -> task<> {
      co_await start_timers(seed);
      co_await serve();
      runtime.request_stop();
    };
    auto served = runtime.spawn(serves);
    runtime.run(cordage::yield_now());
    done_.release();
  }

  // None of them ends while it is needed.
  task<> start_timers(std::uint64_t seed) {
    std::mt19937_64 random(seed);
    clock& by = cordage::executor::running()->time();
    for (cordage::detail::timer& each : timers_) {
      each.waiter = &nobody_;
      each.deadline = by.now() + 24h + some_duration(random);
      by.start(each);
    }
    co_await cordage::yield_now();
  }

  task<> serve() {
    for (;;) {
      done_.release();
      ask_.acquire();
      if (asked_ == what::end) co_return;
      if (asked_ == what::timers) {
        start_and_cancel(cordage::executor::running()->time(), nobody_, lasting_, times_);
      } else {
        co_await wake(places_[places_.size() / 2], times_);
      }
    }
  }

  const durations lasting_;
  std::vector<cordage::detail::timer> timers_;
  std::vector<place> places_;
  cordage::resumable nobody_;
  std::binary_semaphore ask_{0}, done_{0};
  what asked_ = what::end;
  std::uint64_t times_ = 0;
  std::thread thread_;
};

// ---------------------------------------------------------------------------------------------------------------------

task<> count_timers(std::uint64_t times, void (*begin)(), void (*end)()) {
  const durations lasting(1);
  cordage::resumable nobody;
  std::vector<cordage::detail::timer> others(1000);
  clock& by = cordage::executor::running()->time();
  for (auto& each : others) each.deadline = by.now() + 24h, by.start(each);
  start_and_cancel(by, nobody, lasting, 100);
  begin();
  start_and_cancel(by, nobody, lasting, times);
  end();
  co_return;
}

task<> count_wakes(std::uint64_t times, void (*begin)(), void (*end)()) {
  place at;
  auto waiter = cordage::spawn(waits_again_and_again, std::ref(at));
  co_await cordage::yield_now();
  co_await wake(at, 100);
  begin();
  co_await wake(at, times);
  end();
  waiter.request_stop();
  (void)co_await waiter;
}

using counted_task = task<> (*)(std::uint64_t times, void (*begin)(), void (*end)());

void report_instructions(bench::report& out, const std::string& row, counted_task counted) {
  const auto instructions = bench::instructions_per_operation(
      400, [counted](std::uint64_t n, auto begin, auto end) { cordage::run(counted(n, begin, end)); });
  if (instructions) {
    out.value(row, *instructions, {});
  } else {
    out.remark(row, "not counted here");
  }
}

void report_all(bench::report& out, std::uint64_t seed) {
  out.section("instructions");
  report_instructions(out, "start and cancel a timer, the time included", count_timers);
  report_instructions(out, "wake a waiter, which waits again, and a turn", count_wakes);

  crowd few(1'000, seed), many(1'000'000, seed);
  const std::vector<bench::micro_case> cases{
      {"await", 200'000, [](std::uint64_t n) { cordage::run(await_trivial(n)); }},
      {"timer, many", 50'000, [&](std::uint64_t n) { many.start_and_cancel_timers(n); }},
      {"timer, few", 50'000, [&](std::uint64_t n) { few.start_and_cancel_timers(n); }},
      {"wake, many", 100'000, [&](std::uint64_t n) { many.wake_one(n); }},
      {"wake, few", 100'000, [&](std::uint64_t n) { few.wake_one(n); }}};
  const auto measured = bench::measure_micro(cases, seed, bench::micro_rounds);
  const auto compare = [&](const std::string& what, std::size_t ours, std::size_t peer, bench::bounds limits) {
    out.compare(what, measured[ours].cycles, measured[peer].cycles, limits);
  };
  out.section("cycles, peer a trivial await");
  compare("start and cancel a timer among a million", 1, 0, {.gate = 12, .goal = 6});
  compare("wake one waiter among 1,000,000 idle ones", 3, 0, {});
  out.section("cycles, peer the same among 1,000");
  compare("start and cancel a timer among a million", 1, 2, {.gate = 1.2, .goal = 1.05});
  compare("wake one waiter among 1,000,000 idle ones", 3, 4, {.gate = 1.2, .goal = 1.05});
}

}  // namespace

int main(int, char** argv) { return bench::micro_program("waiting", argv, report_all); }
