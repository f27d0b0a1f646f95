#include <cordage/context/stack.hpp>

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <semaphore>
#include <set>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/base/config.hpp>
#include <cordage/coroutine.hpp>
#include <cordage/fiber.hpp>
#include <cordage/runtime.hpp>
#include <cordage/stack_options.hpp>

#include "context/slab.hpp"
#include "death_tests.hpp"

#include CORDAGE_VALGRIND_HEADER

namespace {

using namespace cordage::detail;

constexpr std::size_t default_stack_size = cordage::stack_options{}.stack_size;

stack& take_stack(std::size_t size) { return stack_pool::take(size, false); }

// Whether a byte can be read, asked of the kernel, which answers with EFAULT instead of a signal.
bool readable(const std::byte* at) {
  int ends[2];
  if (::pipe(ends) != 0) return false;
  const bool could = ::write(ends[1], at, 1) == 1;
  ::close(ends[0]);
  ::close(ends[1]);
  return could;
}

std::vector<stack*> take(std::size_t count, std::size_t size = default_stack_size) {
  std::vector<stack*> taken;
  for (std::size_t i = 0; i < count; ++i) taken.push_back(&take_stack(size));
  return taken;
}

TEST(stack, is_as_large_as_asked_less_a_page_and_can_be_used_to_its_ends) {
  for (const std::size_t size : {std::size_t{1}, std::size_t{16 * 1024}, default_stack_size, std::size_t{1'000'000}}) {
    stack* const s = &take_stack(size);
    EXPECT_GE(s->size() + 4096, size);
    *s->low = *(s->top() - 1) = std::byte{1};
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(s->top()) % 64, 0U);
    stack_pool::give_back(*s);
  }
}

TEST(stack, is_guarded_below) {
  auto stacks = take(200);
  for (stack* const s : stacks) {
    *s->low = std::byte{};  // valgrind looks at what is read
    EXPECT_TRUE(readable(s->low));
    EXPECT_FALSE(readable(s->low - 1));
  }
  for (stack* const s : stacks) stack_pool::give_back(*s);
}

TEST(stack, is_recycled_last_in_first_out_on_its_thread) {
  for (const std::size_t size : {default_stack_size, std::size_t{16 * 1024}}) {
    const auto stacks = take(3, size);
    for (stack* const s : stacks) stack_pool::give_back(*s);
    for (int i = 2; i >= 0; --i) EXPECT_EQ(&take_stack(size), stacks[i]);
    stack_pool::give_back(*stacks[1]);
    EXPECT_EQ(&take_stack(size), stacks[1]);
    for (stack* const s : stacks) stack_pool::give_back(*s);
  }
}

TEST(stack, comes_in_many_colours) {
  auto stacks = take(480);
  std::map<std::uintptr_t, int> used;
  for (stack* const s : stacks) ++used[reinterpret_cast<std::uintptr_t>(s->top()) % 4096];
  EXPECT_EQ(used.size(), 48U) << "the top lines of too many stacks fall into the same cache sets";
  for (stack* const s : stacks) stack_pool::give_back(*s);
}

TEST(stack, of_an_ended_thread_serves_others) {
  std::set<std::byte*> of_thread;
  std::thread([&] {
    const auto stacks = take(10, 8 * 1024 * 1024);
    for (stack* const s : stacks) {
      of_thread.insert(s->low);
      stack_pool::give_back(*s);
    }
  }).join();
  const auto again = take(10, 8 * 1024 * 1024);
  for (stack* const s : again) EXPECT_TRUE(of_thread.contains(s->low));
  for (stack* const s : again) stack_pool::give_back(*s);
}

TEST(stack, may_be_given_back_on_another_thread) {
  stack* const s = &take_stack(default_stack_size);
  std::thread([&] {
    stack_pool::give_back(*s);
    EXPECT_EQ(take_stack(default_stack_size).low, s->low);
    stack_pool::give_back(*s);
  }).join();
}

// Who has given a stack back and taken it again knows its address, also when it is given back elsewhere.
TEST(stack, that_another_thread_keeps_is_not_taken) {
  if (under_valgrind()) GTEST_SKIP() << "no thread keeps stacks there";
  stack* const travels = &take_stack(default_stack_size);
  stack_pool::give_back(*travels);
  ASSERT_EQ(&take_stack(default_stack_size), travels);
  std::binary_semaphore kept_there{0}, looked_here{0};
  std::thread other([&] {
    stack_pool::give_back(*travels);
    kept_there.release();
    looked_here.acquire();
    EXPECT_EQ(&take_stack(default_stack_size), travels);
    stack_pool::give_back(*travels);
  });
  kept_there.acquire();
  stack* const taken = &take_stack(default_stack_size);
  EXPECT_NE(taken, travels);
  looked_here.release();
  other.join();
  stack_pool::give_back(*taken);
}

TEST(stack, too_large_or_beyond_memory_is_an_error_that_says_what_to_do) {
  EXPECT_THROW(take_stack(std::size_t{2} << 30), std::system_error);
  if (cordage::config::sanitized) GTEST_SKIP() << "a sanitizer needs the address space for itself";
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_AS, &before), 0);
  rlimit tight = before;
  tight.rlim_cur = 512 * 1024 * 1024;
  ASSERT_EQ(::setrlimit(RLIMIT_AS, &tight), 0);
  // An emulator may take a limit and not keep to it.
  if (void* const beyond = ::mmap(nullptr, tight.rlim_cur, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); beyond != MAP_FAILED) {
    ::munmap(beyond, tight.rlim_cur);
    ::setrlimit(RLIMIT_AS, &before);
    GTEST_SKIP() << "this system sets no limit to the address space";
  }
  std::string what;
  std::vector<stack*> taken;
  taken.reserve(100);
  try {
    for (int i = 0; i < 100; ++i) taken.push_back(&take_stack(64 * 1024 * 1024));
  } catch (const std::system_error& e) {
    what = e.what();
  }
  ::setrlimit(RLIMIT_AS, &before);
  EXPECT_NE(what.find("address space"), std::string::npos) << what;
  for (stack* const s : taken) stack_pool::give_back(*s);
}

// What was touched is given back when more stacks are free than a thread keeps.
TEST(stack, of_which_too_many_are_free_gives_its_pages_back) {
  if (cordage::config::sanitized) GTEST_SKIP() << "a sanitizer's shadow counts, too";
  constexpr std::size_t count = 200;
  constexpr std::size_t size = 4 * 1024 * 1024;  // a thread keeps 16 of these
  const auto stacks = take(count, size);
  for (stack* const s : stacks) std::fill(s->top() - 1024 * 1024, s->top() - 64, std::byte{1});
  std::size_t touched = 0;
  for (stack* const s : stacks) touched += touched_bytes(*s);
  EXPECT_GE(touched, count * 1024 * 1024);
  for (stack* const s : stacks) stack_pool::give_back(*s);
  const auto again = take(count, size);
  touched = 0;
  for (stack* const s : again) touched += touched_bytes(*s);
  EXPECT_LE(touched, 20U * 1024 * 1024);
  for (stack* const s : again) stack_pool::give_back(*s);
}

std::size_t mappings_allowed() {
  std::size_t allowed = 0;
  std::ifstream("/proc/sys/vm/max_map_count") >> allowed;
  return allowed;
}

// In a child where guards cost mappings, as they do on kernels before 6.13.
TEST(stack_death, at_the_limit_of_mappings_is_an_error_that_says_what_to_do_or_goes_unguarded_where_that_is_allowed) {
  if (cordage::config::sanitized) GTEST_SKIP() << "a sanitizer needs mappings for itself";
  if (mappings_allowed() == 0) GTEST_SKIP() << "this system does not limit mappings, or says nothing of it";
  if (mappings_allowed() > 200'000) GTEST_SKIP() << "this machine allows too many mappings to reach the limit";
  support::prepare_death_test();
  const auto reach_the_limit = [] {
    std::string what;
    try {
      for (;;) stack_pool::take(16 * 1024, false);
    } catch (const std::system_error& e) {
      what = e.what();
    }
    const bool said = what.find("vm.max_map_count") != what.npos;
    int guarded = 0;
    for (int i = 0; i < 10'000; ++i) {
      stack& unguarded = stack_pool::take(16 * 1024, true);
      *unguarded.low = std::byte{1};
      guarded += unguarded.kept_in != stack_pool::never_kept;
    }
    // The public way there, where each next stack would need a guard.
    const cordage::stack_options may{.stack_size = 16 * 1024, .allow_unguarded = true};
    int ran = 0;
    for (int i = 0; i < 1'000; ++i) {
      cordage::coroutine<void>* const leaks = new cordage::coroutine<void>{may, [&ran] { ++ran; }};
      leaks->resume();
    }
    cordage::run(cordage::fiber{may, [&ran] { ++ran; }});
    std::fprintf(stderr, "said %d, guarded %d, ran %d", said, guarded, ran);
    std::_Exit(0);
  };
  ::setenv("CORDAGE_STACK_GUARD", "mprotect", 1);
  EXPECT_EXIT(reach_the_limit(), testing::ExitedWithCode(0), "said 1, guarded 0, ran 1001");
  ::unsetenv("CORDAGE_STACK_GUARD");
}

[[gnu::noinline]] int use_stack(std::size_t bytes, const char* below) {
  char frame[1024];
  asm volatile("" : : "r"(frame), "r"(below) : "memory");  // the compiler cannot do without the frame
  const int deeper = bytes < sizeof frame ? 0 : use_stack(bytes - sizeof frame, frame);
  asm volatile("" : : "r"(frame) : "memory");
  return deeper + 1;
}

TEST(stack, tells_how_much_of_it_was_used_in_whole_pages) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  cordage::coroutine<int> c{cordage::stack_options{.stack_size = 4 * 1024 * 1024}, [] {
                              cordage::this_coroutine::yield(1);
                              cordage::this_coroutine::yield(use_stack(1024 * 1024, nullptr));
                            }};
  c.resume();
  EXPECT_LT(c.stack_high_water(), 1024U * 1024);
  EXPECT_EQ(c.stack_high_water() % page, 0U);
  c.resume();
  EXPECT_GE(c.stack_high_water(), 1024U * 1024);
  EXPECT_LT(c.stack_high_water(), 4U * 1024 * 1024);
  EXPECT_EQ(c.stack_high_water() % page, 0U);
}

// A guard is a whole page, which on some systems is larger than the smallest stack.
TEST(stack, lies_between_whole_pages) {
  for (const std::size_t page : {4U * 1024, 16U * 1024, 64U * 1024}) {
    for (std::size_t size = stack_pool::smallest_size; size <= stack_pool::largest_size; size *= 2) {
      EXPECT_EQ(slab::stride_for(size, page) % page, 0U);
      EXPECT_GE(slab::stride_for(size, page), size + page);
    }
  }
}

// In a child, whose memory is all locked from then on, as that of programs that must not wait for pages.
TEST(stack_death, is_guarded_also_where_memory_is_locked) {
  if (cordage::config::sanitized || CORDAGE_TESTS_ARE_EMULATED) GTEST_SKIP() << "a sanitizer, or an emulator, has memory of its own";
  support::prepare_death_test();
  const auto lock_then_take = [] {
    cordage::coroutine<void> first{[] {}};
    if (::mlockall(MCL_CURRENT | MCL_FUTURE) != 0) std::_Exit(2);
    int guarded = 0;
    for (int i = 0; i < 200; ++i) guarded += take_stack(default_stack_size).kept_in != stack_pool::never_kept;
    std::_Exit(guarded == 200 ? 0 : 1);
  };
  const auto locked_or_refused = [](int status) { return WIFEXITED(status) && WEXITSTATUS(status) % 2 == 0; };
  EXPECT_EXIT(lock_then_take(), locked_or_refused, "");
}

// What runs on a stack lies at its top with its function, and gives the stack back from there.
TEST(stack, has_functions_at_its_top_of_any_alignment_and_of_half_its_size) {
  struct alignas(256) wide {
    std::uint64_t value;
  };
  struct large {
    char bytes[9 * 1024];
  };
  for (std::uint64_t i = 0; i < 3; ++i) {  // each time on the same stacks
    std::uintptr_t misplaced = 0;
    std::uint64_t sum = 0;
    const wide aligned{i};
    auto by_value = [&misplaced, &sum, aligned] {
      auto at = reinterpret_cast<std::uintptr_t>(&aligned);
      asm("" : "+r"(at));
      misplaced += at % alignof(wide);
      sum += aligned.value;
    };
    std::vector<cordage::coroutine<void>> on_all_colours;
    for (int c = 0; c < 48; ++c) on_all_colours.emplace_back(by_value);
    for (auto& each : on_all_colours) EXPECT_FALSE(each.resume());
    cordage::run(cordage::fiber{by_value});
    EXPECT_EQ(misplaced, 0u);
    EXPECT_EQ(sum, 49 * i);

    large much{};
    much.bytes[0] = much.bytes[sizeof(much) - 1] = 3;
    int ends = 0;
    cordage::coroutine<void> of_half{cordage::stack_options{.stack_size = 16 * 1024},
                                     [&ends](const large& it) { ends = it.bytes[0] + it.bytes[sizeof(it) - 1]; }, much};
    EXPECT_FALSE(of_half.resume());
    EXPECT_EQ(ends, 6);
  }
  for (const std::size_t size : {default_stack_size, std::size_t{16 * 1024}}) {
    const auto kept = take(48, size);
    for (const stack* each : kept) EXPECT_NE(each->owner, nullptr) << "what was kept is no stack";
    for (stack* each : kept) stack_pool::give_back(*each);
  }
}

}  // namespace
