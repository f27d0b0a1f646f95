// Asks servers what they say first, as many at a time as there are workers: SSH, SMTP and others greet whoever connects.
//
//   $ worker_pool --workers 8 192.0.2.1:22 192.0.2.2:25
//   192.0.2.1:22: SSH-2.0-OpenSSH_9.6
//
//   submit -> jobs, a channel with room for a few -> K workers -> reports -> print
//
// What one server does wrong is the report of one job, on standard error, and the workers go on. SIGINT or SIGTERM closes
// the pool: what was submitted is finished. A second signal stops it.
#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <cordage/cordage.hpp>

#include "support/command_line.hpp"

namespace {

using namespace std::chrono_literals;

struct options {
  std::size_t workers = 4;
  std::size_t queue = 8;
  support::style style = support::style::task;
  std::chrono::milliseconds timeout = 10s;
  std::vector<std::string> servers;
};

constexpr std::size_t longest_greeting = 1000;

// What a server says could steer a terminal.
std::string printable(std::string line) {
  std::ranges::replace_if(line, [](unsigned char c) { return c < ' ' || c == 0x7f; }, '?');
  return line;
}

// [job]
// The first line of what the server says.
cordage::async<std::string> greeting(std::string server) {
  auto stream = co_await !cordage::tcp::connect(server);
  std::string said;
  while (said.find('\n') == said.npos && said.size() < longest_greeting) {
    std::array<char, longest_greeting> buffer;
    const std::size_t n = co_await !stream.read_some(std::as_writable_bytes(std::span(buffer)));
    if (n == 0 && said.empty()) co_return std::unexpected(cordage::errc::end_of_stream);
    if (n == 0) break;
    said.append(buffer.data(), n);
  }
  co_return printable(said.substr(0, std::min(said.find_first_of("\r\n"), longest_greeting)));
}

struct report {
  std::string server;
  cordage::result<std::string> said;
};
// [/job]

// [workers]
struct pool {
  explicit pool(const options& how) : jobs(how.queue), reports(how.workers), timeout(how.timeout) {}

  cordage::channel<std::string> jobs;         // room for so many: who submits more waits
  cordage::channel<report> reports;           // so do workers for whoever takes their reports
  const std::chrono::milliseconds timeout;
};

cordage::task<> work(pool& of) {              // a worker as a task
  while (auto server = co_await of.jobs.receive()) {
    auto said = co_await cordage::with_timeout(of.timeout, greeting(*server));
    co_await !of.reports.send(std::move(*server), std::move(said));
  }
}

void work_on_fiber(pool& of) {                // and as a fiber
  while (auto server = cordage::await(of.jobs.receive())) {
    auto said = cordage::await(cordage::with_timeout(of.timeout, greeting(*server)));
    cordage::await(!of.reports.send(std::move(*server), std::move(said)));
  }
}

// Submits them all, and ends when the workers have: since there is nothing more to do, or since this was stopped.
cordage::task<> work_through(pool& of, const options& what) {
  co_await cordage::with_scope([&](cordage::scope& workers) -> cordage::task<> {
    for (std::size_t i = 0; i < what.workers; ++i) {
      if (what.style == support::style::fiber) {
        workers.spawn(work_on_fiber, std::ref(of));
      } else {
        workers.spawn(work, std::ref(of));
      }
    }
    for (const std::string& server : what.servers) {
      const cordage::result<> submitted = co_await of.jobs.send(server);
      if (!submitted) break;                                // somebody has closed the pool
    }
    of.jobs.close();                                        // the workers finish what is in it, and end
  });
}
// [/workers]

void print(const report& of) {
  if (of.said) {
    std::printf("%s: %s\n", of.server.c_str(), of.said->c_str());
    std::fflush(stdout);
  } else {
    std::fprintf(stderr, "worker_pool: %s: %s\n", of.server.c_str(), of.said.error().message().c_str());
  }
}

// [signals]
template <class Workers>
cordage::task<> end_at_signals(cordage::signal_set& asked_to_end, pool& of, Workers& workers) {
  co_await !asked_to_end.wait();
  std::fprintf(stderr, "worker_pool: finishing what has begun; a second signal stops it\n");
  of.jobs.close();
  co_await !asked_to_end.wait();
  workers.request_stop();
}

// The exit status.
cordage::task<int> ask_all(const options& asked, cordage::signal_set& asked_to_end) {
  pool of(asked);
  std::size_t answered = 0, failed = 0;
  auto count_and_print = [&](const report& next) {
    ++(next.said ? answered : failed);
    print(next);
  };
  auto close_reports = [&] { of.reports.close(); };
  auto workers = cordage::spawn(cordage::finally(work_through(of, asked), close_reports));
  auto watcher = cordage::spawn(end_at_signals<decltype(workers)>, std::ref(asked_to_end), std::ref(of), std::ref(workers));
  co_await cordage::for_each(of.reports, count_and_print);
  (void)co_await workers;
  watcher.request_stop();
  (void)co_await watcher;
  const std::size_t left_out = asked.servers.size() - answered - failed;
  if (left_out != 0) std::fprintf(stderr, "worker_pool: %zu of %zu were left out\n", left_out, asked.servers.size());
  co_return failed == 0 && left_out == 0 ? 0 : 1;
}
// [/signals]

constexpr const char* usage =
    "usage: worker_pool [--help] [--workers N] [--queue N] [--style task|fiber] [--timeout TIME] ADDRESS:PORT...\n"
    "  --workers N     ask so many servers at a time (4)\n"
    "  --queue N       so many more may wait for a worker (8)\n"
    "  --style S       what a worker is: task or fiber (task)\n"
    "  --timeout TIME  for one server, as 500ms or 10s (10s)\n"
    "The exit status is 0 if all have answered, 1 if some have not, 2 after a wrong command line.\n";

options parse(int argc, char** argv) {
  options asked;
  constexpr std::size_t most = 10'000;
  const auto servers = support::take_options(argc, argv, {{"workers", support::into<std::size_t>(asked.workers, 1, most)},
                                                          {"queue", support::into<std::size_t>(asked.queue, 1, most)},
                                                          {"style", support::into(asked.style)},
                                                          {"timeout", support::into(asked.timeout)}});
  if (servers.empty()) throw support::usage_error("no server to ask");
  asked.servers.assign(servers.begin(), servers.end());
  return asked;
}

}  // namespace

int main(int argc, char** argv) {
  return support::run_program("worker_pool", usage, [&] {
    const options asked = parse(argc, argv);
    cordage::runtime runtime;
    cordage::signal_set asked_to_end{SIGINT, SIGTERM};
    return runtime.run(ask_all(asked, asked_to_end));
  });
}
