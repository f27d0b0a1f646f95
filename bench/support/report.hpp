// What a benchmark prints, and whether the program may exit with 0.
//
// What is reported here is a cost, so smaller is better and a bound is an upper one, unless it says that more is wanted.
// A *gate* is a promise: one that is missed makes the program exit with 1. A *goal* is what we would like: it is only
// reported.
#pragma once

#include <cstdio>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "support/failure.hpp"
#include "support/statistics.hpp"

namespace bench {

enum class wanted { less, more };

struct bounds {
  std::optional<double> gate;
  std::optional<double> goal;
  wanted what = wanted::less;
};

class report {
 public:
  // A line across the table, before the rows that belong to it.
  void section(std::string title);

  // A row judged by the median of the pairwise ratios; `ours[i]` and `peer[i]` are of the same round.
  void compare(std::string row, std::span<const double> ours, std::span<const double> peer, bounds limits = {});

  // A row judged by its own value, with a peer's beside it where there is one.
  void value(std::string row, double ours, std::optional<double> peer, bounds limits = {});

  // A row of words, for what could not be measured and for remarks.
  void remark(std::string row, std::string words);

  // The aligned table: row, ours, peer, median of the pairwise ratios [95% interval],
  // ratio of the medians, each bound with `met` or `missed`.
  void print(std::FILE* out) const;

  exit_status status() const { return missed_a_gate_ ? gate_missed : all_gates_met; }

 private:
  using cells = std::vector<std::string>;

  void judge(cells& row, double judged, bounds limits);

  std::vector<cells> rows_;  // one cell: a section's title; two: a remark; else a full row
  bool missed_a_gate_ = false;
};

}  // namespace bench
