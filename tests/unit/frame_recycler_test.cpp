#include <cordage/strands/frame_recycler.hpp>

#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/frames.hpp>
#include <cordage/runtime.hpp>
#include <cordage/task.hpp>

#include "counted_allocations.hpp"

namespace {

using cordage::detail::frame_recycler;

TEST(frame_recycler, hands_out_what_was_freed_last_of_the_same_size_class) {
  if (cordage::config::sanitized) GTEST_SKIP() << "under a sanitizer every block is really freed";
  void* const block = frame_recycler::allocate(100);
  frame_recycler::deallocate(block, 100);
  EXPECT_EQ(frame_recycler::allocate(128), block);
  EXPECT_NE(frame_recycler::allocate(128), block);
  frame_recycler::deallocate(block, 128);
}

TEST(frame_recycler, says_what_it_has_reserved_lent_and_kept) {
  if (cordage::config::sanitized) {
    EXPECT_EQ(cordage::current_frame_statistics().kept, 0U);
    return;
  }
  // On a thread of its own: it begins with nothing, and at its end all it kept is given back.
  const cordage::frame_statistics before = cordage::current_frame_statistics();
  std::thread([&] {
    EXPECT_EQ(cordage::current_frame_statistics().kept, 0U);
    std::vector<void*> blocks(1000);
    for (void*& block : blocks) block = frame_recycler::allocate(1000);
    const cordage::frame_statistics in_use = cordage::current_frame_statistics();
    EXPECT_GE(in_use.reserved - before.reserved, 1000U * 1024);
    EXPECT_EQ(in_use.lent - before.lent - in_use.kept, 1000U * 1024);
    for (void* const block : blocks) frame_recycler::deallocate(block, 1000);
    const cordage::frame_statistics kept = cordage::current_frame_statistics();
    EXPECT_EQ(kept.kept, kept.lent - before.lent);
    EXPECT_GE(kept.kept, 1000U * 1024);
  }).join();
  const cordage::frame_statistics after = cordage::current_frame_statistics();
  EXPECT_EQ(after.lent, before.lent);
  EXPECT_LE(after.reserved - before.reserved, 32U * 1024);  // one span stays
}

TEST(frame_recycler, takes_blocks_of_every_size) {
  for (std::size_t size = 1; size < 5000; size += 7) {
    auto* const block = static_cast<unsigned char*>(frame_recycler::allocate(size));
    block[0] = block[size - 1] = 1;
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % 64, 0U) << size;
    frame_recycler::deallocate(block, size);
  }
}

TEST(frame_recycler, survives_blocks_that_are_freed_on_other_threads_and_after_threads_end) {
  std::vector<void*> blocks(3000);
  for (int round = 0; round < 3; ++round) {
    std::thread([&] {
      for (void*& block : blocks) block = frame_recycler::allocate(200);
    }).join();
    std::thread([&] {
      for (void* const block : blocks) frame_recycler::deallocate(block, 200);
    }).join();
  }
}

TEST(frame_recycler, never_hands_out_a_block_twice) {
  for (const std::size_t size : {1UZ, 64UZ, 65UZ, 1900UZ, 2048UZ, 2049UZ}) {
    std::vector<unsigned char*> blocks(4000);
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      blocks[i] = static_cast<unsigned char*>(frame_recycler::allocate(size));
      std::memset(blocks[i], static_cast<int>(i % 251), size);
    }
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      ASSERT_EQ(blocks[i][0], i % 251) << size;
      ASSERT_EQ(blocks[i][size - 1], i % 251) << size;
      frame_recycler::deallocate(blocks[i], size);
    }
  }
}

// 2000 is a size that nothing else here uses.
TEST(frame_recycler, gives_back_what_it_does_not_keep) {
  if (cordage::config::sanitized) GTEST_SKIP() << "under a sanitizer every block is really freed";
  std::thread([] {
    const std::int64_t before = counted_allocations::live;
    std::vector<void*> blocks(10'000);
    for (void*& block : blocks) block = frame_recycler::allocate(2000);
    const std::int64_t in_use = counted_allocations::live;
    for (void* const block : blocks) frame_recycler::deallocate(block, 2000);
    const std::int64_t kept = counted_allocations::live;
    EXPECT_LT(kept - before, (in_use - before) / 5);
    const std::uint64_t made = counted_allocations::made;
    for (std::size_t i = 0; i < 400; ++i) blocks[i] = frame_recycler::allocate(2000);
    EXPECT_EQ(counted_allocations::made, made) << "what is kept is used";
    for (std::size_t i = 0; i < 400; ++i) frame_recycler::deallocate(blocks[i], 2000);
  }).join();
  // What the thread had kept is there for others.
  const std::uint64_t made = counted_allocations::made;
  frame_recycler::deallocate(frame_recycler::allocate(2000), 2000);
  EXPECT_EQ(counted_allocations::made, made);
}

cordage::task<int> trivial(int value) { co_return value; }

TEST(frame_recycler, keeps_awaits_and_waits_of_a_running_strand_from_allocating) {
  if (cordage::config::sanitized) GTEST_SKIP() << "under a sanitizer every block is really freed";
  const std::uint64_t allocated = cordage::run([]() -> cordage::task<std::uint64_t> {
    co_await trivial(1);
    const std::uint64_t before = counted_allocations::made;
    int sum = 0;
    for (int i = 0; i < 1000; ++i) {
      sum += co_await trivial(i);
      co_await cordage::yield_now();
    }
    EXPECT_EQ(sum, 999 * 500);
    co_return counted_allocations::made - before;
  }());
  EXPECT_EQ(allocated, 0U);
}

TEST(frame_recycler, lets_strands_be_spawned_and_joined_without_allocating) {
  if (cordage::config::sanitized) GTEST_SKIP() << "under a sanitizer every block is really freed";
  const std::uint64_t allocated = cordage::run([]() -> cordage::task<std::uint64_t> {
    const auto once = [](int i) -> cordage::task<> {
      auto stackless = cordage::spawn(trivial, i);
      auto stackful = cordage::spawn([i] { return i; });
      EXPECT_EQ(co_await stackless, i);
      EXPECT_EQ(co_await stackful, i);
    };
    co_await once(0);
    const std::uint64_t before = counted_allocations::made;
    for (int i = 0; i < 100; ++i) co_await once(i);
    co_return counted_allocations::made - before;
  }());
  EXPECT_EQ(allocated, 0U);
}

}  // namespace
