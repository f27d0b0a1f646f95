// tools/gdb/cordage.py in a real gdb: what is suspended in the program of subject.cpp, live and in a core file. And what lldb
// sees without help.
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "child_process.hpp"

namespace {

namespace fs = std::filesystem;
using strings = std::vector<std::string>;

// Stops the program where everything is suspended and gives what gdb says to the commands. Its complaints stand first (a
// program that a cache of compilers built elsewhere has sources that gdb does not find), so that a list ends the text.
std::string told_by_gdb(const strings& commands, const strings& program = {CORDAGE_DEBUGGER_SUBJECT}) {
  strings arguments{"gdb", "-nx", "-batch", "-ex", "set width 0", "-ex", "source " CORDAGE_GDB_SCRIPT};
  if (program.size() == 1) {
    for (const char* each : {"break everything_is_suspended", "run"}) arguments.insert(arguments.end(), {"-ex", each});
  }
  for (const std::string& each : commands) arguments.insert(arguments.end(), {"-ex", each});
  arguments.insert(arguments.end(), program.begin(), program.end());
  support::child_process gdb(arguments);
  const support::ending end = gdb.wait();
  EXPECT_EQ(end.signal, 0) << end.errors;
  return end.errors + end.output;
}

// The number that `cordage strands` shows for it.
std::string number_of(const std::string& list, const std::string& kind_and_name) {
  std::istringstream lines(list);
  for (std::string line; std::getline(lines, line);) {
    if (line.find(kind_and_name) != std::string::npos) return std::to_string(std::stoi(line));
  }
  ADD_FAILURE() << "no " << kind_and_name << " in\n" << list;
  return "0";
}

const std::string& list() {
  static const std::string told = told_by_gdb({"cordage strands"});
  return told;
}

std::string backtrace_of(const std::string& kind_and_name) {
  return told_by_gdb({"cordage bt " + number_of(list(), kind_and_name)});
}

// The pieces stand in the text in this order.
testing::AssertionResult in_order(const std::string& text, const strings& pieces) {
  std::size_t at = 0;
  for (const std::string& piece : pieces) {
    at = text.find(piece, at);
    if (at == std::string::npos) return testing::AssertionFailure() << "no \"" << piece << "\" there in\n" << text;
    at += piece.size();
  }
  return testing::AssertionSuccess();
}

// A line of the list: kind, name, state, and where.
testing::AssertionResult listed(const std::string& kind, const std::string& name, const std::string& rest) {
  std::istringstream lines(list());
  for (std::string line; std::getline(lines, line);) {
    if (in_order(line, {"  " + kind + " ", " " + name + "  ", rest})) return testing::AssertionSuccess();
  }
  return testing::AssertionFailure() << "no " << kind << ' ' << name << ": " << rest << " in\n" << list();
}

TEST(debugger, lists_every_fiber_coroutine_and_task_with_its_name_and_state) {
  EXPECT_EQ(list().find("warning"), std::string::npos) << list();
  EXPECT_TRUE(listed("fiber", "deep", "waits for sleep"));
  EXPECT_TRUE(listed("fiber", "task in a fiber", "waits for a task"));
  EXPECT_TRUE(listed("fiber", "with coroutine", "waits for sleep"));
  EXPECT_TRUE(listed("fiber", "awaited", "waits for sleep"));
  EXPECT_TRUE(listed("fiber", "stops here", "running"));
  EXPECT_TRUE(listed("coroutine", "by hand", "suspended  in (anonymous namespace)::yields"));
  EXPECT_TRUE(listed("coroutine", "fresh", "not begun"));
  EXPECT_TRUE(listed("coroutine", "entered", "waits with fiber \"with coroutine\""));
  EXPECT_TRUE(listed("coroutine", "outer", "normal, has resumed coroutine \"runs\""));
  EXPECT_TRUE(listed("coroutine", "runs", "running"));
  EXPECT_TRUE(listed("task", "unnamed", "running or ready"));
  EXPECT_TRUE(listed("task", "chain", "waits for sleep  in (anonymous namespace)::outermost_task()"));
  EXPECT_TRUE(listed("task", "fiber in a task", "waits for sleep  in (anonymous namespace)::awaits_a_fiber()"));
  EXPECT_TRUE(listed("task", "scope", "waits for with_scope  in (anonymous namespace)::in_a_scope()"));
  EXPECT_TRUE(listed("task", "child", "waits for sleep  in (anonymous namespace)::outermost_task()"));
}

TEST(debugger, shows_the_frames_of_a_suspended_fiber) {
  EXPECT_TRUE(in_order(backtrace_of("fiber      deep"), {"fiber \"deep\": waits for sleep\n", "#0 ", "deep_in_a_fiber(depth=",
                                                         "subject.cpp:", "#1 ", "deep_in_a_fiber", "#3 ", "deep_in_a_fiber"}));
}

TEST(debugger, shows_the_frames_of_a_suspended_coroutine) {
  const std::string told = backtrace_of("coroutine  by hand");
  EXPECT_TRUE(in_order(told, {"coroutine \"by hand\": suspended\n", "#0 ", "yields(value=", "subject.cpp:"}));
  EXPECT_EQ(told.find("#1 "), std::string::npos) << told;
}

TEST(debugger, goes_from_a_coroutine_on_into_the_fiber_that_waits_in_it) {
  for (const char* each : {"fiber      with coroutine", "coroutine  entered"})
    EXPECT_TRUE(in_order(backtrace_of(each), {"#0 ", "deep_in_a_fiber", "waits_in_a_coroutine", "subject.cpp:"}));
}

TEST(debugger, shows_who_awaits_whom_in_a_task) {
  EXPECT_TRUE(in_order(backtrace_of("task       chain"), {"task \"chain\": waits for sleep\n", "#0 ", "innermost_task() at ",
                                                          "#1 ", "middle_task() at ", "#2 ", "outermost_task() at "}));
}

TEST(debugger, goes_from_tasks_to_fibers_and_back) {
  EXPECT_TRUE(in_order(backtrace_of("fiber      task in a fiber"), {"#0 ", "innermost_task()", "awaits_a_task"}));
  EXPECT_TRUE(in_order(backtrace_of("task       fiber in a task"),
                       {"#0 ", "deep_in_a_fiber", "#1 ", "deep_in_a_fiber", "awaits_a_fiber()"}));
}

TEST(debugger, goes_on_through_what_decides_about_a_stop) {
  EXPECT_TRUE(in_order(backtrace_of("task       shielded"), {"task \"shielded\": waits for sleep\n", "#0 ", "innermost_task() at ",
                                                             "#1 ", "awaits_a_task", "#2 ", "shields_a_fiber() at "}));
}

// Each says for which number it is.
TEST(debugger, lists_the_children_of_combinators) {
  const std::string parent = number_of(list(), "task       children  ");
  EXPECT_TRUE(listed("task", "children", "waits for with_timeout  in (anonymous namespace)::waits_for_children()"));
  const std::string inner = "waits for when_all  in (anonymous namespace)::waits_in_children()  for ";
  EXPECT_TRUE(listed("task", "unnamed", inner + parent));
  const std::string of_inner = "  for " + number_of(list(), inner);
  EXPECT_TRUE(listed("task", "unnamed", "waits for sleep  in (anonymous namespace)::outermost_task()" + of_inner));
  EXPECT_TRUE(listed("task", "unnamed", "waits for sleep  in (anonymous namespace)::middle_task()" + of_inner));
  EXPECT_TRUE(in_order(backtrace_of("middle_task()" + of_inner), {"#0 ", "innermost_task() at ", "#1 ", "middle_task() at "}));
  const std::string fiber = number_of(list(), "fiber      children of a fiber  ");
  EXPECT_TRUE(listed("task", "unnamed", "waits for sleep  in (anonymous namespace)::innermost_task()  for " + fiber));
}

TEST(debugger, shows_the_locals_of_a_selected_coroutine) {
  const std::string number = number_of(list(), "coroutine  by hand");
  EXPECT_TRUE(in_order(told_by_gdb({"cordage select " + number, "info locals", "cordage select", "bt 1"}),
                       {"yields", "to_be_seen = ", "everything_is_suspended"}));
}

TEST(debugger, walks_from_what_runs_through_its_resumers) {
  EXPECT_TRUE(in_order(told_by_gdb({"bt"}), {"everything_is_suspended", "resumes_another", "program()", "run_ready", "main ("}));
}

TEST(debugger, that_is_lldb_walks_so_too) {
#if !defined(__clang__)
  GTEST_SKIP() << "lldb 19 looks for all of a function where GCC has put its unlikely part, and ends there";
#endif
  const std::string lldb = CORDAGE_LLDB;
  if (lldb.empty()) GTEST_SKIP() << "there is no lldb here; tools/bootstrap.sh lldb installs it";
  support::child_process walks({lldb, "--no-lldbinit", "--batch", "-o", "breakpoint set --name everything_is_suspended", "-o", "run",
                                "-o", "thread backtrace", CORDAGE_DEBUGGER_SUBJECT});
  const std::string told = walks.wait().output;
  EXPECT_TRUE(in_order(told, {"everything_is_suspended", "cordage_stack_root", "resumes_another", "cordage_stack_root", "program()",
                              "cordage_stack_root", "run_ready", "main"}));
}

TEST(debugger, needs_no_more_debug_information_than_a_small_program_has) {
  EXPECT_TRUE(in_order(told_by_gdb({"cordage strands"}, {CORDAGE_SMALL_DEBUGGER_SUBJECT}),
                       {"coroutine  by hand", "waits for when_all", "task       unnamed", "waits for sleep", "sleeps()  for "}));
}

TEST(debugger, shows_what_is_suspended_where_the_program_has_stopped_in_an_inlined_function) {
  const strings commands{"tbreak stops_inlined", "continue", "cordage bt 1", "cordage select 1"};
  const std::string told = told_by_gdb(commands, {CORDAGE_SMALL_DEBUGGER_SUBJECT});
  EXPECT_TRUE(in_order(told, {"stops_inlined", "coroutine \"by hand\": suspended\n#0 ", "yields_by_hand() at ", "yields_by_hand ("}));
}

TEST(debugger, says_what_numbers_there_are) {
  EXPECT_TRUE(in_order(told_by_gdb({"cordage bt 99"}), {"give a number from 1 to 25"}));
  EXPECT_TRUE(in_order(told_by_gdb({"cordage bt x"}), {"give a number from 1 to 25"}));
}

TEST(debugger, says_that_it_lacks_debug_information) {
  const std::string stripped = fs::temp_directory_path() / ("cordage_stripped." + std::to_string(::getpid()));
  for (const auto& [what, says] : {std::pair{"--strip-debug", "no debug information about cordage::"},
                                   std::pair{"--strip-all", "or the program has no debug information"}}) {
    ASSERT_EQ(support::child_process({"objcopy", what, CORDAGE_DEBUGGER_SUBJECT, stripped}).wait().exit_code, 0);
    const strings anywhere{"gdb", "-nx", "-batch", "-ex", "source " CORDAGE_GDB_SCRIPT, "-ex", "cordage strands", stripped};
    support::child_process gdb(anywhere);
    const support::ending end = gdb.wait();
    EXPECT_TRUE(in_order(end.output + end.errors, {says}));
    fs::remove(stripped);
  }
}

// Guards by advice make gdb's own generate-core-file give up a mapping at its first guard; the kernel's are whole.
TEST(debugger, sees_the_same_in_a_core_file) {
  ::setenv("CORDAGE_STACK_GUARD", "mprotect", 1);
  const std::string core = fs::temp_directory_path() / ("cordage_core." + std::to_string(::getpid()));
  const strings commands{"cordage strands", "cordage bt " + number_of(list(), "fiber      deep"),
                         "cordage bt " + number_of(list(), "task       fiber in a task"),
                         "cordage bt " + number_of(list(), "coroutine  by hand")};
  strings with_core{"echo begin\\n"};
  with_core.insert(with_core.end(), commands.begin(), commands.end());
  with_core.insert(with_core.end(), {"echo end\\n", "generate-core-file " + core});
  const auto between = [](const std::string& text) {
    return text.substr(text.find("begin\n"), text.find("end\n") - text.find("begin\n"));
  };
  const std::string live = between(told_by_gdb(with_core));
  with_core.pop_back();
  const std::string dead = between(told_by_gdb(with_core, {CORDAGE_DEBUGGER_SUBJECT, core}));
  fs::remove(core);
  ::unsetenv("CORDAGE_STACK_GUARD");
  EXPECT_EQ(live, dead);
  EXPECT_TRUE(in_order(dead, {"coroutine  by hand", "fiber \"deep\"", "deep_in_a_fiber"}));
}

// A folder that is the current one while this lives, and empty at first.
struct scratch_folder {
  scratch_folder() {
    fs::create_directory(path);
    fs::current_path(path);
  }
  scratch_folder(const scratch_folder&) = delete;
  scratch_folder& operator=(const scratch_folder&) = delete;
  ~scratch_folder() {
    fs::current_path(before);
    fs::remove_all(path);
  }
  const fs::path before = fs::current_path();
  const fs::path path = fs::temp_directory_path() / ("cordage_core_of_kernel." + std::to_string(::getpid()));
};

TEST(debugger, sees_the_same_in_a_core_file_of_the_kernel) {
  std::string pattern;
  std::getline(std::ifstream("/proc/sys/kernel/core_pattern") >> std::ws, pattern);
  if (pattern.empty() || pattern.find_first_of("|/") != pattern.npos) GTEST_SKIP() << "core files go elsewhere: " << pattern;
  rlimit allowed{};
  ::getrlimit(RLIMIT_CORE, &allowed);
  if (allowed.rlim_max != RLIM_INFINITY) GTEST_SKIP() << "core files may not be as large as they like";
  const std::string live = list();
  const scratch_folder here;
  allowed.rlim_cur = RLIM_INFINITY;
  ::setrlimit(RLIMIT_CORE, &allowed);
  EXPECT_EQ(support::child_process({CORDAGE_DEBUGGER_SUBJECT, "abort"}).wait().signal, SIGABRT);
  ASSERT_FALSE(fs::is_empty(here.path)) << "no core file";
  const std::string core = fs::directory_iterator(here.path)->path();
  const std::string dead = told_by_gdb({"cordage strands", "cordage bt " + number_of(live, "fiber      deep")},
                                       {CORDAGE_DEBUGGER_SUBJECT, core});
  EXPECT_TRUE(in_order(dead, {live.substr(live.find("   1  ")), "fiber \"deep\"", "#0 ", "deep_in_a_fiber", "#3 ", "deep_in_a_fiber"}));
}

}  // namespace
