// examples/stdin_loop: fed through a pipe, from a file and at a terminal.
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "child_process.hpp"
#include "guarded_io.hpp"
#include "owned_fd.hpp"
#include "wrong_command_line.hpp"

namespace {

using namespace support;

const std::string stdin_loop_path = CORDAGE_EXAMPLES_DIR "/stdin_loop";

// What comes from a descriptor, up to and with the first `text`.
std::string read_until(int fd, std::string& pending, std::string_view text) {
  std::array<char, 4096> buffer;
  std::size_t at = 0;
  while ((at = pending.find(text)) == pending.npos) {
    const std::size_t n = read_some(fd, buffer);
    if (n == 0) throw std::runtime_error("the end came before \"" + std::string(text) + "\", after: " + pending);
    pending.append(buffer.data(), n);
  }
  const std::string before = pending.substr(0, at + text.size());
  pending.erase(0, at + text.size());
  return before;
}

class stdin_loop : public testing::TestWithParam<const char*> {
 protected:
  void type(std::string_view text) { write_all(program_.input(), text); }
  std::string hear_until(std::string_view text) { return read_until(program_.output(), heard_, text); }
  // What was told to stop ends some turns later.
  void list_until(std::string_view beginning) {
    for (std::string head; head != beginning;) {
      type("list\n");
      hear_until("cordage: ");
      head = "cordage: " + hear_until(" strands");
    }
  }
  // All that is said from now on, when it has ended.
  std::string end() {
    program_.close_input();
    const std::string rest = read_until_end(program_.output());
    const ending how = program_.wait();
    EXPECT_EQ(how.exit_code, 0) << how;
    EXPECT_EQ(how.errors, "");
    return heard_ + rest;
  }

  child_process program_{{stdin_loop_path, "--style", GetParam()}, {.feeds_input = true}};
  std::string heard_;
};

TEST_P(stdin_loop, goes_on_with_what_was_started_while_it_awaits_the_next_line) {
  type("every 1ms tick\n");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(hear_until("\n"), "tick\n");
  type("after 1ms hello world\n");
  hear_until("hello world\n");
  hear_until("tick\n");
}

TEST_P(stdin_loop, lists_what_runs_and_what_it_waits_for) {
  type("every 1000s tick\nafter 1000s hello\nlist\n");
  const std::string kind = GetParam();
  EXPECT_NE(hear_until("\"1: every 1000s tick\" waits for sleep").find("cordage: 4 strands"), std::string::npos);
  hear_until(kind + " \"2: after 1000s hello\" waits for sleep");
  type("quit\n");
  end();
}

TEST_P(stdin_loop, stops_what_it_is_told_to_and_nothing_else) {
  type("every 1ms tick\nafter 1000s hello\n");
  hear_until("tick\n");
  type("stop 1\n");
  list_until("cordage: 3 strands");
  EXPECT_EQ(hear_until("waits for sleep").find("every"), std::string::npos);
  type("stop 1\n");
  hear_until("stop takes the number of what still runs, see list; not \"1\"\n");
  type("stop 2\n");
  list_until("cordage: 2 strands");
  EXPECT_EQ(end().find("hello"), std::string::npos);
}

TEST_P(stdin_loop, waits_at_the_end_of_its_input_for_what_ends_by_itself) {
  type("every 1ms tick\nafter 30ms last");  // the last line without its end
  const std::string all = end();
  EXPECT_TRUE(all.ends_with("last\n")) << all;
}

TEST_P(stdin_loop, quits_at_once_whatever_runs) {
  type("every 1ms tick\nafter 1000s never\nquit\nafter 1ms neither\n");
  const std::string all = end();
  EXPECT_EQ(all.find("never"), std::string::npos);
  EXPECT_EQ(all.find("neither"), std::string::npos);
}

TEST_P(stdin_loop, runs_ten_thousand_at_a_time) {
  std::string commands;
  for (int i = 0; i < 10'000; ++i) commands += "after 20ms x\n";
  type(commands);
  const std::string all = end();
  EXPECT_EQ(std::ranges::count(all, 'x'), 10'000);
}

INSTANTIATE_TEST_SUITE_P(styles, stdin_loop, testing::Values("task", "fiber"), [](const auto& which) { return which.param; });

std::string output_of(const std::string& shell_command) {
  child_process shell({"sh", "-c", shell_command});
  const std::string output = read_until_end(shell.output());
  const ending how = shell.wait();
  EXPECT_EQ(how.exit_code, 0) << how;
  return output;
}

TEST(stdin_loop_input, may_be_a_regular_file) {
  const auto file = std::filesystem::temp_directory_path() / ("stdin_loop_test." + std::to_string(::getpid()));
  std::ofstream(file) << "after 500ms from a file\nafter 1ms first\n";
  EXPECT_EQ(output_of(stdin_loop_path + " < " + file.string()), "first\nfrom a file\n");
  std::filesystem::remove(file);
}

TEST(stdin_loop_input, may_be_empty) { EXPECT_EQ(output_of(stdin_loop_path + " < /dev/null"), ""); }

TEST(stdin_loop_input, that_cannot_be_read_is_told) {
  for (const auto& [from, why] : {std::pair{"< /", "stdin_loop: reading standard input: Is a directory\n"},
                                  std::pair{"<&-", "stdin_loop: cordage: standard input: Bad file descriptor\n"}}) {
    child_process shell({"sh", "-c", stdin_loop_path + ' ' + from});
    const ending how = shell.wait();
    EXPECT_EQ(how.exit_code, 1);
    EXPECT_EQ(how.errors, why);
  }
}

TEST(stdin_loop_output, that_cannot_be_written_is_told) {
  child_process shell({"sh", "-c", "echo help | " + stdin_loop_path + " > /dev/full"});
  const ending how = shell.wait();
  EXPECT_EQ(how.exit_code, 1);
  EXPECT_EQ(how.errors, "stdin_loop: cannot write all of the output\n");
}

TEST(stdin_loop_input, that_makes_no_sense_is_answered_and_changes_nothing) {
  const std::string commands = "frob\\n\\n   \\nafter\\nafter soon x\\nafter 1ms\\nafter 99999999999999999999s x\\nafter -1s x\\nstop\\nstop x\\nstop 99999999999999999999\\n";
  const std::string takes = "after takes a time (500ms, 30s or 2m) and a text, as in: after 500ms hello\n";
  const auto no_number = [](const std::string& what) { return "stop takes the number of what still runs, see list; not \"" + what + "\"\n"; };
  EXPECT_EQ(output_of("printf '" + commands + "after 1ms still here' | " + stdin_loop_path),
            "there is no command \"frob\"; type help for those that there are\n" + takes + takes + takes + takes + takes +
                no_number("") + no_number("x") + no_number("99999999999999999999") + "still here\n");
}

TEST(stdin_loop_input, may_have_lines_of_any_length_and_any_bytes) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  std::string garbage(1'000'000, '\0');
  std::ranges::generate(garbage, [&] { return static_cast<char>(random()); });
  child_process program({stdin_loop_path}, {.feeds_input = true});
  write_all(program.input(), std::string(1'000'000, 'x') + "\nafter 1ms between\n");
  std::string heard;
  EXPECT_EQ(read_until(program.output(), heard, "\n"), "a line has at most 1000 bytes\n");
  EXPECT_EQ(read_until(program.output(), heard, "\n"), "between\n");
  child_process reads({"sh", "-c", stdin_loop_path + " > /dev/null"}, {.feeds_input = true});
  write_all(reads.input(), garbage + "\nafter 1ms x\n");
  reads.close_input();
  EXPECT_EQ(reads.wait().exit_code, 0);
}

TEST(stdin_loop_command_line, is_refused_where_it_is_wrong) {
  expect_refusal(stdin_loop_path, {"--style", "thread"}, "--style is task or fiber, not \"thread\"\n");
}

// What somebody at a terminal sees.
class at_a_terminal : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(keyboard_);
    ASSERT_EQ(::grantpt(keyboard_.get()), 0);
    ASSERT_EQ(::unlockpt(keyboard_.get()), 0);
    terminal_ = ::ptsname(keyboard_.get());
    // As long as the test has it open, it is not hung up.
    held_ = owned_fd(::open(terminal_.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC));
    ASSERT_TRUE(held_);
  }
  std::string command() const { return "exec " + stdin_loop_path + " < " + terminal_ + " > " + terminal_; }
  void type(std::string_view text) { write_all(keyboard_.get(), text); }
  void see(std::string_view text) { seen_ += read_until(keyboard_.get(), pending_, text); }

  owned_fd keyboard_{::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK)};
  owned_fd held_;
  std::string terminal_;
  std::string pending_;
  std::string seen_;
};

TEST_F(at_a_terminal, the_prompt_stays_while_strands_speak) {
  child_process program({"sh", "-c", command()});
  see("> ");
  type("every 1ms tick\nafter 1ms hello\n");  // two lines at once
  see("hello\r\n\r\x1b[K> ");
  see("\r\x1b[Ktick\r\n\r\x1b[K> ");
  type("stop 1\n");
  type("\x04");  // Ctrl-D
  EXPECT_EQ(program.wait().exit_code, 0);
}

TEST_F(at_a_terminal, its_flags_are_as_they_were_while_it_runs_and_afterwards) {
  const int before = ::fcntl(held_.get(), F_GETFL);
  child_process program({"sh", "-c", command()});
  see("> ");
  type("after 1ms hello\n");
  see("hello");
  EXPECT_EQ(::fcntl(held_.get(), F_GETFL), before);
  type("quit\n");
  EXPECT_EQ(program.wait().exit_code, 0);
}

TEST_F(at_a_terminal, a_hang_up_is_the_end) {
  child_process program({"sh", "-c", command()});
  see("> ");
  type("every 1ms tick\n");
  see("tick");
  held_.close();
  keyboard_.close();
  const ending how = program.wait();
  EXPECT_TRUE(how.exit_code >= 0) << how;
}

}  // namespace
