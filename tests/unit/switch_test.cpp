#include <cordage/context/switch.hpp>

#include <alloca.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include <gtest/gtest.h>

#include "bare_coroutine.hpp"

namespace {

using namespace cordage::detail;
using bare = support::bare_coroutine;

TEST(switch_context, goes_back_and_forth_a_million_times) {
  bare counter([](bare& b) {
    for (;;) {
      ++b.value;
      b.yield();
    }
  });
  for (long i = 1; i <= 1'000'000; ++i) {
    counter.resume();
    ASSERT_EQ(counter.value, i);
  }
}

TEST(switch_context, mixes_with_its_opaque_form_on_either_side) {
  bare mixed([](bare& b) {
    double sum = 0.5;
    for (long i = 0;; ++i) {
      sum += static_cast<double>(i);
      b.value = static_cast<long>(sum * 2);
      if (i % 3 == 0) {
        b.yield();
      } else {
        b.yield_opaquely();
      }
    }
  });
  long sum = 0;
  for (long i = 0; i < 10'000; ++i) {
    if (i % 2 == 0) {
      mixed.resume();
    } else {
      mixed.resume_opaquely();
    }
    sum += i;
    ASSERT_EQ(mixed.value, sum * 2 + 1);
  }
}

// A leaf with locals below the stack pointer, in the red zone.
[[gnu::noinline]] long leaf_with_locals(bare& b, long start) {
  long local[12];
  for (long i = 0; i < 12; ++i) {
    local[i] = start + i;
    asm volatile("" : "+m"(local[i]));
  }
  b.yield();
  long sum = 0;
  for (const long each : local) sum += each;
  return sum;
}

TEST(switch_context, leaves_the_red_zone_alone) {
  bare b([](bare& self) { self.value = leaf_with_locals(self, 3); });
  b.resume();
  volatile char noise[512];
  for (volatile char& each : noise) each = 1;
  b.resume();
  EXPECT_TRUE(b.done);
  EXPECT_EQ(b.value, 12 * 3 + 66);
}

// Neither the stack pointer nor the frame pointer tells where the locals of such a function are: some are aligned, and
// what it allocates has no fixed size. Compilers take a third register, a base pointer, for that.
[[gnu::noinline]] long leaf_with_a_base_pointer(bare& b, std::size_t length) {
  alignas(64) long local[80];
  for (long i = 0; i < 80; ++i) {
    local[i] = i;
    asm volatile("" : "+m"(local[i]));
  }
  auto* const allocated = static_cast<char*>(alloca(length));
  std::memset(allocated, 1, length);
  b.yield();
  long sum = 0;
  for (const long each : local) sum += each;
  for (std::size_t i = 0; i < length; ++i) sum += allocated[i];
  return sum;
}

// The same on the outside.
[[gnu::noinline]] long resume_with_a_base_pointer(bare& b, std::size_t length) {
  alignas(64) long local[80];
  for (long i = 0; i < 80; ++i) {
    local[i] = i;
    asm volatile("" : "+m"(local[i]));
  }
  auto* const allocated = static_cast<char*>(alloca(length));
  std::memset(allocated, 1, length);
  b.resume();
  long sum = 0;
  for (const long each : local) sum += each;
  for (std::size_t i = 0; i < length; ++i) sum += allocated[i];
  return sum;
}

TEST(switch_context, keeps_a_base_pointer) {
  bare b([](bare& self) { self.value = leaf_with_a_base_pointer(self, 700); });
  EXPECT_EQ(resume_with_a_base_pointer(b, 300), 79 * 80 / 2 + 300);
  EXPECT_EQ(resume_with_a_base_pointer(b, 500), 79 * 80 / 2 + 500);
  EXPECT_TRUE(b.done);
  EXPECT_EQ(b.value, 79 * 80 / 2 + 700);
}

// Echoes what it is sent, plus one.
TEST(switch_context, carries_a_message_each_way) {
  struct echo {
    machine_context self, outside;
    machine_context* to_outside = &outside;
    std::unique_ptr<std::byte[]> memory{new std::byte[bare::stack_bytes]};
    static void entry(void* first_message) {
      auto& e = *static_cast<echo*>(first_message);
      for (char* message = nullptr;;) {
        message = static_cast<char*>(switch_context(e.self, e.outside, message));
        message = static_cast<char*>(cordage_switch_opaque(message + 1, &e.self, &e.outside)) + 1;
      }
    }
  } e;
  if (cordage::config::sanitized) GTEST_SKIP() << "this one tells no sanitizer about its stack";
  const auto top = reinterpret_cast<std::uintptr_t>(e.memory.get() + bare::stack_bytes) & ~std::uintptr_t{63};
  char words[100];
  EXPECT_EQ(switch_to_new_stack(e.outside, reinterpret_cast<void*>(top), echo::entry, {.outside = &e.to_outside}, &e), nullptr);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(switch_context(e.outside, e.self, words + i), words + i + 1);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(cordage_switch_opaque(words + i, &e.outside, &e.self), words + i + 1);
}

TEST(switch_context, nests) {
  bare outer([](bare& self) {
    bare inner([](bare& other) {
      for (int i = 0; i < 4; ++i) {
        other.value += 2;
        other.yield();
      }
    });
    for (int i = 0; i < 4; ++i) {
      inner.resume();
      self.value += inner.value;
      self.yield();
    }
    inner.resume();
  });
  while (!outer.done) outer.resume();
  EXPECT_EQ(outer.value, 2 + 4 + 6 + 8);
}

}  // namespace
