#include "support/instructions.hpp"

#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace bench {
namespace {

// The child marks where counting begins and ends by signals to itself, which its tracer sees and does not deliver.
void begin() { std::raise(SIGUSR1); }
void end() { std::raise(SIGUSR2); }

[[noreturn]] void be_counted(std::uint64_t n, const counted_run& run) {
  if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) < 0) ::_exit(1);
  std::raise(SIGSTOP);
  run(n, begin, end);
  ::_exit(0);
}

// Steps from the first mark to the second.
std::optional<std::uint64_t> count(pid_t child) {
  std::uint64_t steps = 0;
  bool counting = false;
  for (int status; ::waitpid(child, &status, 0) == child && WIFSTOPPED(status);) {
    const int stopped_by = WSTOPSIG(status);
    if (stopped_by == SIGUSR2) return steps;
    if (stopped_by == SIGUSR1) counting = true;
    steps += counting;
    if (::ptrace(counting ? PTRACE_SINGLESTEP : PTRACE_CONT, child, nullptr, nullptr) < 0) break;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> count_in_child(std::uint64_t n, const counted_run& run) {
  const pid_t child = ::fork();
  if (child < 0) return std::nullopt;
  if (child == 0) be_counted(n, run);
  const auto steps = count(child);
  ::kill(child, SIGKILL);
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  return steps;
}

}  // namespace

std::optional<double> instructions_per_operation(std::uint64_t n, const counted_run& run) {
  const auto once = count_in_child(n, run);
  const auto twice = count_in_child(2 * n, run);
  if (!once || !twice) return std::nullopt;
  return static_cast<double>(*twice - *once) / static_cast<double>(n);
}

}  // namespace bench
