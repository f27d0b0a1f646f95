// A name that whoever looks from outside, a debugger or the handler of a fault, finds in its place.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace cordage::detail {

// Trivial, so that clearing it is one store.
struct short_name {
  static constexpr std::size_t most = 29;

  unsigned char length;
  char text[most];

  void set(std::string_view given) noexcept {
    length = static_cast<unsigned char>(std::min(given.size(), most));
    std::copy_n(given.data(), length, text);
  }
  // "unnamed" without one.
  std::string_view view() const noexcept {
    return length == 0 ? std::string_view("unnamed") : std::string_view(text, length);
  }
};

}  // namespace cordage::detail
