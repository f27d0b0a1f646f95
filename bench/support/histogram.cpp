#include "support/histogram.hpp"

#include <cmath>

namespace bench {

std::uint64_t latency_histogram::middle_of(std::size_t bucket) {
  if (bucket < (1u << linear_bits)) return bucket;
  const std::size_t above = bucket - (1u << linear_bits);
  const unsigned power = linear_bits + static_cast<unsigned>(above >> sub_bits);
  const std::uint64_t width = std::uint64_t{1} << (power - sub_bits);
  const std::uint64_t sub = above & ((1u << sub_bits) - 1);
  return (std::uint64_t{1} << power) + sub * width + width / 2;
}

std::chrono::nanoseconds latency_histogram::percentile(double fraction) const {
  const auto wanted = static_cast<std::uint64_t>(std::ceil(fraction * static_cast<double>(total_)));
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < buckets; ++bucket) {
    seen += counts_[bucket];
    if (seen > 0 && seen >= wanted) return std::chrono::nanoseconds(middle_of(bucket));
  }
  return {};
}

}  // namespace bench
