// A log-linear histogram of durations: exact below 256 ns, then 128 buckets for every power of two, so that a
// percentile is off by less than 0.8% of its value while recording costs one increment and never allocates.
#pragma once

#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace bench {

class latency_histogram {
 public:
  void record(std::chrono::nanoseconds latency) {
    ++counts_[bucket_of(latency.count() < 0 ? 0 : static_cast<std::uint64_t>(latency.count()))];
    ++total_;
  }

  std::uint64_t total() const { return total_; }

  // The smallest bucket's middle that at least this fraction of the durations does not exceed; zero if there are none.
  std::chrono::nanoseconds percentile(double fraction) const;

 private:
  static constexpr unsigned linear_bits = 8;                // below 2^8 ns every value has a bucket of its own
  static constexpr unsigned sub_bits = linear_bits - 1;     // above, 2^7 buckets for each power of two
  static constexpr unsigned longest_bits = 36;              // 2^36 ns, about a minute; longer ones count as that
  static constexpr std::size_t buckets = (std::size_t{1} << linear_bits) + ((longest_bits - linear_bits) << sub_bits);

  static std::size_t bucket_of(std::uint64_t value) {
    if (value < (1u << linear_bits)) return value;
    const unsigned power = static_cast<unsigned>(std::bit_width(value)) - 1;
    if (power >= longest_bits) return buckets - 1;
    const std::size_t sub = (value >> (power - sub_bits)) & ((1u << sub_bits) - 1);
    return (std::size_t{1} << linear_bits) + ((power - linear_bits) << sub_bits) + sub;
  }
  static std::uint64_t middle_of(std::size_t bucket);

  std::array<std::uint64_t, buckets> counts_{};
  std::uint64_t total_ = 0;
};

}  // namespace bench
