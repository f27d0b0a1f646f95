// What tests/debugger/debugger_test.cpp looks at, too: so little that clang leaves out of its debug information what this
// program does not use by itself, and a stop in a function that is inlined.
#include <chrono>
#include <cstdio>

#include <cordage/cordage.hpp>

using namespace std::chrono_literals;

extern "C" [[gnu::noinline]] void everything_is_suspended() { asm volatile("" ::: "memory"); }

namespace {

[[gnu::always_inline]] inline void stops_inlined() { asm volatile("nop"); }

void sleeps_on_a_fiber() { cordage::await(cordage::sleep_for(24h)); }
cordage::task<> sleeps() { co_await cordage::sleep_for(24h); }
cordage::task<> waits_for_both() { co_await cordage::when_all(cordage::fiber{sleeps_on_a_fiber}, sleeps()); }

[[gnu::noinline]] void yields_by_hand() {
  cordage::this_coroutine::yield(1);
  asm volatile("");
}

cordage::task<> program() {
  auto both = cordage::spawn(waits_for_both);
  cordage::coroutine<int> by_hand{cordage::stack_options{.name = "by hand"}, yields_by_hand};
  by_hand.resume();
  for (int i = 0; i < 6; ++i) co_await cordage::yield_now();
  everything_is_suspended();
  stops_inlined();
  both.request_stop();
}

}  // namespace

int main() {
  cordage::run(program());
  std::puts("ended");
}
