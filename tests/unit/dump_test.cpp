#include <cordage/dump.hpp>

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <coroutine>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/cordage.hpp>

#include "dumps.hpp"
#include "manual_operation.hpp"

namespace {

using namespace cordage;
using namespace std::chrono_literals;
using namespace support;

std::size_t count(std::string_view text, std::string_view what) {
  std::size_t found = 0;
  for (std::size_t at = 0; (at = text.find(what, at)) != text.npos; at += what.size()) ++found;
  return found;
}

task<> innermost() { co_await sleep_for(24h); }
task<int> middle(int x) {
  co_await innermost();
  co_return x;
}
task<> outermost() { (void)co_await middle(1); }

TEST(dump, shows_the_chain_of_tasks_from_the_innermost_outwards) {
  const std::string seen = seen_of([] { (void)spawn({.name = "three deep"}, outermost); });
  EXPECT_TRUE(has_lines(seen, {"task \"three deep\" waits for sleep", "in innermost()", "in middle(int)", "in outermost()"}));
  EXPECT_NE(seen.find("cordage: 2 strands (1 running, 1 waiting), 1 timer, "), seen.npos) << seen;
}

void awaits_a_task() { await(outermost()); }
task<> awaits_a_fiber() { co_await fiber{fiber_options{.name = "inner"}, awaits_a_task}; }
void awaits_a_task_with_a_fiber() { await(awaits_a_fiber()); }

TEST(dump, goes_through_a_fiber_in_a_task_in_a_fiber) {
  const std::string seen = seen_of([] { (void)spawn({.name = "outer"}, awaits_a_task_with_a_fiber); });
  EXPECT_TRUE(has_lines(seen, {"fiber \"outer\" waits for sleep", "in innermost()", "in middle(int)", "in outermost()",
                               "in fiber \"inner\", in awaits_a_task()", "in awaits_a_fiber()",
                               "in awaits_a_task_with_a_fiber()"}));
}

struct alignas(64) strict {
  char bytes[64];
};
task<strict> gives_what_is_aligned_strictly() {
  co_await fiber{fiber_options{.name = "inner"}, awaits_a_task};
  co_return strict{};
}
task<> awaits_what_is_aligned_strictly() { (void)co_await gives_what_is_aligned_strictly(); }

TEST(dump, goes_through_a_task_whose_value_is_aligned_strictly) {
  const std::string seen = seen_of([] { (void)spawn(awaits_what_is_aligned_strictly); });
  EXPECT_TRUE(has_lines(seen, {"in outermost()", "in fiber \"inner\", in awaits_a_task()", "in gives_what_is_aligned_strictly()",
                               "in awaits_what_is_aligned_strictly()"}));
}

async_generator<int> numbers() {
  for (int i = 0; i < 3; ++i) {
    if (i == 1) co_await innermost();
    co_yield i;
  }
}
task<> reads_numbers() {
  auto sequence = numbers();
  auto at = co_await sequence.begin();
  auto next = ++at;
  co_await next;
}

TEST(dump, goes_through_an_async_generator) {
  const std::string seen = seen_of([] { (void)spawn(reads_numbers); });
  EXPECT_TRUE(has_lines(seen, {"task waits for sleep", "in innermost()", "in numbers()", "in reads_numbers()"}));
}

void yields_what_it_waited_for(std::string name) {
  coroutine<int> by_hand(stack_options{.name = name}, [] {
    await(sleep_for(24h));
    this_coroutine::yield(1);
  });
  (void)by_hand.resume();
}

TEST(dump, names_the_stackful_coroutine_in_which_a_fiber_waits) {
  const std::string seen = seen_of([] { (void)spawn({.name = "outside"}, yields_what_it_waited_for, "by hand"); });
  EXPECT_NE(seen.find("in stackful coroutine \"by hand\""), seen.npos) << seen;
}

TEST(dump, puts_the_children_of_a_scope_below_whom_waits_for_them) {
  auto parent = []() -> task<> {
    auto in_scope = [](scope& children) -> task<> {
      children.spawn({.name = "one"}, outermost);
      children.spawn({.name = "two"}, awaits_a_task);
      co_await innermost();
    };
    co_await with_scope(in_scope);
  };
  const std::string seen = seen_of([&] { (void)spawn({.name = "parent"}, parent); }, [] { (void)spawn(innermost); });
  EXPECT_NE(seen.find("2  task \"parent\" waits for with_scope\n"), seen.npos) << seen;
  EXPECT_NE(seen.find("3    task waits for sleep\n"), seen.npos) << seen;
  EXPECT_NE(seen.find("4    task \"one\" waits for sleep\n"), seen.npos) << seen;
  EXPECT_NE(seen.find("5    fiber \"two\" waits for sleep\n"), seen.npos) << seen;
  EXPECT_NE(seen.find("6  task waits for sleep\n"), seen.npos) << seen;
}

TEST(dump, puts_what_when_all_waits_for_below_it) {
  auto parent = []() -> task<> { co_await when_all(outermost(), sleep_for(24h)); };
  const std::string seen = seen_of([&] { (void)spawn({.name = "parent"}, parent); });
  EXPECT_NE(seen.find("2  task \"parent\" waits for when_all\n"), seen.npos) << seen;
  EXPECT_NE(seen.find("3    task waits for sleep\n       in innermost()\n       in middle(int)\n"), seen.npos) << seen;
  EXPECT_NE(seen.find("4    task waits for sleep\n"), seen.npos) << seen;
}

// An operation that consists of strands which no group has.
class lonely_strand final : public detail::strand {
 public:
  explicit lonely_strand(executor& where, std::string_view name) : strand(where, detail::strand_kind::task) { set_name(name); }

 private:
  void destroy() noexcept override {}
  void end() noexcept override {}
};

class both {
 public:
  explicit both(executor& where) : one_(where, "one of both"), other_(where, "other of both") {}
  static constexpr const char* name = "both";
  bool ready() const noexcept { return false; }
  bool start(resumable& node) noexcept {
    waiter_ = &node;
    return true;
  }
  cancel_result cancel() noexcept { return std::exchange(waiter_, nullptr) ? cancel_result::withdrawn : cancel_result::too_late; }
  void get() const noexcept {}
  template <class F>
  void each_child(F&& f) {
    f(one_);
    f(other_);
  }

 private:
  lonely_strand one_, other_;
  resumable* waiter_ = nullptr;
};

TEST(dump, finds_the_strands_of_an_operation_that_are_in_no_group) {
  auto in_a_task = []() -> task<> {
    both op(*executor::running());
    co_await op;
  };
  auto on_a_fiber = [] {
    both op(*executor::running());
    await(op);
  };
  const std::string seen = seen_of([&] { (void)spawn({.name = "task of both"}, in_a_task); },
                                   [&] { (void)spawn({.name = "fiber of both"}, on_a_fiber); });
  EXPECT_NE(seen.find("cordage: 7 strands"), seen.npos) << seen;
  EXPECT_EQ(count(seen, "    task \"one of both\" "), 2U) << seen;
  EXPECT_LT(seen.find("\"fiber of both\" waits for both"), seen.rfind("\"other of both\"")) << seen;
}

// A strand in a strand in a strand, each in an operation of the one before.
class nested {
 public:
  nested(executor& where, int depth) : strand_(where, depth) {}
  template <class F>
  void each_child(F&& f) {
    f(strand_);
  }

 private:
  struct level final : detail::strand {
    struct node final : detail::wait {
      level* of = nullptr;
    };
    level(executor& where, int depth) : strand(where, detail::strand_kind::task) {
      if (depth == 0) return;
      below = std::make_unique<level>(where, depth - 1);
      waits.type = &type;
      waits.of = this;
      waiting_on = &waits;
    }
    ~level() override {
      while (below != nullptr) below = std::move(below->below);
    }
    void destroy() noexcept override {}
    void end() noexcept override {}
    static void shown(detail::wait& w, detail::onlooker& to) { to.child(*static_cast<node&>(w).of->below); }
    static constexpr detail::wait_type type{nullptr, nullptr, nullptr, "what is below", shown};
    std::unique_ptr<level> below;
    node waits;
  };
  level strand_;

 public:
  static constexpr const char* name = "nested";
  bool ready() const noexcept { return false; }
  bool start(resumable&) const noexcept { return true; }
  cancel_result cancel() const noexcept { return cancel_result::withdrawn; }
  void get() const noexcept {}
};

TEST(dump, needs_no_stack_for_strands_in_strands) {
  auto deep = []() -> task<> {
    nested op(*executor::running(), 3000);
    co_await op;
  };
  const std::string seen = seen_of([&] { (void)spawn(deep); });
  EXPECT_NE(seen.find("cordage: 3003 strands"), seen.npos) << seen.substr(0, 1000);
  EXPECT_NE(seen.find(", depth 3001\n"), seen.npos);
  EXPECT_LT(seen.size(), 1'000'000U);
}

task<> recurses(int depth) {
  if (depth == 0) {
    co_await innermost();
  } else {
    co_await recurses(depth - 1);
  }
}
task<> recurses_in_turn_too(int depth);
task<> recurses_in_turn(int depth) {
  if (depth == 0) {
    co_await innermost();
  } else {
    co_await recurses_in_turn_too(depth - 1);
  }
}
task<> recurses_in_turn_too(int depth) { co_await recurses_in_turn(depth); }

TEST(dump, says_how_often_a_function_awaits_itself) {
  const std::string seen = seen_of([] { (void)spawn(recurses, 10'000); });
  EXPECT_TRUE(has_lines(seen, {"in innermost()", "in recurses(int), 10001 times"}));
}

TEST(dump, leaves_out_the_middle_of_a_very_long_chain) {
  const std::string seen = seen_of([] { (void)spawn(recurses_in_turn, 10'000); });
  EXPECT_NE(seen.find("in 19938 more\n"), seen.npos) << seen;
  EXPECT_EQ(count(seen, "in recurses_in_turn"), 63U) << seen;
}

TEST(dump, shows_ten_thousand_strands) {
  auto many = [] {
    for (int i = 0; i < 10'000; ++i) (void)spawn(outermost);
  };
  const std::string seen = seen_of(many);
  EXPECT_EQ(count(seen, "task waits for sleep\n"), 10'000U);
  EXPECT_EQ(count(seen, "in outermost()\n"), 10'000U);
}

TEST(dump, tells_what_has_not_begun_what_is_ready_and_what_runs) {
  std::string seen;
  manual gate;
  auto waits = [&]() -> task<> { (void)co_await manual_operation(gate); };
  run(fiber{[&] {
    auto first = spawn({.name = "first"}, waits);
    await(yield_now());
    auto second = spawn({.name = "second"}, [] {});
    auto third = spawn({.name = "third"}, outermost);
    gate.complete(1);
    seen = dump();
    third.request_stop();
    EXPECT_TRUE(await(first) && await(second));
    EXPECT_FALSE(await(third));
  }});
  EXPECT_NE(seen.find("task \"first\" is ready, has waited for an operation\n"), seen.npos) << seen;
  EXPECT_NE(seen.find("fiber \"second\" is ready, has not begun\n"), seen.npos) << seen;
  EXPECT_NE(seen.find("task \"third\" is ready, has not begun\n"), seen.npos) << seen;
}

TEST(dump, knows_the_fiber_that_calls_it) {
  runtime rt;
  std::string seen;
  auto yields = []() -> task<> {
    for (int i = 0; i < 3; ++i) co_await yield_now();
  };
  auto handle = rt.spawn(yields);
  auto calls = rt.spawn({.name = "calls"}, [&] {
    await(yield_now());
    seen = rt.dump();
  });
  rt.run(yield_now());
  EXPECT_NE(seen.find("fiber \"calls\" is running\n"), seen.npos) << seen;
  EXPECT_NE(seen.find("task is ready\n"), seen.npos) << seen;
}

TEST(dump, does_not_pretend_to_know_which_of_several_tasks_calls_it) {
  std::string seen;
  auto yields = []() -> task<> {
    for (int i = 0; i < 3; ++i) co_await yield_now();
  };
  auto calls = [&]() -> task<> {
    auto other = spawn(yields);
    co_await yield_now();
    seen = dump();
    (void)co_await other;
  };
  run(calls());
  EXPECT_NE(seen.find("(2 running or ready)"), seen.npos) << seen;
}

TEST(dump, says_who_is_to_stop) {
  std::string seen;
  manual gate{.can_be_withdrawn = false};
  auto waits = [&]() -> task<> { (void)co_await manual_operation(gate); };
  auto stops = [&]() -> task<> {
    auto other = spawn({.name = "other"}, waits);
    co_await yield_now();
    other.request_stop();
    co_await sleep_for(1ms);
    seen = dump();
    gate.complete(1);
    (void)co_await other;
  };
  run(stops());
  EXPECT_NE(seen.find("task \"other\" waits for an operation, is to stop\n"), seen.npos) << seen;
}

// Of another library: resumed by whoever has the handle.
struct foreign_event {
  std::coroutine_handle<>* waiter;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> h) const noexcept { *waiter = h; }
  void await_resume() const noexcept {}
};

TEST(dump, shows_waits_for_what_other_libraries_complete) {
  std::string seen;
  std::coroutine_handle<> waiter;
  auto waits = [&]() -> task<> { co_await foreign_event{&waiter}; };
  auto looks = [&]() -> task<> {
    auto other = spawn({.name = "other"}, waits);
    auto on_fiber = spawn({.name = "fiber"}, [&] { await(sleep_for(1ms)); });
    co_await yield_now();
    seen = dump();
    waiter.resume();
    EXPECT_TRUE(co_await other);
    EXPECT_TRUE(co_await on_fiber);
  };
  run(looks());
  EXPECT_NE(seen.find("task \"other\" waits for an awaitable of another library\n"), seen.npos) << seen;
}

TEST(dump, says_of_io_with_whom) {
  auto listener = tcp::listener::bind(*endpoint::parse("127.0.0.1:0")).value();
  const endpoint where = listener.local();
  auto reads = [&]() -> task<> {
    auto peer = co_await !tcp::connect(where);
    std::byte byte;
    (void)co_await peer.read_some({&byte, 1});
  };
  const std::string seen = seen_of([&] { (void)spawn({.name = "reader"}, reads); });
  EXPECT_NE(seen.find("task \"reader\" waits for read_some " + to_string(where)), seen.npos) << seen;
}

TEST(dump, shows_what_a_runtime_has_that_nobody_runs) {
  runtime rt;
  EXPECT_EQ(rt.dump(), "cordage: 0 strands, 0 timers, " + std::string(rt.backend_name()) + '\n');
  auto handle = rt.spawn(yield_now());
  EXPECT_NE(rt.dump().find("cordage: 0 strands, 1 on the way from other threads, "), std::string::npos);
  rt.run(yield_now());
  EXPECT_EQ(rt.dump(), "cordage: 0 strands, 0 timers, " + std::string(rt.backend_name()) + '\n');
}

TEST(dump, is_refused_where_it_could_not_be_right) {
  EXPECT_THROW((void)dump(), std::logic_error);
  runtime rt;
  auto asks = [&]() -> task<> {
    std::thread([&] { EXPECT_THROW((void)rt.dump(), std::logic_error); }).join();
    co_return;
  };
  rt.run(asks());
}

// By a program that knows what JSON is; empty where it refuses.
std::string read_by_python(const std::string& json, const std::string& expression) {
  const std::string path = testing::TempDir() + "cordage_dump." + std::to_string(::getpid()) + ".json";
  std::FILE* const file = std::fopen(path.c_str(), "w");
  std::fwrite(json.data(), 1, json.size(), file);
  std::fclose(file);
  const std::string command =
      "python3 -c 'import json, sys; d = json.load(open(sys.argv[1], encoding=\"utf-8\")); print(" + expression + ")' " + path;
  std::FILE* const told = ::popen(command.c_str(), "r");
  char buffer[1000];
  const std::size_t length = std::fread(buffer, 1, sizeof buffer, told);
  ::pclose(told);
  std::remove(path.c_str());
  return std::string(buffer, length);
}

TEST(dump, is_json_whatever_names_there_are) {
  const std::string seen = seen_of(
      dump_format::json, [] { (void)spawn({.name = "say \"no\"\n\\\x01"}, outermost); },
      [] { (void)spawn({.name = "cut in a character: 12345678\xc3\xa4"}, awaits_a_task); },
      [] { (void)spawn({.name = "\xff\xed\xa0\x80 gr\xc3\xbc\xc3\x9f dich \xf0\x9f\x8c\xb3"}, outermost); });
  EXPECT_EQ(read_by_python(seen, "ascii([s[\"name\"] for s in d[\"strands\"][1:]])"),
            "['say \"no\"\\n\\\\\\x01', 'cut in a character: 12345678\\ufffd', "
            "'\\ufffd\\ufffd\\ufffd\\ufffd gr\\xfc\\xdf dich \\U0001f333']\n")
      << seen;
}

TEST(dump, has_the_same_in_json) {
  auto parent = []() -> task<> {
    auto in_scope = [](scope& children) -> task<> {
      children.spawn({.name = "child"}, outermost);
      co_await innermost();
    };
    co_await with_scope(in_scope);
  };
  const std::string seen = seen_of(dump_format::json, [&] { (void)spawn(parent); });
  EXPECT_EQ(read_by_python(seen, "d[\"states\"], d[\"timers\"], [s[\"parent\"] for s in d[\"strands\"]]"),
            "{'running': 1, 'waiting': 3} 2 [None, None, 2, 2]\n")
      << seen;
  EXPECT_EQ(read_by_python(seen, "[a[\"function\"] for a in d[\"strands\"][3][\"awaits\"]]"),
            "['innermost()', 'middle(int)', 'outermost()']\n")
      << seen;
}

}  // namespace
