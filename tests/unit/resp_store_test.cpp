#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/cordage.hpp>

#include "resp/store.hpp"

namespace {

using namespace std::chrono_literals;
using resp::store;

// Runs a test beside the strand that expires keys, by a clock that jumps.
template <class Test>
void run_with(store& keys, Test test) {
  cordage::virtual_clock clock;
  const auto both = [&]() -> cordage::task<> { co_await cordage::when_any(test(), keys.expire_keys()); };
  cordage::run(both(), {.clock = &clock});
}

TEST(resp_store, keeps_what_was_set_last) {
  store keys;
  EXPECT_EQ(keys.find("a"), nullptr);
  keys.set("a", "1");
  keys.set("b", "2");
  keys.set("a", "3");
  EXPECT_EQ(keys.find("a")->value, "3");
  EXPECT_EQ(keys.size(), 2U);
  EXPECT_TRUE(keys.erase("a"));
  EXPECT_FALSE(keys.erase("a"));
  EXPECT_EQ(keys.find("a"), nullptr);
  keys.clear();
  EXPECT_EQ(keys.size(), 0U);
}

TEST(resp_store, a_key_is_there_until_its_time_has_come_and_then_takes_no_memory) {
  store keys;
  run_with(keys, [&]() -> cordage::task<> {
    const auto deadline = cordage::now() + 1h;
    keys.set("a", "1", deadline);
    co_await cordage::sleep_until(deadline - 1ns);
    EXPECT_NE(keys.find("a"), nullptr);
    EXPECT_EQ(keys.size(), 1U);
    co_await cordage::sleep_for(2ns);
    EXPECT_EQ(keys.find("a"), nullptr);
    EXPECT_EQ(keys.size(), 0U) << "nobody had to ask for it";
    EXPECT_EQ(keys.expiring(), 0U);
  });
}

TEST(resp_store, a_key_whose_time_has_come_is_gone_for_whoever_is_faster_than_the_strand_that_erases) {
  store keys;
  keys.set("a", "1", cordage::now());
  EXPECT_EQ(keys.find("a"), nullptr);
  EXPECT_FALSE(keys.set_deadline("a", store::never));
  EXPECT_FALSE(keys.erase("a"));
  EXPECT_EQ(keys.size(), 0U);
}

// One that is to expire earlier than all others wakes the strand that sleeps until the first of them does.
TEST(resp_store, keys_expire_in_the_order_of_their_times_and_not_of_their_setting) {
  store keys;
  run_with(keys, [&]() -> cordage::task<> {
    const auto begin = cordage::now();
    for (const int hours : {5, 3, 4, 1, 2}) {
      keys.set(std::to_string(hours), "", begin + std::chrono::hours(hours));
      co_await cordage::yield_now();
    }
    for (const std::size_t left : {5U, 4U, 3U, 2U, 1U, 0U}) {
      co_await cordage::sleep_until(begin + std::chrono::hours(5 - left) + 1s);
      EXPECT_EQ(keys.size(), left);
    }
  });
}

TEST(resp_store, what_was_set_anew_does_not_expire_when_the_old_one_would_have) {
  store keys;
  run_with(keys, [&]() -> cordage::task<> {
    const auto deadline = cordage::now() + 1h;
    for (const char* key : {"set", "erased", "persisted", "prolonged"}) keys.set(key, "old", deadline);
    co_await cordage::sleep_until(deadline - 1s);
    keys.set("set", "new");
    EXPECT_TRUE(keys.erase("erased"));
    keys.set("erased", "new");
    EXPECT_TRUE(keys.set_deadline("persisted", store::never));
    EXPECT_TRUE(keys.set_deadline("prolonged", deadline + 2s));
    EXPECT_EQ(keys.expiring(), 1U);
    co_await cordage::sleep_for(2s);
    EXPECT_EQ(keys.find("set")->value, "new");
    EXPECT_EQ(keys.find("erased")->value, "new");
    EXPECT_NE(keys.find("persisted"), nullptr);
    EXPECT_NE(keys.find("prolonged"), nullptr);
    co_await cordage::sleep_for(2s);
    EXPECT_EQ(keys.size(), 3U);
  });
}

// Many keys have one deadline: each is told from the others.
TEST(resp_store, many_keys_of_one_time_expire_together_and_let_others_go_on_meanwhile) {
  store keys;
  run_with(keys, [&]() -> cordage::task<> {
    const auto deadline = cordage::now() + 1h;
    for (int i = 0; i < 10'000; ++i) keys.set(std::to_string(i), "", deadline);
    EXPECT_EQ(keys.expiring(), 10'000U);
    co_await cordage::sleep_until(deadline);
    int turns = 0;
    for (; keys.size() != 0; ++turns) co_await cordage::yield_now();
    EXPECT_GE(turns, 9);
  });
}

// With what it is that the strand waits for: nothing is left of the time of a key that is no more.
TEST(resp_store, without_keys_that_expire_nothing_sleeps) {
  store keys;
  const auto sleeping = [] { return cordage::dump().find("sleep") != std::string::npos; };
  run_with(keys, [&]() -> cordage::task<> {
    const auto let_it_look = [] { return cordage::yield_now(); };
    const auto deadline = cordage::now() + 1h;
    for (int way = 0; way < 3; ++way) {
      keys.set("a", "1", deadline);
      for (int i = 0; i < 5; ++i) co_await let_it_look();
      EXPECT_TRUE(sleeping()) << cordage::dump();
      if (way == 0) keys.erase("a");
      if (way == 1) keys.set("a", "1");
      if (way == 2) keys.clear();
      EXPECT_EQ(keys.expiring(), 0U);
      for (int i = 0; i < 5; ++i) co_await let_it_look();
      EXPECT_FALSE(sleeping()) << cordage::dump();
    }
  });
}

}  // namespace
