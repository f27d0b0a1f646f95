// The chains that a dump shows through operations that wait for something inner: on their own strand, where the chain goes on,
// and on strands of their own, which stand below.
#include <cordage/dump.hpp>

#include <chrono>
#include <string>
#include <type_traits>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/cordage.hpp>

#include "dumps.hpp"

namespace {

using namespace cordage;
using namespace std::chrono_literals;
using namespace support;

task<> innermost() { co_await sleep_for(24h); }
task<int> middle(int x) {
  co_await innermost();
  co_return x;
}
task<> outermost() { (void)co_await middle(1); }
void awaits_a_task() { await(outermost()); }
async_generator<int> numbers() {
  for (int i = 0; i < 3; ++i) {
    if (i == 1) co_await innermost();
    co_yield i;
  }
}

// What waits for something inner on its own strand, in both styles, around a task and around a fiber.
fiber<void> inner_fiber() { return fiber{fiber_options{.name = "inner"}, awaits_a_task}; }
void no_cleanup() {}

task<> shields_a_task() { co_await shield(outermost()); }
task<> shields_a_fiber() { co_await shield(inner_fiber()); }
void shields_a_task_on_a_fiber() { await(shield(outermost())); }
void shields_a_fiber_on_a_fiber() { await(shield(inner_fiber())); }

task<> shields_a_task_for_a_time() { co_await shield_for(1h, outermost()); }
task<> shields_a_fiber_for_a_time() { co_await shield_for(1h, inner_fiber()); }
void shields_a_task_for_a_time_on_a_fiber() { await(shield_for(1h, outermost())); }
void shields_a_fiber_for_a_time_on_a_fiber() { await(shield_for(1h, inner_fiber())); }

task<> takes_a_task_as_result() { (void)co_await as_result(outermost()); }
task<> takes_a_fiber_as_result() { (void)co_await as_result(inner_fiber()); }
void takes_a_task_as_result_on_a_fiber() { (void)await(as_result(outermost())); }
void takes_a_fiber_as_result_on_a_fiber() { (void)await(as_result(inner_fiber())); }

task<> finally_with_a_task_as_body() { co_await finally(outermost(), no_cleanup); }
task<> finally_with_a_fiber_as_body() { co_await finally(inner_fiber(), no_cleanup); }
void finally_with_a_task_as_body_on_a_fiber() { await(finally(outermost(), no_cleanup)); }
void finally_with_a_fiber_as_body_on_a_fiber() { await(finally(inner_fiber(), no_cleanup)); }

task<> finally_with_a_task_as_cleanup() { co_await finally(no_cleanup, outermost); }
task<> finally_with_a_fiber_as_cleanup() { co_await finally(yield_now(), inner_fiber()); }
void finally_with_a_task_as_cleanup_on_a_fiber() { await(finally(yield_now(), outermost)); }
void finally_with_a_fiber_as_cleanup_on_a_fiber() { await(finally(no_cleanup, inner_fiber())); }

const std::vector<std::string> of_a_task{"in innermost()", "in middle(int)", "in outermost()"};
const std::vector<std::string> of_a_fiber{"in innermost()", "in middle(int)", "in outermost()",
                                          "in fiber \"inner\", in awaits_a_task()"};

// Of what no stop ends: its time passes at once.
template <class... Strands>
std::string seen_till_its_end(Strands... begin) {
  virtual_clock clock;
  runtime rt({.clock = &clock});
  return seen_in(rt, dump_format::text, begin...);
}

// The whole of what a dump tells of a strand that begins with the function: the chain of what it waits for, and the
// function itself.
testing::AssertionResult shown_whole(auto function, const std::string& its_name, std::vector<std::string> chain) {
  const bool is_a_fiber = std::is_void_v<decltype(function())>;
  const std::string seen = seen_till_its_end([&] { (void)spawn({.name = "whole"}, function); },
                                             [] { (void)spawn({.name = "next"}, innermost); });
  chain.insert(chain.begin(), is_a_fiber ? "fiber \"whole\" waits for sleep" : "task \"whole\" waits for sleep");
  chain.push_back("in " + its_name + "()");
  chain.push_back("task \"next\" waits for sleep");
  return has_lines(seen, chain);
}

task<> cleans_up_when_stopped() { co_await finally(sleep_for(24h), outermost); }
void cleans_up_when_stopped_on_a_fiber() { await(finally(sleep_for(24h), outermost)); }

TEST(dump, goes_through_a_shield) {
  EXPECT_TRUE(shown_whole(shields_a_task, "shields_a_task", of_a_task));
  EXPECT_TRUE(shown_whole(shields_a_fiber, "shields_a_fiber", of_a_fiber));
  EXPECT_TRUE(shown_whole(shields_a_task_on_a_fiber, "shields_a_task_on_a_fiber", of_a_task));
  EXPECT_TRUE(shown_whole(shields_a_fiber_on_a_fiber, "shields_a_fiber_on_a_fiber", of_a_fiber));
}

TEST(dump, goes_through_a_shield_with_a_time_limit) {
  EXPECT_TRUE(shown_whole(shields_a_task_for_a_time, "shields_a_task_for_a_time", of_a_task));
  EXPECT_TRUE(shown_whole(shields_a_fiber_for_a_time, "shields_a_fiber_for_a_time", of_a_fiber));
  EXPECT_TRUE(shown_whole(shields_a_task_for_a_time_on_a_fiber, "shields_a_task_for_a_time_on_a_fiber", of_a_task));
  EXPECT_TRUE(shown_whole(shields_a_fiber_for_a_time_on_a_fiber, "shields_a_fiber_for_a_time_on_a_fiber", of_a_fiber));
}

TEST(dump, goes_through_as_result) {
  EXPECT_TRUE(shown_whole(takes_a_task_as_result, "takes_a_task_as_result", of_a_task));
  EXPECT_TRUE(shown_whole(takes_a_fiber_as_result, "takes_a_fiber_as_result", of_a_fiber));
  EXPECT_TRUE(shown_whole(takes_a_task_as_result_on_a_fiber, "takes_a_task_as_result_on_a_fiber", of_a_task));
  EXPECT_TRUE(shown_whole(takes_a_fiber_as_result_on_a_fiber, "takes_a_fiber_as_result_on_a_fiber", of_a_fiber));
}

TEST(dump, goes_through_the_body_of_finally) {
  EXPECT_TRUE(shown_whole(finally_with_a_task_as_body, "finally_with_a_task_as_body", of_a_task));
  EXPECT_TRUE(shown_whole(finally_with_a_fiber_as_body, "finally_with_a_fiber_as_body", of_a_fiber));
  EXPECT_TRUE(shown_whole(finally_with_a_task_as_body_on_a_fiber, "finally_with_a_task_as_body_on_a_fiber", of_a_task));
  EXPECT_TRUE(shown_whole(finally_with_a_fiber_as_body_on_a_fiber, "finally_with_a_fiber_as_body_on_a_fiber", of_a_fiber));
}

TEST(dump, goes_through_the_cleanup_of_finally) {
  EXPECT_TRUE(shown_whole(finally_with_a_task_as_cleanup, "finally_with_a_task_as_cleanup", of_a_task));
  EXPECT_TRUE(shown_whole(finally_with_a_fiber_as_cleanup, "finally_with_a_fiber_as_cleanup", of_a_fiber));
  EXPECT_TRUE(shown_whole(finally_with_a_task_as_cleanup_on_a_fiber, "finally_with_a_task_as_cleanup_on_a_fiber", of_a_task));
  EXPECT_TRUE(
      shown_whole(finally_with_a_fiber_as_cleanup_on_a_fiber, "finally_with_a_fiber_as_cleanup_on_a_fiber", of_a_fiber));
}


TEST(dump, goes_through_a_cleanup_that_a_stop_has_begun) {
  auto stops = [](auto function, const std::string& first_line, const std::string& last_line) {
    virtual_clock clock;
    std::string seen;
    auto looks = [&]() -> task<> {
      auto other = spawn({.name = "other"}, function);
      co_await sleep_for(1ms);
      other.request_stop();
      co_await sleep_for(1ms);
      seen = dump();
      EXPECT_FALSE(co_await other);
    };
    run(looks(), {.clock = &clock});
    std::vector<std::string> lines = of_a_task;
    lines.insert(lines.begin(), first_line);
    lines.push_back(last_line);
    EXPECT_TRUE(has_lines(seen, lines));
  };
  stops(cleans_up_when_stopped, "task \"other\" waits for sleep, is to stop", "in cleans_up_when_stopped()");
  stops(cleans_up_when_stopped_on_a_fiber, "fiber \"other\" waits for sleep, is to stop",
        "in cleans_up_when_stopped_on_a_fiber()");
}

task<> shields_an_operation() { co_await shield(sleep_for(24h)); }
void shields_an_operation_on_a_fiber() { await(shield(sleep_for(24h))); }
task<> waits_many_times_inside() {
  (void)co_await shield(as_result(shield_for(1h, finally(as_result(shield(outermost())), no_cleanup))));
}
void waits_many_times_inside_on_a_fiber() {
  (void)await(as_result(finally(shield(as_result(shields_a_fiber())), no_cleanup)));
}
task<> shields_elements() {
  auto sequence = numbers();
  auto at = co_await shield(sequence.begin());
  co_await shield(++at);
}

TEST(dump, goes_through_operations_inside_each_other) {
  EXPECT_TRUE(shown_whole(shields_an_operation, "shields_an_operation", {}));
  EXPECT_TRUE(shown_whole(shields_an_operation_on_a_fiber, "shields_an_operation_on_a_fiber", {}));
  EXPECT_TRUE(shown_whole(waits_many_times_inside, "waits_many_times_inside", of_a_task));
  std::vector<std::string> chain = of_a_fiber;
  chain.push_back("in shields_a_fiber()");
  EXPECT_TRUE(shown_whole(waits_many_times_inside_on_a_fiber, "waits_many_times_inside_on_a_fiber", chain));
  EXPECT_TRUE(shown_whole(shields_elements, "shields_elements", {"in innermost()", "in numbers()"}));
}

task<> waits_for_all() { co_await when_all(shields_a_task(), shield(inner_fiber())); }
void waits_for_all_on_a_fiber() { await(when_all(shields_a_task(), shield(inner_fiber()))); }
task<> waits_for_any() { (void)co_await when_any(shields_a_task(), shield(inner_fiber())); }
void waits_for_any_on_a_fiber() { (void)await(when_any(shields_a_task(), shield(inner_fiber()))); }
task<> waits_for_a_time() { (void)co_await shield(with_timeout(1000h, finally(shields_a_fiber(), no_cleanup))); }
void waits_for_a_time_on_a_fiber() { (void)await(shield(with_timeout(1000h, finally(shields_a_fiber(), no_cleanup)))); }
task<> waits_with_a_stop() { (void)co_await finally(with_stop(stop_token(), shields_a_fiber()), no_cleanup); }
void waits_with_a_stop_on_a_fiber() { (void)await(finally(with_stop(stop_token(), shields_a_fiber()), no_cleanup)); }
task<> spawns_and_waits(scope& children) {
  children.spawn({.name = "child"}, shields_a_fiber_on_a_fiber);
  co_await shields_a_task();
}
task<> waits_for_a_scope() { co_await shield(with_scope(spawns_and_waits)); }
void waits_for_a_scope_on_a_fiber() { await(shield(with_scope(spawns_and_waits))); }

// The text from the strand on that begins with the function: itself, and below it what is given.
testing::AssertionResult shown_with_children(auto function, const std::string& its_name, const std::string& waits_for,
                                             const std::string& below) {
  const std::string seen = seen_till_its_end([&] { (void)spawn({.name = "whole"}, function); });
  const std::string kind = std::is_void_v<decltype(function())> ? "fiber" : "task";
  const std::string wanted =
      "\n 2  " + kind + " \"whole\" waits for " + waits_for + "\n     in " + its_name + "()\n" + below;
  if (seen.ends_with(wanted)) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "no" << wanted << "at the end of\n" << seen;
}

TEST(dump, puts_the_children_of_every_combinator_below_whom_waits_for_them) {
  const std::string chain_of_a_task = "       in innermost()\n       in middle(int)\n       in outermost()\n";
  const std::string chain_of_a_fiber = chain_of_a_task + "       in fiber \"inner\", in awaits_a_task()\n";
  const std::string two = " 3    task waits for sleep\n" + chain_of_a_task + "       in shields_a_task()\n" +
                          " 4    task waits for sleep\n" + chain_of_a_fiber;
  EXPECT_TRUE(shown_with_children(waits_for_all, "waits_for_all", "when_all", two));
  EXPECT_TRUE(shown_with_children(waits_for_all_on_a_fiber, "waits_for_all_on_a_fiber", "when_all", two));
  EXPECT_TRUE(shown_with_children(waits_for_any, "waits_for_any", "when_any", two));
  EXPECT_TRUE(shown_with_children(waits_for_any_on_a_fiber, "waits_for_any_on_a_fiber", "when_any", two));
  const std::string one = " 3    task waits for sleep\n" + chain_of_a_fiber + "       in shields_a_fiber()\n";
  EXPECT_TRUE(shown_with_children(waits_for_a_time, "waits_for_a_time", "with_timeout", one));
  EXPECT_TRUE(shown_with_children(waits_for_a_time_on_a_fiber, "waits_for_a_time_on_a_fiber", "with_timeout", one));
  EXPECT_TRUE(shown_with_children(waits_with_a_stop, "waits_with_a_stop", "with_stop", one));
  EXPECT_TRUE(shown_with_children(waits_with_a_stop_on_a_fiber, "waits_with_a_stop_on_a_fiber", "with_stop", one));
  const std::string of_a_scope = " 3    task waits for sleep\n" + chain_of_a_task + "       in shields_a_task()\n" +
                                 "       in spawns_and_waits(cordage::scope&)\n" +
                                 " 4    fiber \"child\" waits for sleep\n" + chain_of_a_fiber +
                                 "       in shields_a_fiber_on_a_fiber()\n";
  EXPECT_TRUE(shown_with_children(waits_for_a_scope, "waits_for_a_scope", "with_scope", of_a_scope));
  EXPECT_TRUE(shown_with_children(waits_for_a_scope_on_a_fiber, "waits_for_a_scope_on_a_fiber", "with_scope", of_a_scope));
}

}  // namespace
