#include "support/system_calls.hpp"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "support/failure.hpp"
#include "support/system_call_names.hpp"

namespace bench {
namespace {

constexpr std::chrono::seconds time_to_listen{30};
constexpr std::chrono::milliseconds time_to_settle{20};
constexpr std::chrono::seconds time_to_end{2};

// A system call's stop is told from a real SIGTRAP by bit 7 (TRACESYSGOOD). Threads and children are traced from their
// first instruction, and nothing survives the tracer. TRACEEXEC keeps a second exec, as a wrapper script does, from
// sending a real SIGTRAP.
constexpr long trace_options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                               PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;

constexpr int system_call_stop = SIGTRAP | 0x80;

// waitpid that sees clones, and only children of this very thread: the other threads reap their own.
pid_t wait_for_stop(pid_t which, int* status) {
  pid_t stopped;
  do {
    stopped = ::waitpid(which, status, __WALL | __WNOTHREAD);
  } while (stopped < 0 && errno == EINTR);
  return stopped;
}

void resume(pid_t thread, int signal) {
  // It may have been killed meanwhile (ESRCH), which the next wait reports.
  ::ptrace(PTRACE_SYSCALL, thread, nullptr, static_cast<long>(signal));
}

}  // namespace

std::uint64_t system_call_counts::total() const {
  std::uint64_t sum = 0;
  for (const std::uint64_t count : entered) sum += count;
  return sum;
}

system_call_counts system_call_counts::operator-(const system_call_counts& earlier) const {
  system_call_counts difference;
  for (std::size_t number = 0; number < numbers; ++number)
    difference.entered[number] = entered[number] - earlier.entered[number];
  return difference;
}

std::string system_call_counts::per_message(std::uint64_t messages) const {
  std::vector<std::pair<double, std::size_t>> rates;
  for (std::size_t number = 0; number < numbers; ++number)
    rates.emplace_back(static_cast<double>(entered[number]) / static_cast<double>(messages), number);
  std::ranges::sort(rates, std::ranges::greater());
  std::string text;
  for (const auto& [rate, number] : rates) {
    if (rate < 0.0005) break;
    char digits[32];
    std::snprintf(digits, sizeof digits, " %.3f", rate);
    text += (text.empty() ? "" : ", ") + system_call_name(static_cast<long>(number)) + digits;
  }
  return text;
}

traced_server::traced_server(const server_command& how, int cpu) {
  std::promise<child_process> started;
  std::promise<void> ended;
  auto child = started.get_future();
  ended_ = ended.get_future();
  tracer_ = std::thread([this, command = how.command, cpu, started = std::move(started), ended = std::move(ended)]() mutable {
    trace(command, cpu, std::move(started), std::move(ended));
  });
  try {
    child_ = child.get();
    address_ = wait_until_listening(child_, how, time_to_listen);
  } catch (...) {
    end();
    throw;
  }
}

traced_server::~traced_server() { end(); }

void traced_server::end() {
  const auto has_ended = [this](auto patience) { return ended_.wait_for(patience) == std::future_status::ready; };
  if (child_.pid > 0 && !has_ended(std::chrono::seconds(0))) {
    ::kill(child_.pid, SIGTERM);
    if (!has_ended(time_to_end)) ::kill(child_.pid, SIGKILL);
  }
  tracer_.join();
}

system_call_counts traced_server::mark() const {
  std::this_thread::sleep_for(time_to_settle);
  system_call_counts counts;
  for (std::size_t number = 0; number < system_call_counts::numbers; ++number)
    counts.entered[number] = entered_[number].load(std::memory_order_relaxed);
  return counts;
}

// The tracer's whole life.
void traced_server::trace(const command_line& command, int cpu, std::promise<child_process> started,
                          std::promise<void> ended) {
  pid_t pid = -1;
  try {
    child_process child = start_child(command, cpu, tracing::by_this_thread);
    pid = child.pid;
    int status;
    if (wait_for_stop(pid, &status) != pid || !WIFSTOPPED(status))
      throw std::runtime_error("a traced server did not start");
    if (::ptrace(PTRACE_SETOPTIONS, pid, nullptr, trace_options) != 0) throw_errno("PTRACE_SETOPTIONS");
    resume(pid, 0);
    started.set_value(std::move(child));
    follow(pid);
  } catch (...) {
    int status;
    if (pid > 0 && ::kill(pid, SIGKILL) == 0) wait_for_stop(pid, &status);
    started.set_exception(std::current_exception());
  }
  ended.set_value();
}

// Until the server has ended. What it started and left behind is killed when this thread ends (EXITKILL).
void traced_server::follow(pid_t leader) {
  for (;;) {
    int status;
    const pid_t thread = wait_for_stop(-1, &status);
    if (thread < 0) return;
    if (WIFSTOPPED(status))
      resume(thread, count_or_signal(thread, status));
    else if (thread == leader)
      return;
  }
}

// Counts the stop if it is the entry of a system call. Returns the signal to deliver on resuming, 0 for none.
int traced_server::count_or_signal(pid_t thread, int status) {
  if (WSTOPSIG(status) == system_call_stop) {
    __ptrace_syscall_info info{};
    const long size = ::ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info);
    if (size > 0 && info.op == PTRACE_SYSCALL_INFO_ENTRY) {
      const auto number = std::min<std::uint64_t>(info.entry.nr, system_call_counts::numbers - 1);
      entered_[number].fetch_add(1, std::memory_order_relaxed);
    }
    return 0;
  }
  const bool is_event = status >> 16 != 0;               // a clone, fork or exec
  const bool is_first_stop = WSTOPSIG(status) == SIGSTOP;  // how a new thread or child begins; servers get no other
  return is_event || is_first_stop ? 0 : WSTOPSIG(status);
}

}  // namespace bench
