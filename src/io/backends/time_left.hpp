// How long a poller may sleep.
#pragma once

#include <time.h>

#include <chrono>
#include <cstdint>

#include <cordage/strands/clock.hpp>

namespace cordage::detail {

// None for time_point::min() and for what is past, and not more than ten days.
inline timespec time_left(time_point deadline) noexcept {
  if (deadline == time_point::min()) return {};
  const std::int64_t left = (deadline - std::chrono::steady_clock::now()).count();
  if (left <= 0) return {};
  // Longer than that kqueue refuses to wait, and epoll in milliseconds cannot; whoever polls asks again.
  constexpr std::int64_t longest = 1'000'000;
  const std::int64_t seconds = left / 1'000'000'000;
  if (seconds >= longest) return {longest, 0};
  return {static_cast<time_t>(seconds), static_cast<long>(left % 1'000'000'000)};
}

}  // namespace cordage::detail
