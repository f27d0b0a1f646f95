// A name that whoever looks from outside, a debugger or the handler of a fault, finds in its place.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace cordage::detail {

// Trivial: whoever has one says by other means whether it is set.
struct short_name {
  static constexpr std::size_t most = 29;

  unsigned char length;
  char text[most];

  void set(std::string_view given) noexcept {
    length = static_cast<unsigned char>(std::min(given.size(), most));
    std::copy_n(given.data(), length, text);
  }
  std::string_view view() const noexcept { return {text, length}; }
};

}  // namespace cordage::detail
