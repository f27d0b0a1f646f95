// stdin_loop: an event loop that is fed by what a person types, or by a pipe or a file. `help` says what it can do.
//
// What was started goes on while the next line is awaited. The end of the input waits for what ends by itself and stops what
// would go on for ever; `quit` stops everything.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <cordage/cordage.hpp>

#include "support/command_line.hpp"

namespace {

using std::chrono::milliseconds;

constexpr std::size_t longest_line = 1000;

constexpr const char* usage =
    "usage: stdin_loop [--help] [--style task|fiber]\n"
    "  --style S  what `after` and `every` start: tasks or fibers (task)\n"
    "It reads commands from standard input; the command `help` lists them.\n";

constexpr std::string_view command_list =
    "after TIME TEXT   say TEXT once, as in: after 2s hello\n"
    "every TIME TEXT   say TEXT again and again, as in: every 500ms tick\n"
    "list              show what runs, and what it waits for\n"
    "stop NUMBER       stop what `after` or `every` has started\n"
    "quit              stop everything, and end";

bool somebody_types = ::isatty(STDIN_FILENO) == 1;

void prompt() {
  if (somebody_types) std::fputs("\r\x1b[K> ", stdout);
  std::fflush(stdout);
}

// The prompt gives way to the text, and comes back below it.
void say(std::string_view text) {
  std::printf("%s%.*s\n", somebody_types ? "\r\x1b[K" : "", static_cast<int>(text.size()), text.data());
  prompt();
}

// [tasks]
cordage::task<> after_task(milliseconds delay, std::string text) {
  co_await cordage::sleep_for(delay);
  say(text);
}

cordage::task<> every_task(milliseconds period, std::string text) {
  for (auto next = cordage::now() + period;; next += period) {
    co_await cordage::sleep_until(next);
    say(text);
  }
}
// [/tasks]

// [fibers]
void after_fiber(milliseconds delay, std::string text) {
  cordage::await(cordage::sleep_for(delay));
  say(text);
}

void every_fiber(milliseconds period, std::string text) {
  for (auto next = cordage::now() + period;; next += period) {
    cordage::await(cordage::sleep_until(next));
    say(text);
  }
}
// [/fibers]

std::string_view take_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(" \t"));
  line.remove_prefix(word.size());
  return word;
}

// The time that a line begins with; empty without one.
std::optional<milliseconds> take_time(std::string_view& line) try {
  return support::duration(take_word(line));
} catch (const support::usage_error&) {
  return std::nullopt;
}

class interpreter {
 public:
  interpreter(cordage::scope& in, support::style how) : jobs_(in), style_(how) {}

  // False: it was `quit`.
  bool obey(std::string_view line);
  void stop_what_never_ends();
  void stop_all();

 private:
  void start(std::string_view command, std::string_view line, std::string_view rest);
  void stop(std::string_view which);
  void forget_what_has_ended();

  struct job {
    cordage::join_handle<void> strand;
    bool ends;
  };

  cordage::scope& jobs_;
  const support::style style_;
  std::map<std::uint64_t, job> started_;
  std::uint64_t last_ = 0;
  std::size_t many_ = 64;  // when there are so many it is worth to look which have ended
};

bool interpreter::obey(std::string_view line) {
  std::string_view rest = line;
  const std::string_view command = take_word(rest);
  if (command == "quit") return false;
  if (command == "after" || command == "every") {
    start(command, line, rest);
  } else if (command == "stop") {
    stop(take_word(rest));
  } else if (command == "list") {
    forget_what_has_ended();
    std::string all = cordage::dump();
    all.pop_back();
    say(all);
  } else if (command == "help") {
    say(command_list);
  } else if (!command.empty()) {
    say("there is no command " + support::quoted(command) + "; type help for those that there are");
  }
  return true;
}

// [start]
void interpreter::start(std::string_view command, std::string_view line, std::string_view rest) {
  const auto time = take_time(rest);
  rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
  if (!time || rest.empty()) return say(std::string(command) + " takes a time (500ms, 30s or 2m) and a text, as in: " + std::string(command) + " 500ms hello");
  const std::string name = std::to_string(last_ + 1) + ": " + std::string(line);       // what `list` shows
  const bool ends = command == "after";
  const auto spawn = [&](auto strand) { return jobs_.spawn({.name = name}, strand, *time, std::string(rest)); };
  auto handle = style_ == support::style::task ? spawn(ends ? after_task : every_task) : spawn(ends ? after_fiber : every_fiber);
  started_.emplace(++last_, job{std::move(handle), ends});
  if (started_.size() >= many_) forget_what_has_ended();
}

void interpreter::stop(std::string_view which) {
  const auto [number, rest] = support::number_and_rest(which);
  forget_what_has_ended();
  const auto found = rest.empty() ? started_.find(static_cast<std::uint64_t>(number)) : started_.end();
  if (found == started_.end()) return say("stop takes the number of what still runs, see list; not " + support::quoted(which));
  found->second.strand.request_stop();
  started_.erase(found);
}
// [/start]

void interpreter::forget_what_has_ended() {
  std::erase_if(started_, [](const auto& each) { return each.second.strand.ready(); });
  many_ = std::max<std::size_t>(64, 2 * started_.size());
}

void interpreter::stop_what_never_ends() {
  for (auto& [number, each] : started_)
    if (!each.ends) each.strand.request_stop();
  if (!somebody_types) return;
  say("the end: nothing more is read, and what `after` has started is waited for; Ctrl-C ends that, too");
  somebody_types = false;
}

void interpreter::stop_all() {
  for (auto& [number, each] : started_) each.strand.request_stop();
}

// [loop]
cordage::task<> read_and_obey(cordage::standard_input& input, support::style how) {
  cordage::buffered_reader lines(input, longest_line);
  co_await cordage::with_scope([&](cordage::scope& jobs) -> cordage::task<> {
    interpreter commands(jobs, how);
    for (;;) {
      prompt();
      const auto line = co_await lines.read_line();
      if (line == std::unexpected(cordage::errc::too_long)) {
        say("a line has at most " + std::to_string(longest_line) + " bytes");
        continue;
      }
      if (!line) throw std::system_error(line.error(), "reading standard input");
      if (!*line) co_return commands.stop_what_never_ends();      // the end of the input
      if (!commands.obey(**line)) co_return commands.stop_all();
      co_await cordage::yield_now();                              // what was started begins before the next line
    }
  });                                                             // and here all that was started has ended
}
// [/loop]

}  // namespace

int main(int argc, char** argv) {
  return support::run_program("stdin_loop", usage, [&] {
    support::style how{};
    support::take_only_options(argc, argv, {{"style", support::into(how)}});
    cordage::standard_input input;
    cordage::run(read_and_obey(input, how));
    if (somebody_types) std::puts("");
    return 0;
  });
}
