// The forms that GCC 12 compiles rightly where it gets others wrong, see docs/gcc12.md. All compilers run them.
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include <cordage/cordage.hpp>

#include "counted.hpp"

namespace {

using namespace cordage;

struct options {
  counted value;
  std::string name;
};
task<int> takes(options given) {
  co_await yield_now();
  co_return given.value.value;
}
task<int> gives(counted c) {
  co_await yield_now();
  co_return c.value;
}
template <class F>
task<int> calls(F f) {
  co_await yield_now();
  co_return f();
}

class safe_forms : public testing::Test {
 protected:
  void SetUp() override { counted::alive = 0; }
  void TearDown() override { EXPECT_EQ(counted::alive, 0); }
};

TEST_F(safe_forms, an_aggregate_is_named_first) {
  run([]() -> task<> {
    options named{counted(1), "a name that is too long to be kept within the string"};
    EXPECT_EQ(co_await takes(std::move(named)), 1);
    auto lazy = takes(options{counted(2), "a name that is too long to be kept within the string"});
    EXPECT_EQ(co_await lazy, 2);
  }());
}

TEST_F(safe_forms, a_lambda_with_captures_is_named_first) {
  run([]() -> task<> {
    const counted kept(3);
    auto named = [kept] { return kept.value; };
    EXPECT_EQ(co_await calls(named), 3);
    EXPECT_EQ(co_await calls([&kept] { return kept.value; }), 3) << "references are safe";
  }());
}

TEST_F(safe_forms, what_is_awaited_is_kept_before_it_is_chosen_thrown_or_switched_on) {
  run([]() -> task<> {
    const int value = co_await gives(counted(4));
    const counted chosen = value == 4 ? counted(value) : counted(0);
    EXPECT_EQ(chosen.value, 4);
    int branch = 0;
    switch (value) {
      case 4: branch = 1; break;
      default: branch = 2;
    }
    EXPECT_EQ(branch, 1);
    std::string what;
    try {
      const std::string text = std::to_string(co_await gives(counted(5)));
      throw std::runtime_error(text);
    } catch (const std::runtime_error& e) {
      what = e.what();
    }
    EXPECT_EQ(what, "5");
  }());
}

TEST_F(safe_forms, temporaries_of_classes_with_constructors_are_destroyed_once) {
  run([]() -> task<> {
    EXPECT_EQ(co_await gives(counted(6)), 6);
    const int sum = co_await gives(counted(1)) + co_await gives(counted(2));
    EXPECT_EQ(sum, 3);
    for (int i = 0; co_await gives(counted(i)) < 3;) ++i;
  }());
}

}  // namespace
