#include <cordage/base/intrusive_list.hpp>
#include <cordage/base/intrusive_queue.hpp>

#include <algorithm>
#include <deque>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace {

struct node {
  int value = 0;
  node* next = nullptr;
};

TEST(intrusive_queue, is_first_in_first_out_also_when_nodes_are_taken_from_the_middle) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  std::vector<node> nodes(20);
  for (int i = 0; i < 20; ++i) nodes[static_cast<std::size_t>(i)].value = i;
  cordage::detail::intrusive_queue<node> queue;
  std::deque<node*> model;
  for (int step = 0; step < 20'000; ++step) {
    node& chosen = nodes[random() % nodes.size()];
    const auto where = std::find(model.begin(), model.end(), &chosen);
    if (random() % 2 == 0) {
      if (where != model.end()) continue;
      queue.push(chosen);
      model.push_back(&chosen);
    } else if (random() % 2 == 0) {
      EXPECT_EQ(queue.remove(chosen), where != model.end());
      if (where != model.end()) model.erase(where);
    } else if (!model.empty()) {
      ASSERT_EQ(&queue.pop(), model.front());
      model.pop_front();
    }
    ASSERT_EQ(queue.empty(), model.empty());
    ASSERT_EQ(queue.front(), model.empty() ? nullptr : model.front());
  }
}

struct element : cordage::detail::list_hook<element> {
  explicit element(int v) : value(v) {}
  int value;
};

std::vector<int> values(cordage::detail::intrusive_list<element>& list) {
  std::vector<int> found;
  list.for_each([&](element& e) { found.push_back(e.value); });
  return found;
}

TEST(intrusive_list, an_element_leaves_it_from_anywhere_and_when_it_is_destroyed) {
  cordage::detail::intrusive_list<element> list;
  element one(1), three(3);
  list.push_back(one);
  {
    element two(2);
    list.push_back(two);
    list.push_back(three);
    EXPECT_EQ(values(list), (std::vector{1, 2, 3}));
  }
  EXPECT_EQ(values(list), (std::vector{1, 3}));
  one.unlink();
  EXPECT_FALSE(one.linked());
  EXPECT_EQ(values(list), (std::vector{3}));
  EXPECT_EQ(&list.front(), &three);
  list.for_each([](element& e) { e.unlink(); });
  EXPECT_TRUE(list.empty());
}

TEST(intrusive_list, elements_may_outlive_it) {
  element one(1), two(2);
  {
    cordage::detail::intrusive_list<element> list;
    list.push_back(one);
    list.push_back(two);
  }
  one.unlink();
  two.unlink();
  EXPECT_FALSE(one.linked());
  EXPECT_FALSE(two.linked());
}

}  // namespace
