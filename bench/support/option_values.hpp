// Values of options on the command line.
#pragma once

#include <charconv>
#include <cstring>
#include <stdexcept>
#include <string>
#include <system_error>

namespace bench {

// Says what is wrong with a command line.
struct bad_usage : std::runtime_error {
  using std::runtime_error::runtime_error;
};

template <class Number>
Number number_between(const char* text, Number least, Number most) {
  Number value{};
  const char* end = text + std::strlen(text);
  const auto [stopped_at, error] = std::from_chars(text, end, value);
  if (error != std::errc() || stopped_at != end || value < least || value > most)
    throw bad_usage(std::string(text) + " is not a number between " + std::to_string(least) + " and " +
                    std::to_string(most));
  return value;
}

}  // namespace bench
