// A request that is always the same, and how to know its answer.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace bench {

struct exchange {
  std::string request;
  // What the answer begins with and ends with. What stands between, a date for one, is not looked at. An answer that
  // is known to the last byte is all beginning.
  std::string beginning;
  std::string ending;
  std::size_t answer_bytes = 0;
  std::uint64_t messages = 1;  // what it counts as: 16 where the request is a pipeline of 16

  // Whether this may stand `at` so many bytes behind the beginning of the answer.
  bool accepts(std::string_view part, std::size_t at) const {
    return agrees(part, at, beginning, 0) && agrees(part, at, ending, answer_bytes - ending.size());
  }

 private:
  // Whether two pieces of the same text are equal where they overlap.
  static bool agrees(std::string_view part, std::size_t at, std::string_view expected, std::size_t from) {
    const std::size_t first = std::max(at, from);
    const std::size_t last = std::min(at + part.size(), from + expected.size());
    return first >= last || part.substr(first - at, last - first) == expected.substr(first - from, last - first);
  }
};

}  // namespace bench
