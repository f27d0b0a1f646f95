#include <cordage/base/kept_list.hpp>

#include <array>
#include <cstdint>

#include <gtest/gtest.h>

namespace {

struct node {
  node* next = nullptr;
};
using list = cordage::detail::kept_list<node>;

int length_of(const node* chain) {
  int length = 0;
  for (; chain != nullptr; chain = chain->next) ++length;
  return length;
}

TEST(kept_list, that_is_all_zero_keeps_nothing) {
  list closed{};
  node n;
  EXPECT_FALSE(closed.keep(n));
  EXPECT_EQ(closed.take(), nullptr);
}

TEST(kept_list, gives_the_newest_first_and_keeps_no_more_than_there_is_room_for) {
  list kept{.first = nullptr, .room = 2};
  node a, b, c;
  EXPECT_TRUE(kept.keep(a));
  EXPECT_TRUE(kept.keep(b));
  EXPECT_FALSE(kept.keep(c));
  EXPECT_EQ(kept.take(), &b);
  EXPECT_TRUE(kept.keep(c));
  EXPECT_EQ(kept.take(), &c);
  EXPECT_EQ(kept.take(), &a);
  EXPECT_EQ(kept.take(), nullptr);
  EXPECT_EQ(kept.room, 2U);
}

TEST(kept_list, gives_up_its_older_half_and_has_room_for_as_many) {
  for (const std::uint32_t room : {2U, 4U, 5U}) {
    list kept{.first = nullptr, .room = room};
    std::array<node, 5> nodes;
    for (std::uint32_t i = 0; i < room; ++i) EXPECT_TRUE(kept.keep(nodes[i]));
    const node* const given = kept.give_up_half();
    EXPECT_EQ(given, &nodes[room - room / 2 - 1]);
    EXPECT_EQ(length_of(given), static_cast<int>(room - room / 2));
    EXPECT_EQ(kept.room, room - room / 2);
    EXPECT_EQ(length_of(kept.first), static_cast<int>(room / 2));
  }
}

TEST(kept_list, is_filled_with_a_chain_and_closed) {
  node c, b{&c}, a{&b};
  list kept{.first = nullptr, .room = 10};
  kept.fill(&a);
  EXPECT_EQ(kept.room, 7U);
  EXPECT_EQ(kept.close(), &a);
  EXPECT_FALSE(kept.keep(a));
}

}  // namespace
