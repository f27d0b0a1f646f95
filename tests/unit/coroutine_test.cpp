// coroutine<Y>: every sentence of what it promises.
#include <cordage/coroutine.hpp>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/fiber.hpp>
#include <cordage/runtime.hpp>

#include "counted.hpp"
#include "death_tests.hpp"

namespace {

using namespace cordage;
using this_coroutine::yield;

void count_to(int last) {
  for (int i = 1; i <= last; ++i) yield(i);
}

TEST(coroutine, gives_what_it_yields_and_then_nothing) {
  coroutine<int> counting{count_to, 3};
  EXPECT_EQ(counting.resume(), 1);
  EXPECT_EQ(counting.resume(), 2);
  EXPECT_EQ(counting.resume(), 3);
  EXPECT_EQ(counting.resume(), std::nullopt);
  EXPECT_EQ(counting.status(), coroutine_status::dead);
}

TEST(coroutine, runs_nothing_when_it_is_created) {
  bool ran = false;
  coroutine<int> idle{[&] { ran = true; }};
  EXPECT_FALSE(ran);
  EXPECT_EQ(idle.status(), coroutine_status::suspended);
  EXPECT_EQ(idle.resume(), std::nullopt);
  EXPECT_TRUE(ran);
}

TEST(coroutine, saves_its_arguments_when_it_is_created) {
  std::string word = "then";
  int total = 0;
  coroutine<std::string> c{[](const std::string& kept, int& sum, std::unique_ptr<int> owned) {
                             sum += *owned;
                             yield(kept);
                           },
                           word, std::ref(total), std::make_unique<int>(5)};
  word = "now";
  EXPECT_EQ(c.resume(), "then");
  EXPECT_EQ(total, 5);
}

TEST(coroutine, destroys_its_function_and_arguments_whether_it_ran_or_not) {
  for (const int resumptions : {0, 1, 2}) {
    const auto before = counted::alive;
    {
      coroutine<int> c{[](const counted&) { yield(1); }, counted()};
      EXPECT_EQ(counted::alive, before + 1);
      for (int i = 0; i < resumptions; ++i) c.resume();
    }
    EXPECT_EQ(counted::alive, before);
  }
}

void descend(int depth) {
  if (depth == 0) return;
  yield(depth);
  descend(depth - 1);
  yield(-depth);
}

TEST(coroutine, yields_from_any_depth_of_calls) {
  std::vector<int> got;
  for (const int value : coroutine<int>{descend, 3}) got.push_back(value);
  EXPECT_EQ(got, (std::vector{3, 2, 1, -1, -2, -3}));
}

TEST(coroutine, without_a_yield_ends_at_once) {
  coroutine<std::string> nothing{[] {}};
  for (const std::string& each : nothing) ADD_FAILURE() << each;
  EXPECT_EQ(nothing.status(), coroutine_status::dead);
}

TEST(coroutine, of_void_tells_whether_it_has_yielded) {
  int steps = 0;
  coroutine<void> stepping{[&] {
    for (; steps < 2; ++steps) yield();
  }};
  EXPECT_TRUE(stepping.resume());
  EXPECT_TRUE(stepping.resume());
  EXPECT_FALSE(stepping.resume());
  EXPECT_EQ(steps, 2);
}

struct awkward {
  explicit awkward(int v) : value(std::make_unique<int>(v)) {}
  std::unique_ptr<int> value;
};

TEST(coroutine, yields_values_that_can_only_be_moved_and_have_no_default) {
  std::vector<int> got;
  coroutine<awkward> c{[] {
    yield(awkward(1));
    awkward two(2);
    yield(std::move(two));
    EXPECT_EQ(two.value, nullptr);
  }};
  if (std::optional<awkward> first = c.resume()) got.push_back(*first->value);
  for (awkward& each : c) got.push_back(*each.value);
  EXPECT_EQ(got, (std::vector{1, 2}));
}

TEST(coroutine, destroys_each_value_once) {
  const auto before = counted::alive;
  {
    coroutine<counted> c{[] {
      for (int i = 0; i < 5; ++i) yield(counted());
    }};
    auto first = c.resume();
    for (counted& each : c) static_cast<void>(each);
  }
  EXPECT_EQ(counted::alive, before);
}

TEST(coroutine, has_the_four_statuses) {
  coroutine<int>* outer_seen = nullptr;
  coroutine<int> inner{[&] {
    EXPECT_EQ(outer_seen->status(), coroutine_status::normal) << "it has resumed this one";
    yield(1);
  }};
  coroutine<int> outer{[&] {
    EXPECT_EQ(outer_seen->status(), coroutine_status::running);
    EXPECT_EQ(inner.status(), coroutine_status::suspended);
    yield(*inner.resume());
    EXPECT_EQ(inner.status(), coroutine_status::suspended);
  }};
  outer_seen = &outer;
  EXPECT_EQ(outer.status(), coroutine_status::suspended);
  EXPECT_EQ(outer.resume(), 1);
  EXPECT_EQ(outer.status(), coroutine_status::suspended);
  EXPECT_EQ(outer.resume(), std::nullopt);
  EXPECT_EQ(outer.status(), coroutine_status::dead);
}

template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const std::logic_error& e) {
    return e.what();
  }
  return "nothing was thrown";
}

TEST(coroutine, that_is_not_suspended_cannot_be_resumed_and_says_what_it_is) {
  coroutine<int> dead{[] {}};
  dead.resume();
  EXPECT_THROW(dead.resume(), status_error);
  EXPECT_EQ(message_of([&] { dead.resume(); }), "coroutine is dead, expected suspended");

  coroutine<int>* self = nullptr;
  coroutine<int> running{[&] {
    EXPECT_EQ(message_of([&] { self->resume(); }), "coroutine is running, expected suspended");
    coroutine<int> inner{
        [&] { EXPECT_EQ(message_of([&] { self->resume(); }), "coroutine is normal, expected suspended"); }};
    inner.resume();
    yield(7);
  }};
  self = &running;
  EXPECT_EQ(running.resume(), 7);

  coroutine<int> moved = std::move(running);
  EXPECT_EQ(running.status(), coroutine_status::dead);
  EXPECT_EQ(message_of([&] { running.resume(); }), "coroutine is dead, expected suspended");
}

TEST(coroutine, yield_outside_of_one_is_refused) {
  EXPECT_FALSE(this_coroutine::running());
  EXPECT_THROW(yield(1), not_in_coroutine);
  EXPECT_EQ(message_of([] { yield(); }), "cordage: this_coroutine::yield was called outside a coroutine");
  run(fiber{[] { EXPECT_THROW(yield(1), not_in_coroutine); }});
}

TEST(coroutine, yield_of_another_type_than_the_innermost_ones_is_refused) {
  coroutine<std::string> c{[] {
    EXPECT_TRUE(this_coroutine::running());
    EXPECT_THROW(yield("a literal is no string"), wrong_yield_type);
    EXPECT_EQ(message_of([] { yield(); }), "cordage: this_coroutine::yield was given another type than the innermost coroutine "
                                           "yields; name the type: yield<T>(value)");
    yield<std::string>("named");
  }};
  EXPECT_EQ(c.resume(), "named");
}

TEST(coroutine, nests_with_other_types) {
  coroutine<int> lengths{[] {
    coroutine<std::string> words{[] {
      coroutine<int> counts{count_to, 3};
      for (const int count : counts) yield(std::string(static_cast<std::size_t>(count), 'x'));
    }};
    for (const std::string& word : words) yield(static_cast<int>(word.size()));
  }};
  std::vector<int> got;
  for (const int length : lengths) got.push_back(length);
  EXPECT_EQ(got, (std::vector{1, 2, 3}));
}

TEST(coroutine, an_exception_of_the_body_surfaces_at_resume_and_it_is_dead) {
  coroutine<int> c{[] {
    yield(1);
    throw std::runtime_error("from inside");
  }};
  EXPECT_EQ(c.resume(), 1);
  EXPECT_THROW(
      {
        try {
          c.resume();
        } catch (const std::runtime_error& e) {
          EXPECT_STREQ(e.what(), "from inside");
          throw;
        }
      },
      std::runtime_error);
  EXPECT_EQ(c.status(), coroutine_status::dead);
}

// Each stack has its own exceptions in flight, whatever the other does meanwhile.
TEST(coroutine, rethrows_its_own_exception_across_a_yield_inside_catch) {
  const auto thrower = [](const std::string& mine) {
    try {
      throw std::runtime_error(mine);
    } catch (...) {
      yield(1);
      EXPECT_EQ(std::uncaught_exceptions(), 0);
      throw;
    }
  };
  coroutine<int> a{thrower, "a"};
  coroutine<int> b{thrower, "b"};
  a.resume();
  b.resume();
  try {
    throw std::runtime_error("outside");
  } catch (...) {
    EXPECT_EQ(message_of([] {}), "nothing was thrown");
    try {
      a.resume();
      ADD_FAILURE();
    } catch (const std::runtime_error& e) {
      EXPECT_STREQ(e.what(), "a");
    }
    try {
      b.resume();
      ADD_FAILURE();
    } catch (const std::runtime_error& e) {
      EXPECT_STREQ(e.what(), "b");
    }
    try {
      throw;
    } catch (const std::runtime_error& e) {
      EXPECT_STREQ(e.what(), "outside");
    }
  }
}

TEST(coroutine, may_be_resumed_by_destructors_while_an_exception_flies) {
  coroutine<int> counting{[] {
    for (int i = 0;; ++i) {
      EXPECT_EQ(std::uncaught_exceptions(), 0);
      try {
        throw i;
      } catch (const int caught) {
        yield(caught);
      }
    }
  }};
  struct resumes {
    coroutine<int>& c;
    ~resumes() {
      EXPECT_EQ(std::uncaught_exceptions(), 1);
      c.resume();
      EXPECT_EQ(std::uncaught_exceptions(), 1);
    }
  };
  for (int round = 0; round < 3; ++round) {
    EXPECT_THROW(
        {
          const resumes at_the_end{counting};
          throw std::runtime_error("flies");
        },
        std::runtime_error);
  }
  EXPECT_EQ(counting.resume(), 3);
}

void hold_and_yield(int depth) {
  const counted local;
  if (depth == 0) {
    yield(1);
    ADD_FAILURE() << "it went on";
  } else {
    hold_and_yield(depth - 1);
  }
}

TEST(coroutine, that_is_destroyed_while_suspended_destroys_its_locals) {
  const auto before = counted::alive;
  {
    coroutine<int> c{hold_and_yield, 5};
    c.resume();
    EXPECT_EQ(counted::alive, before + 6);
  }
  EXPECT_EQ(counted::alive, before);
}

TEST(coroutine, that_is_destroyed_while_it_holds_others_takes_them_down) {
  const auto before = counted::alive;
  {
    coroutine<int> outer{[] {
      coroutine<int> inner{hold_and_yield, 2};
      inner.resume();
      yield(1);
    }};
    outer.resume();
    EXPECT_EQ(counted::alive, before + 3);
  }
  EXPECT_EQ(counted::alive, before);
}

TEST(coroutine, what_destructors_yield_while_it_unwinds_is_dropped) {
  int after = 0;
  {
    coroutine<int> c{[&] {
      struct yields {
        int& count;
        ~yields() {
          yield(2);
          ++count;
        }
      } at_the_end{after};
      yield(1);
    }};
    EXPECT_EQ(c.resume(), 1);
  }
  EXPECT_EQ(after, 1);
}

TEST(coroutine, that_swallows_its_unwinding_is_reported_by_name_and_unwound_again) {
  testing::internal::CaptureStderr();
  {
    coroutine<int> c{stack_options{.name = "hungry"}, [] {
                       try {
                         yield(1);
                       } catch (...) {
                       }
                       try {
                         yield(2);
                       } catch (const std::exception&) {
                         ADD_FAILURE() << "it goes on being unwound by something that is no std::exception";
                       }
                       ADD_FAILURE() << "it went on";
                     }};
    EXPECT_EQ(c.name(), "hungry");
    c.resume();
  }
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("coroutine \"hungry\" swallowed its unwinding"), std::string::npos) << said;
}

TEST(coroutine, whose_unwinding_somebody_keeps_beyond_its_end_reports_it_then) {
  std::exception_ptr kept;
  testing::internal::CaptureStderr();
  {
    coroutine<int> c{[&] {
      try {
        yield(1);
      } catch (...) {
        kept = std::current_exception();
      }
    }};
    c.resume();
  }
  EXPECT_NE(testing::internal::GetCapturedStderr().find("swallowed its unwinding"), std::string::npos);
  kept = nullptr;  // and touches nothing that is gone
}

TEST(coroutine, that_is_assigned_to_ends_what_was_there_before) {
  const auto before = counted::alive;
  coroutine<int> a{hold_and_yield, 0};
  a.resume();
  coroutine<int> b{count_to, 1};
  a = std::move(b);
  EXPECT_EQ(counted::alive, before);
  EXPECT_EQ(b.status(), coroutine_status::dead);
  EXPECT_EQ(a.resume(), 1);
}

TEST(coroutine, may_be_moved_after_it_has_started) {
  std::vector<coroutine<int>> all;
  for (int i = 0; i < 100; ++i) {
    all.emplace_back(count_to, 3);
    EXPECT_EQ(all.front().resume().has_value(), i < 3);
    if (i == 3) break;
  }
  coroutine<int> assigned{count_to, 9};
  assigned.resume();
  all.back().resume();
  assigned = std::move(all.back());
  EXPECT_EQ(assigned.resume(), 2);
}

TEST(coroutine, is_an_input_range) {
  static_assert(std::input_iterator<coroutine<int>::iterator>);
  static_assert(std::sentinel_for<std::default_sentinel_t, coroutine<int>::iterator>);
  coroutine<int> counting{count_to, 4};
  EXPECT_EQ(counting.resume(), 1) << "the range goes on where it is";
  int sum = 0;
  for (const int value : counting) sum += value;
  EXPECT_EQ(sum, 2 + 3 + 4);
}

TEST(coroutine, works_on_many_threads_each_with_their_own) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([t] {
      for (int round = 0; round < 50; ++round) {
        coroutine<int> c{descend, 20 + t};
        long sum = 0;
        for (const int value : c) sum += value;
        EXPECT_EQ(sum, 0);
      }
    });
  }
  for (std::thread& each : threads) each.join();
}

TEST(coroutine, may_be_created_on_one_thread_and_begin_on_another) {
  coroutine<int> c{count_to, 2};
  std::thread([&] {
    coroutine<int> moved = std::move(c);
    EXPECT_EQ(moved.resume(), 1);
  }).join();
}

TEST(coroutine_death, goes_on_on_another_thread_only_to_be_told_not_to) {
  support::prepare_death_test();
  const auto resume_elsewhere = [] {
    coroutine<int> c(count_to, 2);
    c.resume();
    std::thread([&] { c.resume(); }).join();
  };
  EXPECT_DEATH(resume_elsewhere(), "another thread");
  const auto resume_when_the_thread_has_ended = [] {
    std::optional<coroutine<int>> c;
    std::thread([&] {
      c.emplace(count_to, 2);
      c->resume();
    }).join();
    c->resume();
  };
  EXPECT_DEATH(resume_when_the_thread_has_ended(), "another thread");
}

TEST(coroutine_death, must_not_be_destroyed_while_it_runs) {
  support::prepare_death_test();
  const auto destroy_from_inside = [] {
    auto* self = static_cast<coroutine<int>*>(nullptr);
    self = new coroutine<int>([&] { delete self; });
    self->resume();
  };
  EXPECT_DEATH(destroy_from_inside(), "destroyed while it was running");
}

// Whose address is not what & says.
struct evasive {
  int value = 0;
  int* operator&() { return nullptr; }
};

TEST(coroutine, yields_what_hides_its_address) {
  coroutine<evasive> c{[] { yield(evasive{7}); }};
  EXPECT_EQ(c.resume()->value, 7);
}

}  // namespace
