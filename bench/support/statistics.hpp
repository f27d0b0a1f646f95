// Medians and what can honestly be said about them.
//
// Timings on a shared machine are skewed and have outliers, so nothing here assumes a distribution. The interval of a
// median comes from order statistics: the number of samples below the true median is binomial(n, 1/2), so the k-th
// smallest and the k-th largest of n samples enclose it with a probability that is known exactly.
#pragma once

#include <span>

namespace bench {

struct estimate {
  double median = 0;
  double low = 0;       // the interval's ends are samples; infinite if there are too few samples for any interval
  double high = 0;
  double coverage = 0;  // the probability that [low, high] holds the true median: at least 0.95, or 1 when infinite
};

// Of at least one sample.
double median(std::span<const double> samples);

// The median with the shortest interval of this kind that covers at least 95%. Six samples are the fewest for which
// there is one. Samples are taken to be independent; interleave what is compared, so that drift hits both sides.
estimate median_with_interval(std::span<const double> samples);

// The median of ours[i] / peer[i], where both were measured in round i. Slow drift of the machine cancels in each
// ratio, which makes this the number to judge by.
estimate pairwise_ratio(std::span<const double> ours, std::span<const double> peer);

// Cruder, for comparison: if it lies outside the interval of pairwise_ratio, distrust the run.
double ratio_of_medians(std::span<const double> ours, std::span<const double> peer);

}  // namespace bench
