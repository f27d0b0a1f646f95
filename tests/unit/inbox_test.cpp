#include <cordage/runtime/inbox.hpp>

#include <atomic>
#include <csignal>
#include <ctime>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace {

using cordage::resumable;
using cordage::detail::inbox;
using cordage::detail::intrusive_queue;

TEST(inbox, gives_nodes_in_the_order_in_which_they_were_pushed) {
  inbox box;
  resumable nodes[5];
  for (auto& node : nodes) EXPECT_FALSE(box.push(node));
  intrusive_queue<resumable> taken;
  box.take(taken);
  EXPECT_TRUE(box.empty());
  for (auto& node : nodes) EXPECT_EQ(&taken.pop(), &node);
  EXPECT_TRUE(taken.empty());
}

TEST(inbox, tells_exactly_one_pusher_to_unpark_the_worker) {
  inbox box;
  intrusive_queue<resumable> taken;
  ASSERT_TRUE(box.announce_parking());
  resumable a, b;
  EXPECT_TRUE(box.push(a));
  EXPECT_FALSE(box.push(b));
  box.take(taken);
  EXPECT_EQ(&taken.pop(), &a);
  EXPECT_EQ(&taken.pop(), &b);
  EXPECT_FALSE(box.push(a)) << "the announcement was taken back";
  EXPECT_FALSE(box.announce_parking()) << "there is something to do";
}

struct numbered : resumable {
  int producer = 0;
  int number = 0;
};

TEST(inbox, loses_nothing_and_keeps_each_producers_order_while_the_worker_parks) {
  constexpr int producers = 3, each = 20'000;
  inbox box;
  std::atomic<int> permits{0};  // stands for the poller: one unpark ends one parking
  std::vector<std::vector<numbered>> nodes(producers, std::vector<numbered>(each));
  std::vector<std::thread> threads;
  for (int p = 0; p < producers; ++p)
    threads.emplace_back([&, p] {
      for (int i = 0; i < each; ++i) {
        auto& node = nodes[static_cast<std::size_t>(p)][static_cast<std::size_t>(i)];
        node.producer = p;
        node.number = i;
        if (box.push(node)) {
          permits.fetch_add(1);
          permits.notify_one();
        }
      }
    });
  std::vector<int> next(producers, 0);
  intrusive_queue<resumable> taken;
  for (int received = 0; received < producers * each;) {
    if (box.announce_parking()) {
      // A lost wake would leave this waiting for ever.
      permits.wait(0);
      permits.fetch_sub(1);
    }
    box.take(taken);
    for (; !taken.empty(); ++received) {
      const auto& node = static_cast<numbered&>(taken.pop());
      ASSERT_EQ(node.number, next[static_cast<std::size_t>(node.producer)]++);
    }
  }
  for (auto& t : threads) t.join();
}

}  // namespace
