// So many fibers at once, each suspended, then resumed.
#pragma once

#include <cstddef>

#include <gtest/gtest.h>

#include <cordage/runtime.hpp>
#include <cordage/scope.hpp>

namespace support {

// Where the kernel does not guard so many, they go unguarded.
inline void suspend_and_resume(std::size_t fibers) {
  std::size_t suspended = 0;
  std::size_t resumed = 0;
  auto child = [&](std::size_t number) {
    ++suspended;
    cordage::await(cordage::yield_now());
    // In the order in which they began, each once.
    EXPECT_EQ(resumed, number);
    ++resumed;
  };
  const cordage::spawn_options options{.allow_unguarded = true};
  cordage::run([&]() -> cordage::task<> {
    co_await cordage::with_scope([&](cordage::scope& children) -> cordage::task<> {
      for (std::size_t i = 0; i < fibers; ++i) children.spawn(options, child, i);
      co_await cordage::yield_now();
      EXPECT_EQ(suspended, fibers);
      EXPECT_EQ(resumed, 0U);
    });
  }());
  EXPECT_EQ(resumed, fibers);
}

}  // namespace support
