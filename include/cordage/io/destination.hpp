// Where a descriptor leads to, as messages say it: an address, or a word for what has none.
#pragma once

#include <string>

#include <cordage/endpoint.hpp>

namespace cordage::detail {

struct destination {
  endpoint address{};          // 0.0.0.0:0: none
  const char* word = nullptr;  // static
};

// Empty where there is nothing to say.
inline std::string to_string(const destination& d) {
  if (d.word != nullptr) return d.word;
  return d.address == endpoint() ? std::string() : to_string(d.address);
}

}  // namespace cordage::detail
