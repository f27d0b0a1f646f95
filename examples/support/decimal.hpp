// The number at the beginning of a text: what std::from_chars does for double, which not every standard library has.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <string_view>

namespace support {

struct decimal {
  double value = 0;
  std::size_t length = 0;  // how much of the text it is; 0 where there is none, or one that is too large or too small
};

// As in "3", "-.5", "1e-3"; no spaces before, no plus sign. Of a program that leaves the C locale as it is.
inline decimal take_decimal(std::string_view text) {
  std::size_t at = text.starts_with('-') ? 1 : 0;
  const auto digits = [&] {
    const std::size_t begin = at;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
    return at - begin;
  };
  std::size_t count = digits();
  if (at < text.size() && text[at] == '.') {
    ++at;
    count += digits();
  }
  if (count == 0) return {};
  if (const std::size_t mantissa = at; at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
    if (digits() == 0) at = mantissa;
  }
  errno = 0;
  const double value = std::strtod(std::string(text.substr(0, at)).c_str(), nullptr);
  return errno == ERANGE ? decimal{} : decimal{value, at};
}

}  // namespace support
