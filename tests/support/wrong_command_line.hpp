// A command line that a program of examples/ has to refuse: with exit status 2, the reason, and how it is used.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "child_process.hpp"

namespace support {

struct wrong_command_line {
  std::string name;  // of the test
  std::vector<std::string> arguments;
  std::string reason;
};

inline std::ostream& operator<<(std::ostream& out, const wrong_command_line& wrong) { return out << wrong.name; }
inline const auto name_of_command_line = [](const testing::TestParamInfo<wrong_command_line>& of) { return of.param.name; };

inline void expect_refusal(const std::string& program, const std::vector<std::string>& arguments, const std::string& reason) {
  std::vector<std::string> words{program};
  words.insert(words.end(), arguments.begin(), arguments.end());
  const std::string name = program.substr(program.rfind('/') + 1);
  const ending end = child_process(words).wait();
  EXPECT_EQ(end.exit_code, 2) << end;
  EXPECT_EQ(end.output, "");
  EXPECT_TRUE(end.errors.starts_with(name + ": " + reason)) << "no \"" << reason << "\" at the beginning of\n" << end.errors;
  EXPECT_NE(end.errors.find("\nusage: " + name + ' '), std::string::npos) << end.errors;
}

inline void expect_refusal(const std::string& program, const wrong_command_line& wrong) {
  expect_refusal(program, wrong.arguments, wrong.reason);
}

}  // namespace support
