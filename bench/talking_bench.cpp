// What it costs strands to talk: locks, channels, events, broadcast and select, beside the least that a processor needs for
// a lock, a trivial await, and a channel of Boost.Fiber.
//
// Exit status: 0 all gates met, 1 a gate missed.
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <cordage/cordage.hpp>

#include "counted_allocations.hpp"
#include "support/instructions.hpp"
#include "support/micro.hpp"
#include "support/micro_program.hpp"
#include "talking_peer/boost_fiber.hpp"

namespace {

using bench::bounds;
using cordage::await;
using cordage::channel;
using cordage::task;

using numbers = channel<std::uint64_t>;

// Each of these performs an operation so many times, on a strand of a runtime with one worker.

// --- what others are compared with -----------------------------------------------------------------------------------

[[gnu::noinline]] task<std::uint64_t> trivial(std::uint64_t value) { co_return value; }

task<> await_trivial(std::uint64_t times) {
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < times; ++i) sum += co_await trivial(i);
  bench::keep(sum);
}

// The least that a lock takes whose holder may be another thread: one to lock, and one to unlock and see who waits.
task<> change_twice(std::uint64_t times) {
  std::atomic<std::uint32_t> word{0};
  for (std::uint64_t i = 0; i < times; ++i) {
    word.exchange(1, std::memory_order_acquire);
    word.exchange(0, std::memory_order_release);
  }
  bench::keep(word);
  co_return;
}

// --- locks and events ------------------------------------------------------------------------------------------------

task<> lock_in_task(std::uint64_t times) {
  cordage::mutex m;
  for (std::uint64_t i = 0; i < times; ++i) {
    const auto held = co_await m.lock();
    bench::keep(i);
  }
}
void lock_in_fiber(std::uint64_t times) {
  cordage::mutex m;
  for (std::uint64_t i = 0; i < times; ++i) {
    const auto held = await(m.lock());
    bench::keep(i);
  }
}
task<> try_to_lock(std::uint64_t times) {
  cordage::mutex m;
  for (std::uint64_t i = 0; i < times; ++i) {
    const auto held = m.try_lock();
    bench::keep(i);
  }
  co_return;
}

task<> lock_guarded(std::uint64_t times) {
  cordage::guarded<std::uint64_t> sum(0);
  for (std::uint64_t i = 0; i < times; ++i) *co_await sum.lock() += i;
}

task<> acquire(std::uint64_t times) {
  cordage::semaphore some(10);
  for (std::uint64_t i = 0; i < times; ++i) {
    co_await some.acquire();
    some.release();
  }
}

task<> wait_for_event(std::uint64_t times) {
  cordage::manual_reset_event happened(true);
  for (std::uint64_t i = 0; i < times; ++i) co_await happened.wait();
}

// --- channels --------------------------------------------------------------------------------------------------------

task<> answer_in_task(numbers& from, numbers& to) {
  while (const auto one = co_await from.receive()) co_await !to.send(*one);
}
template <std::size_t Capacity>
task<> ping_pong_of_tasks(std::uint64_t times) {
  numbers there(Capacity), back(Capacity);
  auto other = cordage::spawn(answer_in_task, std::ref(there), std::ref(back));
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < times; ++i) {
    co_await !there.send(i);
    sum += co_await !back.receive();
  }
  bench::keep(sum);
  there.close();
  (void)co_await other;
}

void answer_in_fiber(numbers& from, numbers& to) {
  while (const auto one = await(from.receive())) await(!to.send(*one));
}
template <std::size_t Capacity>
void ping_pong_of_fibers(std::uint64_t times) {
  numbers there(Capacity), back(Capacity);
  auto other = cordage::spawn(answer_in_fiber, std::ref(there), std::ref(back));
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < times; ++i) {
    await(!there.send(i));
    sum += await(!back.receive());
  }
  bench::keep(sum);
  there.close();
  (void)await(other);
}

constexpr std::size_t wide = 64;

task<> take_all_in_task(numbers& items) {
  std::uint64_t sum = 0;
  while (const auto one = co_await items.receive()) sum += *one;
  bench::keep(sum);
}
task<> pass_between_tasks(std::uint64_t times) {
  numbers items(wide);
  auto receiver = cordage::spawn(take_all_in_task, std::ref(items));
  for (std::uint64_t i = 0; i < times; ++i) co_await !items.send(i);
  items.close();
  (void)co_await receiver;
}

void take_all_in_fiber(numbers& items) {
  std::uint64_t sum = 0;
  while (const auto one = await(items.receive())) sum += *one;
  bench::keep(sum);
}
void pass_between_fibers(std::uint64_t times) {
  numbers items(wide);
  auto receiver = cordage::spawn(take_all_in_fiber, std::ref(items));
  for (std::uint64_t i = 0; i < times; ++i) await(!items.send(i));
  items.close();
  (void)await(receiver);
}

// --- several at once -------------------------------------------------------------------------------------------------

// The first begins to wait, and is withdrawn when the second turns out to be ready.
task<> select_ready(std::uint64_t times) {
  numbers never(1), ready(1);
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < times; ++i) {
    (void)ready.try_send(i);
    const auto got = co_await cordage::select(never.receive(), ready.receive());
    sum += **std::get<1>(got);
  }
  bench::keep(sum);
}

task<> send_in_each_turn(numbers& to, std::uint64_t times) {
  for (std::uint64_t i = 0; i < times; ++i) {
    co_await cordage::yield_now();
    co_await !to.send(i);
  }
}
task<> select_later(std::uint64_t times) {
  numbers never(1), later(1);
  auto sender = cordage::spawn(send_in_each_turn, std::ref(later), times);
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < times; ++i) {
    const auto got = co_await cordage::select(never.receive(), later.receive());
    sum += **std::get<1>(got);
  }
  bench::keep(sum);
  (void)co_await sender;
}

constexpr std::size_t listeners = 10;

task<> listen(cordage::broadcast<std::uint64_t>& news) {
  auto mine = news.subscribe();
  std::uint64_t sum = 0;
  while (const auto one = co_await mine.receive()) sum += *one;
  bench::keep(sum);
}
// Each value is received by all before the next is sent.
task<> tell_everybody(std::uint64_t times) {
  cordage::broadcast<std::uint64_t> news(16);
  co_await cordage::with_scope([&](cordage::scope& all) -> task<> {
    for (std::size_t i = 0; i < listeners; ++i) all.spawn(listen, std::ref(news));
    for (std::uint64_t i = 0; i < times; ++i) {
      co_await cordage::yield_now();
      news.send(i);
    }
    news.close();
  });
}

// ---------------------------------------------------------------------------------------------------------------------

using repeated = std::function<void(std::uint64_t)>;

repeated in_runtime(task<> (*operations)(std::uint64_t)) {
  return [operations](std::uint64_t n) { cordage::run(operations(n)); };
}
repeated in_runtime(void (*operations)(std::uint64_t)) {
  return [operations](std::uint64_t n) { cordage::run(cordage::fiber{operations, n}); };
}


enum which : std::size_t {
  trivial_await,
  two_changes,
  mutex_task,
  mutex_fiber,
  mutex_try,
  guarded_lock,
  semaphore_acquire,
  event_wait,
  ping_pong_task_0,
  ping_pong_task_1,
  ping_pong_fiber_0,
  ping_pong_fiber_1,
  pass_fiber,
  pass_task,
  select_one_ready,
  select_one_later,
  broadcast_send,
  pass_boost,
};

// In the order of `which`.
std::vector<bench::micro_case> all_cases() {
  constexpr std::uint64_t items = 100'000;  // in a few milliseconds, also at Boost's: over 31 rounds three million
  return {
      {"trivial await", 200'000, in_runtime(await_trivial)},
      {"two locked changes of a word", 200'000, in_runtime(change_twice)},
      {"mutex: lock and unlock, task", 100'000, in_runtime(lock_in_task)},
      {"mutex: lock and unlock, fiber", 100'000, in_runtime(lock_in_fiber)},
      {"mutex: try_lock and unlock", 100'000, in_runtime(try_to_lock)},
      {"guarded: lock and unlock", 50'000, in_runtime(lock_guarded)},
      {"semaphore: acquire and release", 100'000, in_runtime(acquire)},
      {"manual_reset_event: wait, it is set", 100'000, in_runtime(wait_for_event)},
      {"ping-pong, capacity 0, tasks", 20'000, in_runtime(ping_pong_of_tasks<0>)},
      {"ping-pong, capacity 1, tasks", 20'000, in_runtime(ping_pong_of_tasks<1>)},
      {"ping-pong, capacity 0, fibers", 20'000, in_runtime(ping_pong_of_fibers<0>)},
      {"ping-pong, capacity 1, fibers", 20'000, in_runtime(ping_pong_of_fibers<1>)},
      {"an item through a channel of 64, fibers", items, in_runtime(pass_between_fibers)},
      {"an item through a channel of 64, tasks", items, in_runtime(pass_between_tasks)},
      {"select of two receives, the second is ready", 20'000, in_runtime(select_ready)},
      {"select of two receives, a send comes later", 20'000, in_runtime(select_later)},
      {"broadcast to 10 receivers", 10'000, in_runtime(tell_everybody)},
      {"an item through a channel of Boost.Fiber", items,
       [](std::uint64_t n) { talking_peer::pass_through_boost(n, wide); }},
  };
}

void report_allocations(bench::report& out, const std::vector<bench::micro_case>& cases) {
  out.section("allocations in 990 operations");
  for (std::size_t i = mutex_task; i < pass_boost; ++i) {
    const repeated& operations = cases[i].run;
    operations(1000);
    std::uint64_t of_many = counted_allocations::made;
    operations(1000);
    of_many = counted_allocations::made - of_many;
    std::uint64_t of_few = counted_allocations::made;
    operations(10);
    of_few = counted_allocations::made - of_few;
    const auto made = static_cast<double>(of_many) - static_cast<double>(of_few);
    out.value(cases[i].name, made, {}, {.gate = 0, .goal = 0});
  }
}

// Of what is judged. A run's own beginning and end cancel out; a channel of 64 is filled and emptied once and twice.
void report_instructions(bench::report& out, const std::vector<bench::micro_case>& cases) {
  out.section("instructions");
  for (const which one : {mutex_task, mutex_fiber, mutex_try, ping_pong_task_0, ping_pong_task_1, ping_pong_fiber_0,
                          ping_pong_fiber_1, pass_fiber, pass_task}) {
    const auto counted = bench::instructions_per_operation(wide, [&](std::uint64_t n, auto begin, auto end) {
      cases[one].run(wide);
      begin();
      cases[one].run(n);
      end();
    });
    if (counted) {
      out.value(cases[one].name, *counted, {});
    } else {
      out.remark(cases[one].name, "not counted here");
    }
  }
}

void report_cycles(bench::report& out, std::vector<bench::micro_case> cases, std::uint64_t seed) {
  if (!talking_peer::has_boost_fiber) cases.pop_back();
  const auto measured = bench::measure_micro(cases, seed, bench::micro_rounds);
  const auto compare = [&](which ours, which peer, bounds limits = {}) {
    out.compare(cases[ours].name, measured[ours].cycles, measured[peer].cycles, limits);
  };
  constexpr bounds lock{.gate = 1.3, .goal = 1.08};
  out.section("cycles, peer two locked changes of a word");
  compare(mutex_task, two_changes, lock);
  compare(mutex_fiber, two_changes, lock);
  compare(mutex_try, two_changes, lock);
  compare(guarded_lock, two_changes);
  compare(semaphore_acquire, two_changes);
  compare(event_wait, two_changes);

  constexpr bounds ping_pong{.gate = 13, .goal = 8};
  out.section("cycles, peer a trivial await");
  compare(ping_pong_task_0, trivial_await, ping_pong);
  compare(ping_pong_task_1, trivial_await, ping_pong);
  compare(ping_pong_fiber_0, trivial_await, ping_pong);
  compare(ping_pong_fiber_1, trivial_await, ping_pong);
  compare(select_one_ready, trivial_await);
  compare(select_one_later, trivial_await);
  compare(broadcast_send, trivial_await);

  if (talking_peer::has_boost_fiber) {
    out.section("cycles, peer Boost.Fiber's buffered_channel");
    compare(pass_fiber, pass_boost, {.gate = 0.5, .goal = 0.25});
    compare(pass_task, pass_boost);
  } else {
    out.section("cycles, peer Boost.Fiber (libboost-fiber-dev), which is not installed");
    out.remark(cases[pass_fiber].name, "not compared");
    out.remark(cases[pass_task].name, "not compared");
  }
}

void report_all(bench::report& out, std::uint64_t seed) {
  const std::vector<bench::micro_case> cases = all_cases();
  report_allocations(out, cases);
  report_instructions(out, cases);
  report_cycles(out, cases, seed);
}

}  // namespace

int main(int, char** argv) { return bench::micro_program("talking", argv, report_all); }
