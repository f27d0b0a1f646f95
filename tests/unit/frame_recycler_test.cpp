#include <cordage/strands/frame_recycler.hpp>

#include <cstdint>
#include <cstdlib>
#include <new>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/runtime.hpp>
#include <cordage/task.hpp>

namespace {
thread_local long allocations = 0;
}

// Weak, since a sanitizer brings its own. Counts what reaches the general allocator on this thread.
[[gnu::weak]] void* operator new(std::size_t size) {
  ++allocations;
  if (void* const block = std::malloc(size)) return block;
  throw std::bad_alloc();
}
[[gnu::weak]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(size);
}
[[gnu::weak]] void* operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  ++allocations;
  const auto step = static_cast<std::size_t>(alignment);
  return std::aligned_alloc(step, (size + step - 1) / step * step);
}
[[gnu::weak]] void operator delete(void* block, std::align_val_t) noexcept { std::free(block); }
[[gnu::weak]] void operator delete(void* block) noexcept { std::free(block); }
[[gnu::weak]] void operator delete(void* block, std::size_t) noexcept { std::free(block); }

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

TEST(frame_recycler, takes_blocks_of_every_size) {
  for (std::size_t size = 1; size < 5000; size += 7) {
    auto* const block = static_cast<unsigned char*>(frame_recycler::allocate(size));
    block[0] = block[size - 1] = 1;
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % __STDCPP_DEFAULT_NEW_ALIGNMENT__, 0U);
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

cordage::task<int> trivial(int value) { co_return value; }

TEST(frame_recycler, keeps_awaits_and_waits_of_a_running_strand_from_allocating) {
  if (cordage::config::sanitized) GTEST_SKIP() << "under a sanitizer every block is really freed";
  const long allocated = cordage::run([]() -> cordage::task<long> {
    co_await trivial(1);
    const long before = allocations;
    int sum = 0;
    for (int i = 0; i < 1000; ++i) {
      sum += co_await trivial(i);
      co_await cordage::yield_now();
    }
    EXPECT_EQ(sum, 999 * 500);
    co_return allocations - before;
  }());
  EXPECT_EQ(allocated, 0);
}

TEST(frame_recycler, lets_strands_be_spawned_and_joined_without_allocating) {
  if (cordage::config::sanitized) GTEST_SKIP() << "under a sanitizer every block is really freed";
  const long allocated = cordage::run([]() -> cordage::task<long> {
    const auto once = [](int i) -> cordage::task<> {
      auto stackless = cordage::spawn(trivial, i);
      auto stackful = cordage::spawn([i] { return i; });
      EXPECT_EQ(co_await stackless, i);
      EXPECT_EQ(co_await stackful, i);
    };
    co_await once(0);
    const long before = allocations;
    for (int i = 0; i < 100; ++i) co_await once(i);
    co_return allocations - before;
  }());
  EXPECT_EQ(allocated, 0);
}

}  // namespace
