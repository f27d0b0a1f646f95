// Reads series of numbers, one a line, as NAME,NUMBER,NUMBER,…, and writes of each NAME,COUNT,SUM,LEAST,GREATEST, in the order
// of the input. A line that is no such series is named on standard error, with its number, and the others go on.
//
//   input thread -> blocks -> hand_out -> jobs -> N fibers parse_lines
//                                |                     | (each answer by the promise of its line)
//                                `---> in_order -> write_in_order -> blocks -> output thread
//
// Each arrow is a channel that holds so much and no more: who is too fast waits, and memory does not grow with the input.
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <expected>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include <cordage/cordage.hpp>

#include "support/command_line.hpp"

namespace {

constexpr std::size_t block_size = 65536;       // of what is read, and about so much is written, at a time
constexpr std::size_t lines_under_way = 64;     // between being read and being written
constexpr std::size_t longest_line = 1 << 20;   // with the above, what bounds the memory

// read(2) may wait for ever, for a pipe or a terminal, so it has a thread of its own. The thread has a runtime of its own,
// too, where nothing else runs: so it may block, and can wait for room in a channel as well.
// [input]
class input {
 public:
  explicit input(int fd) : fd_(fd) {
    if (::pipe(interrupt_.data()) < 0) throw std::system_error(errno, std::system_category(), "pipe");
    thread_ = std::thread([this] { cordage::run(read_blocks()); });
  }
  input(const input&) = delete;
  ~input() {
    blocks.close();                                         // where it waits for room
    ::close(interrupt_[1]);                                 // where it waits for input: the pipe ends
    thread_.join();
    ::close(interrupt_[0]);
  }

  cordage::channel<std::string> blocks{2};                  // closed at the end of the input
  std::error_code failure() const { return failure_; }      // when it is closed

 private:
  cordage::task<> read_blocks() {
    std::string block;
    while (read_some(block) && co_await blocks.send(std::move(block))) {
    }
    blocks.close();
  }

  // False: at the end, or when reading failed, or was interrupted.
  bool read_some(std::string& block) {
    std::array<pollfd, 2> waits{{{.fd = fd_, .events = POLLIN, .revents = 0},
                                 {.fd = interrupt_[0], .events = POLLIN, .revents = 0}}};
    block.resize(block_size);
    ssize_t count = -1;
    do {
      ::poll(waits.data(), waits.size(), -1);
      if (waits[1].revents != 0) return false;
      count = ::read(fd_, block.data(), block.size());
    } while (count < 0 && (errno == EINTR || errno == EAGAIN));
    if (count < 0) failure_.assign(errno, std::system_category());
    block.resize(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    return count > 0;
  }

  const int fd_;
  std::array<int, 2> interrupt_;
  std::error_code failure_;
  std::thread thread_;
};
// [/input]

// The same for what is written: a slow reader of the output does not hold the worker up.
class output {
 public:
  struct block {
    std::string results;
    std::string complaints;
  };

  output() : thread_([this] { cordage::run(write_blocks()); }) {}
  output(const output&) = delete;
  ~output() { finish(); }

  // Everything has been written then, or could not be.
  std::error_code finish() {
    blocks.close();
    if (thread_.joinable()) thread_.join();
    return failure_;
  }

  cordage::channel<block> blocks{2};
  // Completes, with an error, when nothing more can be written.
  cordage::async<> broken() {
    co_await broken_.wait();
    co_return std::unexpected(failure_);
  }

 private:
  cordage::task<> write_blocks() {
    while (const auto next = co_await blocks.receive()) {
      if (write(stdout, next->results) && write(stderr, next->complaints)) continue;
      failure_.assign(errno, std::system_category());
      broken_.set();
      co_return;                                            // what is left in the channel is lost
    }
  }
  static bool write(std::FILE* to, const std::string& text) {
    return std::fwrite(text.data(), 1, text.size(), to) == text.size() && std::fflush(to) == 0;
  }

  std::error_code failure_;
  cordage::manual_reset_event broken_;
  std::thread thread_;
};

using parsed = std::expected<std::string, std::string>;     // what to write of a line, or what is wrong with it

struct series {
  std::int64_t count = 0;
  std::int64_t sum = 0;
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  std::int64_t greatest = std::numeric_limits<std::int64_t>::min();
};

parsed wrong(std::int64_t number, const char* how) {
  return std::unexpected("number " + std::to_string(number) + ' ' + how);
}

// Everything up to the delimiter, which is taken away, too.
std::string_view take_field(std::string_view& text) {
  const std::size_t end = std::min(text.find(','), text.size());
  const std::string_view field = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return field;
}

// [parse]
// An ordinary function, which may wait, since it runs on a fiber.
parsed summarize(std::string_view line) {
  if (line.size() > longest_line) return std::unexpected("longer than " + std::to_string(longest_line) + " bytes");
  if (line.ends_with('\r')) line.remove_suffix(1);
  const bool ends_in_comma = line.ends_with(',');
  const std::string name(take_field(line));
  if (name.empty()) return std::unexpected("it has no name");
  series all;
  while (!line.empty()) {
    const std::string_view field = take_field(line);
    std::int64_t number = 0;
    const auto [end, code] = std::from_chars(field.data(), field.data() + field.size(), number);
    if (code == std::errc::result_out_of_range) return wrong(all.count + 1, "does not fit into 64 bits");
    if (code != std::errc{} || end != field.data() + field.size()) return wrong(all.count + 1, "is no whole number");
    if (__builtin_add_overflow(all.sum, number, &all.sum)) return wrong(all.count + 1, "makes the sum too large");
    all.least = std::min(all.least, number);
    all.greatest = std::max(all.greatest, number);
    if (++all.count % 1024 == 0) cordage::await(cordage::yield_now());    // a long line: shorter ones overtake it
  }
  if (all.count == 0 || ends_in_comma) return wrong(all.count + 1, "is missing");
  return name + ',' + std::to_string(all.count) + ',' + std::to_string(all.sum) + ',' + std::to_string(all.least) + ',' +
         std::to_string(all.greatest);
}
// [/parse]

// The lines of the input, without their ends. Of one that is too long only so much is kept that it can be told.
cordage::async_generator<std::string> lines_of(cordage::channel<std::string>& blocks) {
  std::string line;
  while (const auto block = co_await blocks.receive()) {
    for (std::string_view rest = *block; !rest.empty();) {
      const std::size_t end = rest.find('\n');
      line += rest.substr(0, std::min(end, longest_line + 1 - line.size()));
      if (end == rest.npos) break;
      co_yield line;
      line.clear();
      rest.remove_prefix(end + 1);
    }
  }
  if (!line.empty()) co_yield line;
}

// [stages]
struct job {
  std::string line;
  cordage::promise<parsed> answer;
};
using jobs_channel = cordage::channel<job>;
using answers_channel = cordage::channel<cordage::future<parsed>>;

// The futures keep the order of the lines; that there is room for so many and no more is what holds the input back.
cordage::task<> hand_out(input& from, jobs_channel& jobs, answers_channel& in_order) {
  auto hand_on = [&](std::string& line) -> cordage::task<> {
    job next{.line = std::move(line), .answer = {}};
    co_await !in_order.send(next.answer.get_future());
    co_await !jobs.send(std::move(next));
  };
  co_await cordage::for_each(lines_of(from.blocks), hand_on);
  jobs.close();
  in_order.close();
}

void parse_lines(jobs_channel& jobs) {                      // on a fiber, of which there are many
  while (auto next = cordage::await(jobs.receive())) next->answer.set_value(summarize(next->line));
}

cordage::task<cordage::result<>> write_in_order(answers_channel& in_order, output& to, std::size_t& malformed) {
  output::block text;
  for (std::size_t number = 1; auto next = co_await in_order.receive(); ++number) {
    const parsed line = co_await !*next;
    if (line) {
      text.results += *line + '\n';
    } else {
      ++malformed;
      text.complaints += "pipeline: line " + std::to_string(number) + ": " + line.error() + '\n';
    }
    const bool more_fits = text.results.size() + text.complaints.size() < block_size;
    if (more_fits && in_order.size() != 0) continue;
    co_await !to.blocks.send(std::move(text));
    text = {};
  }
  co_return {};
}

// How many lines were malformed. When the output is broken that is the error, and all stages are stopped.
cordage::task<cordage::result<std::size_t>> summarize_all(input& from, output& to, std::size_t workers) {
  jobs_channel jobs(lines_under_way);
  answers_channel in_order(lines_under_way);
  std::size_t malformed = 0;
  co_await !cordage::with_scope([&](cordage::scope& stages) -> cordage::task<cordage::result<>> {
    stages.spawn(hand_out, std::ref(from), std::ref(jobs), std::ref(in_order));
    for (std::size_t i = 0; i < workers; ++i) stages.spawn(parse_lines, std::ref(jobs));
    co_return co_await cordage::expect<0>(cordage::when_any(write_in_order(in_order, to, malformed), to.broken()));
  });
  co_return malformed;
}
// [/stages]

struct options {
  std::size_t workers = 4;
  std::string file = "-";
};

constexpr const char* usage =
    "usage: pipeline [--help] [--workers N] [FILE]\n"
    "Reads lines as NAME,NUMBER,NUMBER,... from FILE, or from standard input where there is none or it is -,\n"
    "and writes of each NAME,COUNT,SUM,LEAST,GREATEST. Lines that are malformed are named on standard error.\n"
    "  --workers N  how many fibers parse (4)\n"
    "The exit status is 0 if all is well, 1 after malformed lines and when reading or writing fails, 2 after a wrong\n"
    "command line.\n";

options parse(int argc, char** argv) {
  options asked;
  const auto files = support::take_options(argc, argv, {{"workers", support::into<std::size_t>(asked.workers, 1, 10'000)}});
  if (files.size() > 1) throw support::usage_error("one FILE at most, and " + support::quoted(files[1]) + " is a second one");
  if (!files.empty()) asked.file = files[0];
  return asked;
}

int open_input(const std::string& file) {
  if (file == "-") return STDIN_FILENO;
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) throw std::system_error(errno, std::system_category(), "cannot open " + file);
  return fd;
}

}  // namespace

int main(int argc, char** argv) {
  return support::run_program("pipeline", usage, [&] {
    const options asked = parse(argc, argv);
    std::signal(SIGPIPE, SIG_IGN);  // a reader of the output that has gone is an error like others
    input from(open_input(asked.file));
    output to;
    const cordage::result<std::size_t> malformed = cordage::run(summarize_all(from, to, asked.workers));
    if (const std::error_code failed = to.finish()) throw std::system_error(failed, "cannot write");
    if (const std::error_code failed = from.failure())
      throw std::system_error(failed, "cannot read " + (asked.file == "-" ? "standard input" : asked.file));
    return malformed.value() == 0 ? 0 : 1;
  });
}
