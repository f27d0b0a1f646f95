// Dumps of a runtime in which everything waits, and what stands in them.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/cordage.hpp>

namespace support {

// A few lines that stand in the text in this order and next to each other, whatever their indentation and numbers are.
inline testing::AssertionResult has_lines(const std::string& text, const std::vector<std::string>& lines) {
  std::string bare;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    std::size_t begin = text.find_first_not_of(" 0123456789", at);
    bare += text.substr(begin, end - begin) + '\n';
    at = end + 1;
  }
  std::string together = "\n";
  for (const std::string& line : lines) together += line + '\n';
  if (("\n" + bare).find(together) != std::string::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "no" << together << "in\n" << text;
}

// Runs what is to be seen, and gives a dump of it that is made when everything waits.
template <class... Strands>
std::string seen_in(cordage::runtime& rt, cordage::dump_format format, Strands... begin) {
  std::string seen;
  auto look = [&]() -> cordage::task<> {
    std::vector<std::function<void()>> starts{begin...};
    for (auto& each : starts) each();
    co_await cordage::sleep_for(std::chrono::milliseconds(1));
    seen = cordage::dump(format);
    rt.request_stop();
  };
  try {
    rt.run(look());
  } catch (const cordage::stopped_error&) {
  }
  return seen;
}
template <class... Strands>
std::string seen_of(cordage::dump_format format, Strands... begin) {
  cordage::runtime rt;
  return seen_in(rt, format, begin...);
}
template <class... Strands>
std::string seen_of(Strands... begin) {
  return seen_of(cordage::dump_format::text, begin...);
}

}  // namespace support
