#include "support/child_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <thread>

#include "support/failure.hpp"
#include "support/placement.hpp"

namespace bench {
namespace {

using std::chrono::steady_clock;

struct pipe_ends {
  descriptor read;
  descriptor write;
};

pipe_ends make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw_errno("pipe2");
  return {descriptor(ends[0]), descriptor(ends[1])};
}

// Runs in the child, between fork and exec, where only system calls are safe because another thread may have held a
// lock at the fork. Returns only if something failed, with errno set. The CPU was chosen before the fork.
void become(char* const* arguments, int standard_output, tracing traced) {
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return;
  if (::dup2(standard_output, STDOUT_FILENO) < 0) return;
  if (traced == tracing::by_this_thread && ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) return;
  ::execv(arguments[0], arguments);
}

// The child reports through a pipe that a successful exec closes: reading nothing means success.
int error_of_exec(int report) {
  int error = 0;
  ssize_t received;
  do {
    received = ::read(report, &error, sizeof error);
  } while (received < 0 && errno == EINTR);
  return received == sizeof error ? error : 0;
}

// Restores the affinity of this thread, because a child is pinned by pinning the thread that forks it.
class temporary_placement {
 public:
  explicit temporary_placement(int cpu) {
    if (::sched_getaffinity(0, sizeof before_, &before_) != 0) throw_errno("sched_getaffinity");
    pin_to_cpu(cpu);
  }
  temporary_placement(const temporary_placement&) = delete;
  ~temporary_placement() { ::sched_setaffinity(0, sizeof before_, &before_); }

 private:
  cpu_set_t before_;
};

// The address in a line of the form "listening on HOST:PORT", whatever follows; nothing if it is another line.
std::optional<endpoint> parse_listening_line(std::string_view line) {
  constexpr std::string_view beginning = "listening on ";
  if (!line.starts_with(beginning)) return {};
  line.remove_prefix(beginning.size());
  const std::string_view address = line.substr(0, line.find_first_of(" \t\r"));
  const std::size_t colon = address.rfind(':');
  if (colon == std::string_view::npos) return {};
  endpoint parsed{std::string(address.substr(0, colon)), 0};
  const char* end = address.data() + address.size();
  const auto [stopped_at, error] = std::from_chars(address.data() + colon + 1, end, parsed.port);
  if (error != std::errc() || stopped_at != end) return {};
  return parsed;
}

// One byte at a time: slow, once per server, and it never takes more of the output than the lines it reads.
std::optional<std::string> read_line(int fd, steady_clock::time_point deadline) {
  std::string line;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - steady_clock::now());
    pollfd readable{fd, POLLIN, 0};
    const int ready = left.count() < 0 ? 0 : ::poll(&readable, 1, static_cast<int>(left.count()));
    if (ready < 0 && errno == EINTR) continue;
    char byte;
    if (ready <= 0 || ::read(fd, &byte, 1) != 1) return {};
    if (byte == '\n') return line;
    line += byte;
  }
}

bool has_ended(const child_process& child) {
  pollfd output{child.standard_output.get(), 0, 0};
  return ::poll(&output, 1, 0) > 0 && output.revents & POLLHUP;
}

std::string said_so_far(const child_process& child) {
  std::string text(4096, '\0');
  pollfd output{child.standard_output.get(), POLLIN, 0};
  const ssize_t size = ::poll(&output, 1, 0) > 0 ? ::read(output.fd, text.data(), text.size()) : 0;
  text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return text;
}

endpoint try_until_it_accepts(const child_process& child, const server_command& how,
                              steady_clock::time_point deadline) {
  const endpoint address{"127.0.0.1", how.port};
  while (steady_clock::now() < deadline && !has_ended(child)) {
    try {
      connect_to(address);
      return address;
    } catch (const std::system_error& refused) {
      if (refused.code() != std::errc::connection_refused) throw;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  throw did_not_listen(how.command[0] + " does not listen on port " + std::to_string(how.port) + ". It says: " +
                       said_so_far(child));
}

bool reaped(pid_t pid, int options) {
  pid_t result;
  do {
    result = ::waitpid(pid, nullptr, options);
  } while (result < 0 && errno == EINTR);
  return result != 0;  // an error means that there is nothing to reap
}

}  // namespace

server_commands always(command_line command) {
  return [command = std::move(command)] { return server_command{command}; };
}

child_process start_child(const command_line& command, int cpu, tracing traced) {
  std::vector<char*> arguments;
  for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  pipe_ends output = make_pipe();
  pipe_ends report = make_pipe();

  const temporary_placement placement(cpu);
  const pid_t pid = ::fork();
  if (pid < 0) throw_errno("fork");
  if (pid == 0) {
    become(arguments.data(), output.write.get(), traced);
    const int error = errno;
    (void)!::write(report.write.get(), &error, sizeof error);
    ::_exit(127);
  }
  report.write.close();
  if (const int error = error_of_exec(report.read.get())) {
    reaped(pid, 0);
    throw_errno("cannot run " + command[0], error);
  }
  return {pid, std::move(output.read)};
}

endpoint wait_until_listening(const child_process& child, const server_command& how,
                              std::chrono::milliseconds timeout) {
  const auto deadline = steady_clock::now() + timeout;
  if (how.port != 0) return try_until_it_accepts(child, how, deadline);
  while (const auto line = read_line(child.standard_output.get(), deadline))
    if (const auto address = parse_listening_line(*line)) return *address;
  throw did_not_listen(how.command[0] + " did not print `listening on HOST:PORT`");
}

void end_child(pid_t pid) {
  ::kill(pid, SIGTERM);
  for (const auto deadline = steady_clock::now() + std::chrono::seconds(2); steady_clock::now() < deadline;) {
    if (reaped(pid, WNOHANG)) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  ::kill(pid, SIGKILL);
  reaped(pid, 0);
}

}  // namespace bench
