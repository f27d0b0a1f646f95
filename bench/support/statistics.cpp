#include "support/statistics.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace bench {
namespace {

constexpr double wanted_coverage = 0.95;

double log_factorial(std::size_t n) { return std::lgamma(static_cast<double>(n) + 1); }

struct order_interval {
  std::size_t rank = 0;  // counted from 1: the rank-th smallest to the rank-th largest; 0 = everything
  double coverage = 1;
};

// The largest rank whose interval still covers enough. The interval of rank k misses the median when fewer than k
// samples lie on one side of it: 2 P(binomial(n, 1/2) < k). Probabilities are summed from logarithms so that a large
// n does not underflow.
order_interval shortest_interval(std::size_t n) {
  const double log_all = static_cast<double>(n) * std::log(2.0);
  order_interval best;
  double tail = 0;
  for (std::size_t below = 0; 2 * (below + 1) <= n; ++below) {
    tail += std::exp(log_factorial(n) - log_factorial(below) - log_factorial(n - below) - log_all);
    if (1 - 2 * tail < wanted_coverage) break;
    best = {below + 1, 1 - 2 * tail};
  }
  return best;
}

double median_of_sorted(const std::vector<double>& sorted) {
  const std::size_t middle = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

std::vector<double> sorted_copy(std::span<const double> samples) {
  std::vector<double> sorted(samples.begin(), samples.end());
  std::ranges::sort(sorted);
  return sorted;
}

}  // namespace

double median(std::span<const double> samples) {
  assert(!samples.empty());
  return median_of_sorted(sorted_copy(samples));
}

estimate median_with_interval(std::span<const double> samples) {
  assert(!samples.empty());
  const std::vector<double> sorted = sorted_copy(samples);
  const order_interval interval = shortest_interval(sorted.size());
  constexpr double unknown = std::numeric_limits<double>::infinity();
  estimate result{median_of_sorted(sorted), -unknown, unknown, interval.coverage};
  if (interval.rank > 0) {
    result.low = sorted[interval.rank - 1];
    result.high = sorted[sorted.size() - interval.rank];
  }
  return result;
}

estimate pairwise_ratio(std::span<const double> ours, std::span<const double> peer) {
  assert(ours.size() == peer.size());
  std::vector<double> ratios;
  for (std::size_t i = 0; i < ours.size(); ++i) ratios.push_back(ours[i] / peer[i]);
  return median_with_interval(ratios);
}

double ratio_of_medians(std::span<const double> ours, std::span<const double> peer) {
  return median(ours) / median(peer);
}

}  // namespace bench
