// A crowd at one channel, which is closed.
#pragma once

#include <vector>

#include <gtest/gtest.h>

#include "channel_ends.hpp"

namespace support {

// Half of them wait to receive; when those have been told, the others wait to send.
inline void wait_and_close(style in, int count) {
  using namespace cordage;
  int told = 0;
  auto receives = [&](channel<int>& of) -> task<> { told += (co_await of.receive()).error() == errc::closed; };
  auto sends = [&](channel<int>& to) -> task<> { told += (co_await to.send(1)).error() == errc::closed; };
  auto receives_on_fiber = [&](channel<int>& of) { told += await(of.receive()).error() == errc::closed; };
  auto sends_on_fiber = [&](channel<int>& to) { told += await(to.send(1)).error() == errc::closed; };
  run([&]() -> task<> {
    channel<int> empty, full;
    for (int i = 0; i < count / 2; ++i) spawn_either(in, receives, receives_on_fiber, std::ref(empty));
    for (int i = 0; i < count / 2; ++i) spawn_either(in, sends, sends_on_fiber, std::ref(full));
    co_await turns(2);
    EXPECT_EQ(told, 0);
    empty.close();
    full.close();
    co_await turns(2);
    EXPECT_EQ(told, count / 2 * 2);
  }());
}

}  // namespace support
