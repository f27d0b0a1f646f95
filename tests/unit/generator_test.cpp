#include <cordage/generator.hpp>

#include <algorithm>
#include <array>
#include <memory>
#include <ranges>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/coroutine.hpp>

#include "arena.hpp"
#include "counted.hpp"
#include "death_tests.hpp"

namespace {

using namespace cordage;

template <class T>
std::vector<T> all_of(generator<T> sequence) {
  std::vector<T> values;
  for (T& value : sequence) values.push_back(std::move(value));
  return values;
}

generator<int> up_to(int last) {
  for (int i = 1; i <= last; ++i) co_yield i;
}

static_assert(std::ranges::input_range<generator<int>> && std::ranges::view<generator<int>>);
static_assert(!std::is_copy_constructible_v<generator<int>>);

TEST(generator, runs_nothing_before_it_is_iterated_and_no_further_than_asked) {
  int at = 0;
  auto body = [&]() -> generator<int> {
    for (at = 1;; ++at) co_yield at;
  };
  auto sequence = body();
  EXPECT_EQ(at, 0);
  auto it = sequence.begin();
  EXPECT_EQ(*it, 1);
  ++it;
  it++;
  EXPECT_EQ(*it, 3);
  EXPECT_EQ(at, 3);
}

TEST(generator, gives_its_elements_in_order) { EXPECT_EQ(all_of(up_to(4)), (std::vector{1, 2, 3, 4})); }

TEST(generator, may_be_empty) {
  auto none = up_to(0);
  EXPECT_TRUE(none.begin() == none.end());
}

TEST(generator, is_a_view) {
  std::vector<int> squares;
  for (int value : up_to(10) | std::views::filter([](int i) { return i % 2 == 0; }) |
                       std::views::transform([](int i) { return i * i; }) | std::views::take(3))
    squares.push_back(value);
  EXPECT_EQ(squares, (std::vector{4, 16, 36}));
}

TEST(generator, yields_what_can_only_be_moved_and_has_no_default) {
  struct item {
    explicit item(int v) : value(std::make_unique<int>(v)) {}
    std::unique_ptr<int> value;
  };
  auto body = []() -> generator<item> {
    co_yield item(1);
    item named(2);
    co_yield named;
    co_yield std::move(named);
  };
  auto sequence = body();
  auto it = sequence.begin();
  item taken = std::move(*it);
  EXPECT_EQ(*taken.value, 1);
  EXPECT_EQ(*(*++it).value, 2);
  EXPECT_EQ(*(++it)->value, 2);
  EXPECT_TRUE(++it == sequence.end());
}

TEST(generator, of_references_refers) {
  std::vector<std::string> words{"one", "two"};
  auto body = [&]() -> generator<const std::string&> {
    for (const std::string& word : words) co_yield word;
  };
  std::size_t i = 0;
  for (const std::string& word : body()) EXPECT_EQ(&word, &words[i++]);
  auto writable = [&]() -> generator<std::string&> {
    for (std::string& word : words) co_yield word;
  };
  for (std::string& word : writable()) word += "!";
  EXPECT_EQ(words, (std::vector<std::string>{"one!", "two!"}));
}

TEST(generator, leaves_what_is_const_as_it_is) {
  const std::string text = "constant";
  auto body = [&]() -> generator<std::string> { co_yield text; };
  for (std::string& copy : body()) copy.clear();
  EXPECT_EQ(text, "constant");
}

TEST(generator, throws_what_its_body_throws_and_has_ended_then) {
  auto body = [](bool at_once) -> generator<int> {
    if (at_once) throw std::runtime_error("first");
    co_yield 1;
    throw std::runtime_error("second");
  };
  auto fails_first = body(true);
  EXPECT_THROW(fails_first.begin(), std::runtime_error);
  auto fails_later = body(false);
  auto it = fails_later.begin();
  EXPECT_THROW(++it, std::runtime_error);
}

TEST(generator, destroys_its_locals_once_wherever_it_ends) {
  counted::alive = 0;
  auto body = [](int throws_at) -> generator<int> {
    const counted outer(1);
    for (int i = 0;; ++i) {
      const counted inner(2);
      if (i == throws_at) throw std::runtime_error("there");
      co_yield i;
    }
  };
  for (const int value : body(-1)) {
    EXPECT_EQ(counted::alive, 2);
    if (value == 3) break;  // early
  }
  EXPECT_EQ(counted::alive, 0);
  { auto never_begun = body(-1); }
  EXPECT_EQ(counted::alive, 0);
  EXPECT_THROW(
      {
        for ([[maybe_unused]] const int value : body(2)) EXPECT_EQ(counted::alive, 2);
      },
      std::runtime_error);
  EXPECT_EQ(counted::alive, 0);
}

TEST(generator, may_be_moved_while_it_is_iterated) {
  auto first = up_to(3);
  auto it = first.begin();
  auto second = std::move(first);
  ++it;
  EXPECT_EQ(*it, 2);
  second = up_to(1);
  EXPECT_EQ(all_of(std::move(second)), std::vector{1});
}

// --- elements_of ---

generator<int> preorder(int depth) {
  co_yield depth;
  if (depth == 0) co_return;
  co_yield elements_of(preorder(depth - 1));
  auto named = preorder(depth - 1);
  co_yield elements_of(named);
}

TEST(generator, yields_the_elements_of_others) {
  EXPECT_EQ(all_of(preorder(2)), (std::vector{2, 1, 0, 0, 1, 0, 0}));
}

TEST(generator, yields_the_elements_of_any_range) {
  std::array numbers{1, 2, 3};
  auto body = [&]() -> generator<int> {
    co_yield elements_of(numbers);
    std::vector more{4, 5};
    co_yield elements_of(std::move(more));
    co_yield elements_of(up_to(0));
    co_yield elements_of(std::views::iota(6, 8));
  };
  EXPECT_EQ(all_of(body()), (std::vector{1, 2, 3, 4, 5, 6, 7}));
}

generator<int> nested(int depth, int value) {
  const counted local(1);
  if (depth == 0) {
    for (int i = 0; i < 1'000; ++i) co_yield value;
    co_return;
  }
  co_yield elements_of(nested(depth - 1, value));
}

TEST(generator, a_million_deep_ends_and_is_destroyed_without_growing_the_stack) {
  constexpr int deep = config::gcc12 && config::sanitized ? 1'000 : 1'000'000;
  counted::alive = 0;
  {
    auto sequence = nested(deep, 7);
    auto it = sequence.begin();
    for (int i = 0; i < 10; ++i) {
      EXPECT_EQ(*it, 7);
      ++it;
    }
    EXPECT_EQ(counted::alive, deep + 1);
  }
  EXPECT_EQ(counted::alive, 0);
}

generator<int> counts(int depth, int last) {
  if (depth == 0) {
    for (int i = 1; i <= last; ++i) co_yield i;
  } else {
    co_yield elements_of(counts(depth - 1, last));
  }
}

// Through all levels for each element this would take longer than any test may.
TEST(generator, gives_each_element_from_any_depth_without_passing_the_levels_between) {
  constexpr int many = config::gcc12 && config::sanitized ? 1'000 : 300'000;
  long sum = 0;
  for (const int value : counts(many, many)) sum += value;
  EXPECT_EQ(sum, long{many} * (many + 1) / 2);
}

generator<int> fails_below(int depth, int catches_at) {
  const counted local(1);
  if (depth == 0) {
    co_yield 1;
    throw std::runtime_error("deep");
  }
  bool caught = false;
  try {
    co_yield elements_of(fails_below(depth - 1, catches_at));
  } catch (const std::runtime_error& e) {
    if (depth != catches_at) throw;
    EXPECT_STREQ(e.what(), "deep");
    caught = true;
  }
  if (caught) co_yield 2;
}

TEST(generator, passes_exceptions_outwards_through_all_levels) {
  counted::alive = 0;
  auto uncaught = fails_below(100, -1);
  auto it = uncaught.begin();
  EXPECT_THROW(++it, std::runtime_error);
  EXPECT_EQ(all_of(fails_below(100, 50)), (std::vector{1, 2}));
  EXPECT_EQ(counted::alive, 0);
}

// --- memory ---

TEST(generator, takes_its_frame_from_an_allocator_among_its_arguments) {
  std::array<std::byte, 4096> buffer;
  support::arena arena(buffer);
  auto body = [](std::allocator_arg_t, support::arena_allocator<std::byte>, int n) -> generator<const int*> {
    for (int i = 0; i < n; ++i) co_yield &i;
  };
  int elements = 0;
  for (const int* inside : body(std::allocator_arg, arena, 3)) {
    ++elements;
    EXPECT_GE(reinterpret_cast<const std::byte*>(inside), buffer.data());
    EXPECT_LT(reinterpret_cast<const std::byte*>(inside), buffer.data() + buffer.size());
  }
  EXPECT_EQ(elements, 3);
}

TEST(generator_death, begins_once_and_not_beyond_its_end) {
  support::prepare_death_test();
  EXPECT_DEATH(
      {
        auto sequence = up_to(2);
        (void)sequence.begin();
        (void)sequence.begin();
      },
      "a second time");
  EXPECT_DEATH(
      {
        auto sequence = up_to(0);
        auto it = sequence.begin();
        ++it;
      },
      "past the end");
}

}  // namespace
