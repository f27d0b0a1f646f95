// What tests/debugger/debugger_test.cpp looks at: one of each that can be suspended, then a stop.
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include <cordage/cordage.hpp>

using namespace std::chrono_literals;

// Called at the stop, if set.
static void (*volatile last_words)() = nullptr;

extern "C" [[gnu::noinline]] void everything_is_suspended() {
  asm volatile("" ::: "memory");
  if (const auto call = last_words) call();
}

namespace {

[[gnu::noinline]] void deep_in_a_fiber(int depth) {
  if (depth > 0) {
    deep_in_a_fiber(depth - 1);
  } else {
    cordage::await(cordage::sleep_for(24h));
  }
  asm volatile("");
}

cordage::task<> innermost_task() { co_await cordage::sleep_for(24h); }
cordage::task<> middle_task() { co_await innermost_task(); }
cordage::task<> outermost_task() { co_await middle_task(); }

void awaits_a_task() { cordage::await(innermost_task()); }

cordage::task<> awaits_a_fiber() {
  cordage::fiber awaited{cordage::fiber_options{.name = "awaited"}, deep_in_a_fiber, 1};
  co_await awaited;
}

[[gnu::noinline]] void yields(int value) {
  const int to_be_seen = value + 1;
  cordage::this_coroutine::yield(to_be_seen);
  asm volatile("" ::"r"(to_be_seen));
}

void waits_in_a_coroutine() {
  cordage::coroutine<int> inner{cordage::stack_options{.name = "entered"}, deep_in_a_fiber, 0};
  inner.resume();
}

void resumes_another() {
  cordage::coroutine<int> inner{cordage::stack_options{.name = "runs"}, everything_is_suspended};
  inner.resume();
}

cordage::task<> in_a_scope() {
  co_await cordage::with_scope([](cordage::scope& children) -> cordage::task<> {
    children.spawn(cordage::spawn_options{.name = "child"}, outermost_task);
    co_await cordage::sleep_for(24h);
  });
}

cordage::task<> waits_in_children() { co_await cordage::when_all(outermost_task(), cordage::shield_for(0s, middle_task())); }
cordage::task<> waits_for_children() {
  (void)co_await cordage::shield_for(0s, cordage::with_timeout(24h, cordage::finally(waits_in_children(), [] {})));
}
void waits_for_children_on_a_fiber() { cordage::await(cordage::when_all(innermost_task())); }
cordage::task<> shields_a_fiber() { (void)co_await cordage::as_result(cordage::shield_for(0s, cordage::fiber{awaits_a_task})); }

cordage::task<> program() {
  auto named = [](const char* name, auto f, auto... arguments) {
    return cordage::spawn(cordage::spawn_options{.name = name}, f, arguments...);
  };
  auto deep = named("deep", deep_in_a_fiber, 3);
  auto chain = named("chain", outermost_task);
  auto waiting = named("task in a fiber", awaits_a_task);
  auto other_way = named("fiber in a task", awaits_a_fiber);
  auto with_coroutine = named("with coroutine", waits_in_a_coroutine);
  auto scope = named("scope", in_a_scope);
  auto children = named("children", waits_for_children);
  auto of_a_fiber = named("children of a fiber", waits_for_children_on_a_fiber);
  auto shielded = named("shielded", shields_a_fiber);
  cordage::coroutine<int> by_hand{cordage::stack_options{.name = "by hand"}, yields, 41};
  by_hand.resume();
  cordage::coroutine<int> fresh{cordage::stack_options{.name = "fresh"}, yields, 1};
  for (int i = 0; i < 6; ++i) co_await cordage::yield_now();
  co_await cordage::fiber{cordage::fiber_options{.name = "stops here"}, [] {
                            cordage::coroutine<int> outer{cordage::stack_options{.name = "outer"}, resumes_another};
                            outer.resume();
                          }};
  deep.request_stop();
  chain.request_stop();
  waiting.request_stop();
  other_way.request_stop();
  with_coroutine.request_stop();
  scope.request_stop();
  children.request_stop();
  of_a_fiber.request_stop();
  shielded.request_stop();
}

}  // namespace

// With any argument it aborts there.
int main(int arguments, char**) {
  if (arguments > 1) last_words = std::abort;
  cordage::run(program());
  std::puts("ended");
}
