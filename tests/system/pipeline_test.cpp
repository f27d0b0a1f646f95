// examples/pipeline: the order of what comes out, what is malformed, and ends of every kind on both sides.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <future>
#include <ostream>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/base/config.hpp>

#include "child_process.hpp"
#include "guarded_io.hpp"
#include "process_facts.hpp"
#include "slowly.hpp"
#include "wrong_command_line.hpp"

namespace {

using namespace support;

const std::string pipeline_path = CORDAGE_EXAMPLES_DIR "/pipeline";

constexpr int many_lines = support::slowly ? 100'000 : 1'000'000;

std::vector<std::string> command(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), pipeline_path);
  return arguments;
}

// Feeds from another thread, so that input and output may be larger than what a pipe holds.
ending run(const std::string& input, const std::vector<std::string>& arguments = {}) {
  child_process program(command(arguments), {.feeds_input = true});
  auto fed = std::async(std::launch::async, [&] {
    write_all(program.input(), input);
    program.close_input();
  });
  const std::string output = read_until_end(program.output());
  fed.get();
  ending end = program.wait();
  end.output = output;
  return end;
}

void expect_results(const ending& end, const std::string& output) {
  EXPECT_EQ(end.exit_code, 0) << end;
  EXPECT_EQ(end.output, output);
  EXPECT_EQ(end.errors, "");
}

// NAME,0,1,2,… and what is to come out of it.
struct long_line {
  explicit long_line(const std::string& name, std::int64_t count) {
    std::ostringstream all;
    all << name;
    for (std::int64_t i = 0; i < count; ++i) all << ',' << i;
    text = all.str() + '\n';
    result = name + ',' + std::to_string(count) + ',' + std::to_string(count * (count - 1) / 2) + ",0," +
             std::to_string(count - 1) + '\n';
  }
  std::string text;
  std::string result;
};

struct series_of_lines {
  explicit series_of_lines(int count) {
    for (int i = 0; i < count; ++i) {
      const std::string number = std::to_string(i);
      text += "s" + number + ",-1," + number + "\n";
      result += "s" + number + ",2," + std::to_string(i - 1) + ",-1," + number + "\n";
    }
  }
  std::string text;
  std::string result;
};

std::string read_exactly(int fd, std::size_t count) {
  std::string got(count, '\0');
  for (std::size_t have = 0; have < count;) {
    const std::size_t more = read_some(fd, std::span(got).subspan(have));
    if (more == 0) throw std::runtime_error("the end came after " + std::to_string(have) + " bytes");
    have += more;
  }
  return got;
}

TEST(pipeline, makes_of_each_series_its_count_sum_least_and_greatest) {
  expect_results(run("one,1\ntwo,-5,3\nthree,7,7,7\n"), "one,1,1,1,1\ntwo,2,-2,-5,3\nthree,3,21,7,7\n");
}

TEST(pipeline, of_an_empty_input_makes_nothing) { expect_results(run(""), ""); }

TEST(pipeline, takes_a_last_line_without_its_end) { expect_results(run("a,1\nb,2"), "a,1,1,1,1\nb,1,2,2,2\n"); }

TEST(pipeline, takes_lines_that_end_as_on_other_systems) { expect_results(run("a,1\r\nb,2\r\n"), "a,1,1,1,1\nb,1,2,2,2\n"); }

TEST(pipeline, takes_numbers_up_to_the_ends_of_their_range) {
  expect_results(run("a,9223372036854775807,-9223372036854775808\n"), "a,2,-1,-9223372036854775808,9223372036854775807\n");
}

TEST(pipeline, reads_a_file) {
  const auto file = std::filesystem::temp_directory_path() / ("pipeline_test." + std::to_string(::getpid()));
  std::ofstream(file) << "a,1\nb,2\n";
  const ending end = child_process(command({file.string()})).wait();
  std::filesystem::remove(file);
  expect_results(end, "a,1,1,1,1\nb,1,2,2,2\n");
}

TEST(pipeline, reads_standard_input_by_its_sign_too) { expect_results(run("a,1\n", {"-"}), "a,1,1,1,1\n"); }

// A long line is parsed in many turns, in which the others are done with.
TEST(pipeline, keeps_the_order_where_short_lines_overtake_long_ones) {
  const long_line first("first", 100'000), second("second", 50'000);
  const series_of_lines others(200);
  for (const char* workers : {"1", "2", "7", "500"}) {
    expect_results(run(first.text + others.text + second.text + others.text, {"--workers", workers}),
                   first.result + others.result + second.result + others.result);
  }
}

TEST(pipeline, names_malformed_lines_and_goes_on) {
  const ending end = run("a,1\nno numbers\n\n,5\nb,x\nc,1,2x\nd,1,\ne,1,,2\nf,9223372036854775808\n"
                         "g,9223372036854775807,1\nh, 1\nz,26");
  EXPECT_EQ(end.exit_code, 1) << end;
  EXPECT_EQ(end.output, "a,1,1,1,1\nz,1,26,26,26\n");
  EXPECT_EQ(end.errors,
            "pipeline: line 2: number 1 is missing\n"
            "pipeline: line 3: it has no name\n"
            "pipeline: line 4: it has no name\n"
            "pipeline: line 5: number 1 is no whole number\n"
            "pipeline: line 6: number 2 is no whole number\n"
            "pipeline: line 7: number 2 is missing\n"
            "pipeline: line 8: number 2 is no whole number\n"
            "pipeline: line 9: number 1 does not fit into 64 bits\n"
            "pipeline: line 10: number 2 makes the sum too large\n"
            "pipeline: line 11: number 1 is no whole number\n");
}

TEST(pipeline, survives_garbage) {
  const ending end = run(std::string("\0\xff\xfe,\0\n\x1b[2J,1\n\n", 14) + "a,1\n");
  EXPECT_EQ(end.exit_code, 1) << end;
  EXPECT_TRUE(end.output.ends_with("\na,1,1,1,1\n")) << end;
}

// Both are in one line of input each; the limit is 1048576 bytes.
TEST(pipeline, takes_lines_of_a_mebibyte_and_names_those_that_are_longer) {
  const std::string longest = std::string((1 << 20) - 2, 'x') + ",1";
  const ending end = run(longest + "\ny" + longest + "\na,1\n");
  EXPECT_EQ(end.exit_code, 1) << end.errors;
  EXPECT_EQ(end.output.size(), longest.size() + 6 + 1 + 10);
  EXPECT_TRUE(end.output == longest + ",1,1,1\na,1,1,1,1\n");
  EXPECT_EQ(end.errors, "pipeline: line 2: longer than 1048576 bytes\n");
}

TEST(pipeline, needs_no_memory_for_a_line_that_does_not_end) {
  child_process program(command({}), {.feeds_input = true});
  const std::string piece(1 << 20, 'x');
  for (int i = 0; i < 64; ++i) write_all(program.input(), piece);
  write_all(program.input(), "\na,1\n");
  EXPECT_EQ(read_exactly(program.output(), 10), "a,1,1,1,1\n");
  if (!support::slowly) {
    EXPECT_LE(most_memory_of(program.pid()), 16U << 20);
  }
  program.close_input();
  const ending end = program.wait();
  EXPECT_EQ(end.errors, "pipeline: line 1: longer than 1048576 bytes\n");
  EXPECT_EQ(end.exit_code, 1);
}

TEST(pipeline, passes_a_million_lines_on_in_order) {
  const series_of_lines lines(many_lines);
  const ending end = run(lines.text, {"--workers", "16"});
  EXPECT_EQ(end.exit_code, 0) << end.errors;
  EXPECT_EQ(end.output.size(), lines.result.size());
  EXPECT_TRUE(end.output == lines.result);
}

TEST(pipeline, names_each_of_many_malformed_lines) {
  std::string input, errors;
  for (int i = 1; i <= 20'000; ++i) {
    input += "?\n";
    errors += "pipeline: line " + std::to_string(i) + ": number 1 is missing\n";
  }
  const ending end = run(input);
  EXPECT_EQ(end.exit_code, 1);
  EXPECT_TRUE(end.errors == errors);
}

// What comes out of a line is longer than the line: so what was taken and has not come out is no more than what all buffers
// between the two ends hold, the system's included.
TEST(pipeline, takes_no_more_than_it_can_hand_on) {
  constexpr std::size_t piece = 4096, most_under_way = 1 << 20;
  const series_of_lines lines(many_lines);
  child_process program(command({}), {.feeds_input = true});
  std::atomic<std::size_t> taken = 0;
  auto fed = std::async(std::launch::async, [&] {
    for (std::size_t at = 0; at < lines.text.size(); at += piece) {
      write_all(program.input(), std::string_view(lines.text).substr(at, piece));
      taken = at;
    }
  });
  for (std::size_t at = 0; at < lines.result.size(); at += piece) {
    const std::size_t count = std::min(piece, lines.result.size() - at);
    ASSERT_TRUE(read_exactly(program.output(), count) == lines.result.substr(at, count));
    ASSERT_LE(taken, at + most_under_way);
  }
  fed.get();
  program.close_input();
  expect_results(program.wait(), "");
}

TEST(pipeline, answers_each_line_while_its_input_is_open) {
  child_process program(command({}), {.feeds_input = true});
  for (int i = 0; i < 10; ++i) {
    write_all(program.input(), "a,1\n");
    EXPECT_EQ(read_exactly(program.output(), 10), "a,1,1,1,1\n");
  }
  program.close_input();
  expect_results(program.wait(), "");
}

// `head` takes one line and goes; `yes` never ends, so the second one is bound to fail.
TEST(pipeline, says_when_nobody_reads_its_output_any_more) {
  const std::string script = "yes a,1 | { " + pipeline_path + "; echo status $? >&2; } | head -n 1";
  const ending end = child_process({"sh", "-c", script}).wait();
  EXPECT_EQ(end.output, "a,1,1,1,1\n");
  EXPECT_EQ(end.errors, "pipeline: cannot write: Broken pipe\nstatus 1\n");
}

TEST(pipeline, ends_when_it_cannot_write_though_its_input_is_open_and_silent) {
  child_process program({"sh", "-c", "exec " + pipeline_path + " >/dev/full"}, {.feeds_input = true});
  write_all(program.input(), "a,1\n");
  const ending end = program.wait();
  EXPECT_EQ(end.exit_code, 1) << end;
  EXPECT_EQ(end.errors, "pipeline: cannot write: No space left on device\n");
}

TEST(pipeline, says_when_it_cannot_read) {
  const ending end = child_process(command({"/"})).wait();
  EXPECT_EQ(end.exit_code, 1) << end;
  EXPECT_EQ(end.errors, "pipeline: cannot read /: Is a directory\n");
}

TEST(pipeline, says_which_file_does_not_exist) {
  const ending end = child_process(command({"/nowhere/at/all"})).wait();
  EXPECT_EQ(end.exit_code, 1) << end;
  EXPECT_EQ(end.errors, "pipeline: cannot open /nowhere/at/all: No such file or directory\n");
}

class pipeline_with_a_wrong_command_line : public testing::TestWithParam<wrong_command_line> {};

TEST_P(pipeline_with_a_wrong_command_line, says_what_is_wrong_and_how_it_is_used) {
  expect_refusal(pipeline_path, GetParam());
}

INSTANTIATE_TEST_SUITE_P(
    each, pipeline_with_a_wrong_command_line,
    testing::Values(
        wrong_command_line{"no_workers", {"--workers", "0"}, "--workers takes a number from 1 to 10000, not \"0\""},
        wrong_command_line{"too_many_workers",
                           {"--workers", "10001"},
                           "--workers takes a number from 1 to 10000, not \"10001\""},
        wrong_command_line{"workers_that_are_no_number",
                           {"--workers", "4x"},
                           "--workers takes a number from 1 to 10000, not \"4x\""},
        wrong_command_line{"workers_without_a_number", {"--workers"}, "--workers requires a value"},
        wrong_command_line{"an_unknown_option", {"--colour"}, "there is no option \"--colour\""},
        wrong_command_line{"two_files", {"a", "b"}, "one FILE at most, and \"b\" is a second one"}),
    name_of_command_line);

TEST(pipeline, says_how_it_is_used_when_asked) {
  const ending end = child_process(command({"--help"})).wait();
  EXPECT_EQ(end.exit_code, 0) << end;
  EXPECT_TRUE(end.output.starts_with("usage: pipeline ")) << end;
  EXPECT_EQ(end.errors, "");
}

}  // namespace
