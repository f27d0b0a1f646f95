// So many tasks that wait for the same thing.
#pragma once

#include <cstddef>

#include <gtest/gtest.h>

#include <cordage/events.hpp>
#include <cordage/runtime.hpp>
#include <cordage/semaphore.hpp>
#include <cordage/task.hpp>

namespace support {

// Each acquires a permit, which the one before it releases.
inline void stand_in_line(std::size_t waiters) {
  cordage::semaphore permits(0);
  std::size_t next = 0;
  auto waits = [&](std::size_t number) -> cordage::task<> {
    co_await permits.acquire();
    EXPECT_EQ(next, number);
    ++next;
    permits.release();
  };
  auto all = [&]() -> cordage::task<> {
    for (std::size_t i = 0; i < waiters; ++i) (void)cordage::spawn(waits, i);
    co_await cordage::yield_now();
    permits.release();
  };
  cordage::run(all());
  EXPECT_EQ(next, waiters);
  EXPECT_EQ(permits.available(), 1U);
}

// All of them are told at once.
inline void wait_for_an_event(std::size_t waiters) {
  cordage::manual_reset_event happened;
  std::size_t next = 0;
  auto waits = [&](std::size_t number) -> cordage::task<> {
    co_await happened.wait();
    EXPECT_EQ(next, number);
    ++next;
  };
  auto all = [&]() -> cordage::task<> {
    for (std::size_t i = 0; i < waiters; ++i) (void)cordage::spawn(waits, i);
    co_await cordage::yield_now();
    EXPECT_EQ(next, 0U);
    happened.set();
  };
  cordage::run(all());
  EXPECT_EQ(next, waiters);
}

}  // namespace support
