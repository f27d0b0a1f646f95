#include "support/report.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace bench {
namespace {

constexpr std::size_t full_row = 9;
const std::vector<std::string> heading = {"",     "ours", "peer", "ratio [95% interval]", "of medians",
                                          "gate", "",     "goal", ""};

// Three digits behind the point for ratios and small numbers, none for large ones: about four significant digits.
std::string number(double value) {
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  std::array<char, 64> text;
  const int digits = std::abs(value) < 20 ? 3 : std::abs(value) < 200 ? 1 : 0;
  std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  return text.data();
}

std::string ratio_text(const estimate& ratio) {
  return number(ratio.median) + " [" + number(ratio.low) + ", " + number(ratio.high) + "]";
}

std::string bound_text(double bound, wanted what) {
  std::array<char, 32> text;
  std::snprintf(text.data(), text.size(), "%s %.4g", what == wanted::less ? "<=" : ">=", bound);
  return text.data();
}

bool is_met(double judged, double bound, wanted what) { return what == wanted::less ? judged <= bound : judged >= bound; }

using widths = std::array<std::size_t, full_row>;

void print_cells(std::FILE* out, const std::vector<std::string>& row, const widths& width) {
  std::string line;
  for (std::size_t column = 0; column < row.size(); ++column) {
    const std::string padding(width[column] - row[column].size(), ' ');
    const bool is_number = column == 1 || column == 2;
    line += is_number ? padding + row[column] : row[column] + padding;
    line += "  ";
  }
  line.erase(line.find_last_not_of(' ') + 1);
  std::fprintf(out, "%s\n", line.c_str());
}

}  // namespace

void report::section(std::string title) { rows_.push_back({std::move(title)}); }

void report::remark(std::string row, std::string words) { rows_.push_back({std::move(row), std::move(words)}); }

void report::compare(std::string row, std::span<const double> ours, std::span<const double> peer, bounds limits) {
  const estimate ratio = pairwise_ratio(ours, peer);
  cells texts{std::move(row), number(median(ours)), number(median(peer)), ratio_text(ratio),
              number(ratio_of_medians(ours, peer))};
  judge(texts, ratio.median, limits);
}

void report::value(std::string row, double ours, std::optional<double> peer, bounds limits) {
  cells texts{std::move(row), number(ours), peer ? number(*peer) : "", peer ? number(ours / *peer) : "", ""};
  judge(texts, ours, limits);
}

void report::judge(cells& row, double judged, bounds limits) {
  for (const auto& bound : {limits.gate, limits.goal}) {
    row.push_back(bound ? bound_text(*bound, limits.what) : "");
    row.push_back(!bound ? "" : is_met(judged, *bound, limits.what) ? "met" : "missed");
  }
  if (limits.gate && !is_met(judged, *limits.gate, limits.what)) missed_a_gate_ = true;
  rows_.push_back(std::move(row));
}

void report::print(std::FILE* out) const {
  widths width{};
  for (std::size_t column = 0; column < full_row; ++column) width[column] = heading[column].size();
  for (const cells& row : rows_)
    for (std::size_t column = 0; column < row.size() && row.size() == full_row; ++column)
      width[column] = std::max(width[column], row[column].size());
  for (const cells& row : rows_)
    if (row.size() == 2) width[0] = std::max(width[0], row[0].size());

  print_cells(out, heading, width);
  for (const cells& row : rows_) {
    if (row.size() == full_row) print_cells(out, row, width);
    if (row.size() == 2) std::fprintf(out, "%-*s  %s\n", static_cast<int>(width[0]), row[0].c_str(), row[1].c_str());
    if (row.size() == 1) std::fprintf(out, "\n%s\n", row[0].c_str());
  }
}

}  // namespace bench
