// examples/promise_loop: one result, whoever keeps the promises and whatever asks for them.
#include <algorithm>
#include <ostream>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "child_process.hpp"

namespace {

using namespace support;
using words = std::vector<std::string>;

const std::string promise_loop_path = std::string(CORDAGE_EXAMPLES_DIR) + "/promise_loop";

words operator+(words a, const words& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

ending run(const words& arguments) { return child_process(words{promise_loop_path} + arguments).wait(); }

words sorted_lines(const std::string& text) {
  words lines;
  std::istringstream all(text);
  for (std::string line; std::getline(all, line);) lines.push_back(line);
  std::ranges::sort(lines);
  return lines;
}

struct way {
  std::string name;
  std::string by;
  words arguments;
};
std::ostream& operator<<(std::ostream& out, const way& each) { return out << each.name; }

class promise_loop : public testing::TestWithParam<way> {
 protected:
  static ending run(const words& arguments) { return ::run(GetParam().arguments + arguments); }
  static void expect_value(const words& arguments, const std::string& line) {
    const ending end = run(arguments);
    EXPECT_EQ(end.output, GetParam().by + ": " + line + '\n') << end;
    EXPECT_EQ(end.errors, "");
    EXPECT_EQ(end.exit_code, 0) << end;
  }
  static void expect_failure(const words& arguments, const std::string& line) {
    const ending end = run(arguments);
    EXPECT_EQ(end.errors, GetParam().by + ": " + line + '\n') << end;
    EXPECT_EQ(end.output, "");
    EXPECT_EQ(end.exit_code, 1) << end;
  }
};

INSTANTIATE_TEST_SUITE_P(each, promise_loop,
                         testing::Values(way{"hand", "hand", {"--by", "hand"}},
                                         way{"loop_and_fibers", "loop", {"--by", "loop"}},
                                         way{"loop_and_tasks", "loop", {"--by", "loop", "--style", "task"}},
                                         way{"thread_and_fibers", "thread", {"--by", "thread", "--style", "fiber"}},
                                         way{"thread_and_tasks", "thread", {"--by=thread", "--style=task"}}),
                         [](const auto& each) { return each.param.name; });

TEST_P(promise_loop, looks_up_what_is_deep_in_an_expression) {
  expect_value({"(a + b) * 2", "a=3", "b=4"}, "(a + b) * 2 = 14");
  expect_value({"((((long_name_2))))", "long_name_2=0.5"}, "((((long_name_2)))) = 0.5");
}

TEST_P(promise_loop, computes_as_one_is_used_to) {
  expect_value({"1 - 2 - 3 * 4 / 8"}, "1 - 2 - 3 * 4 / 8 = -2.5");
  expect_value({"2*-(1+--1)"}, "2*-(1+--1) = -4");
  expect_value({"--", "-a", "a=-7"}, "-a = 7");
}

TEST_P(promise_loop, asks_for_a_name_as_often_as_it_stands_there) {
  std::string sum = "a";
  for (int i = 1; i < 1000; ++i) sum += "+a";
  expect_value({sum, "a=2"}, sum + " = 2000");
}

TEST_P(promise_loop, evaluates_many_expressions_at_the_same_time) {
  words expressions, values;
  for (int i = 0; i < 50; ++i) {
    expressions.push_back("(a + " + std::to_string(i) + ") * b");
    values.push_back(GetParam().by + ": " + expressions.back() + " = " + std::to_string(2 * (1 + i)));
  }
  std::ranges::sort(values);
  const ending end = run(words{"b=2@1ms", "a=1@2ms"} + expressions);
  EXPECT_EQ(sorted_lines(end.output), values) << end;
}

TEST_P(promise_loop, an_unknown_name_comes_up_the_stack_as_an_exception) {
  expect_failure({"2 * (a + c)", "a=3"}, "2 * (a + c): there is no variable \"c\": give it as c=VALUE");
}

TEST_P(promise_loop, a_promise_that_is_dropped_is_told_of) {
  expect_failure({"--drop", "b", "a * b", "a=3", "b=4"},
                 "a * b: the value of \"b\": broken promise: whoever should have completed this wait dropped it");
}

TEST_P(promise_loop, what_fails_leaves_the_others_alone) {
  const ending end = run({"a", "no", "1 / (a - 1)", "a + 1", "a=1@1ms"});
  const std::string by = GetParam().by + ": ";
  EXPECT_EQ(sorted_lines(end.output), (words{by + "a + 1 = 2", by + "a = 1"})) << end;
  EXPECT_EQ(sorted_lines(end.errors),
            (words{by + "1 / (a - 1): division by zero", by + "no: there is no variable \"no\": give it as no=VALUE"}))
      << end;
  EXPECT_EQ(end.exit_code, 1);
}

TEST_P(promise_loop, a_value_that_is_no_number_is_named) {
  expect_failure({"a", "a=three"}, "a: the value of \"a\" is \"three\", which is no number");
  expect_failure({"a", "a="}, "a: the value of \"a\" is \"\", which is no number");
  expect_failure({"a", "a=3 "}, "a: the value of \"a\" is \"3 \", which is no number");
}

TEST_P(promise_loop, says_where_an_expression_is_malformed) {
  expect_failure({"(1 + 2"}, "(1 + 2: at column 7: expected ), got the end");
  expect_failure({"1 + "}, "1 + : at column 5: expected a number, a name or (, got the end");
  expect_failure({""}, ": at column 1: expected a number, a name or (, got the end");
  expect_failure({"1 2"}, "1 2: at column 3: expected an operator or the end, got \"2\"");
  expect_failure({"a)", "a=1"}, "a): at column 2: expected an operator or the end, got \")\"");
  expect_failure({"2 * * 3"}, "2 * * 3: at column 5: expected a number, a name or (, got \"*\"");
  expect_failure({"."}, ".: at column 1: expected a number of a usual size, got \".\"");
  expect_failure({"1e999"}, "1e999: at column 1: expected a number of a usual size, got \"1\"");
}

TEST_P(promise_loop, goes_a_hundred_levels_deep_and_refuses_more) {
  const auto nested = [](std::size_t levels) { return std::string(levels, '(') + "a" + std::string(levels, ')'); };
  expect_value({nested(100), "a=5"}, nested(100) + " = 5");
  expect_failure({nested(101), "a=5"}, nested(101) + ": at column 101: expected at most 100 levels of ( and -, got \"(\"");
  const std::string negative = "1" + std::string(200, '-');
  expect_failure({negative}, negative + ": at column 103: expected at most 100 levels of ( and -, got \"-\"");
}

TEST(promise_loop_all, gives_the_same_three_times) {
  EXPECT_EQ(run({"(a + b) * 2", "a=3", "b=4"}).output,
            "hand: (a + b) * 2 = 14\nloop: (a + b) * 2 = 14\nthread: (a + b) * 2 = 14\n");
}

TEST(promise_loop_by_hand, fulfils_in_the_order_in_which_the_values_become_due) {
  const ending end = run({"--by", "hand", "late", "a + b + b", "early", "late=1@30ms", "early=2@1ms", "a=3@9ms", "b=4@10ms"});
  EXPECT_EQ(end.output, "hand: early = 2\nhand: a + b + b = 11\nhand: late = 1\n") << end;
}

TEST(promise_loop_help, is_the_usage_on_standard_output) {
  const ending end = run({"--help"});
  EXPECT_EQ(end.exit_code, 0) << end;
  EXPECT_TRUE(end.output.starts_with("usage: promise_loop ")) << end;
}

TEST(promise_loop_command_line, that_is_wrong_is_refused_with_the_reason_and_the_usage) {
  const auto expect_refusal = [](const words& arguments, const std::string& reason) {
    const ending end = run(arguments);
    EXPECT_EQ(end.exit_code, 2) << end;
    EXPECT_EQ(end.output, "");
    EXPECT_TRUE(end.errors.starts_with("promise_loop: " + reason + "\nusage: promise_loop ")) << end;
  };
  expect_refusal({}, "give it an expression, as \"(a + b) * 2\" a=3 b=4");
  expect_refusal({"a=3"}, "give it an expression, as \"(a + b) * 2\" a=3 b=4");
  expect_refusal({"a", "a=3", "a=4"}, "\"a\" is given twice");
  expect_refusal({"a", "a=3@soon"}, "what follows @ takes a time from 1ms to 1000000m, as 500ms, 30s or 2m, not \"a=3@soon\"");
  expect_refusal({"a", "a=3@"}, "what follows @ takes a time from 1ms to 1000000m, as 500ms, 30s or 2m, not \"a=3@\"");
  expect_refusal({"--by", "magic", "a"}, "--by is hand, loop or thread, not \"magic\"");
  expect_refusal({"--style", "thread", "a"}, "--style is task or fiber, not \"thread\"");
  expect_refusal({"--by", "hand", "--style", "task", "1"}, "--style is for --by loop and --by thread");
  expect_refusal({"--drop"}, "--drop requires a value");
}

}  // namespace
