#include "child_process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <initializer_list>
#include <ostream>
#include <stdexcept>

#include "guarded_io.hpp"
#include "system_calls.hpp"

namespace support {
namespace {

void set_nonblocking(const owned_fd& fd) {
  if (fd && ::fcntl(fd.get(), F_SETFL, O_NONBLOCK) < 0) fail_with_errno("fcntl");
}

void limit_descriptors(std::size_t most) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = most == 0 ? limit.rlim_max : most;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

void start_as_from_a_shell() {
  for (const int number : {SIGPIPE, SIGINT, SIGTERM}) ::signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// Only what is allowed between fork and exec.
[[noreturn]] void become(char* const* arguments, pid_t parent, std::size_t most_descriptors,
                         const int (&streams)[3]) {
  end_with_parent();
  if (::getppid() != parent) ::_exit(127);
  for (int i = 0; i < 3; ++i) ::dup2(streams[i], i);
  close_other_descriptors();  // whatever the test itself was given by those who started it
  start_as_from_a_shell();
  limit_descriptors(most_descriptors);
  ::execvp(arguments[0], arguments);
  const char* const why = std::strerror(errno);
  for (const char* const part : std::initializer_list<const char*>{arguments[0], ": ", why, "\n"}) {
    [[maybe_unused]] const auto written = ::write(2, part, std::strlen(part));
  }
  ::_exit(127);
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const ending& end) {
  out << (end.signal != 0 ? "ended by signal " : "exit code ")
      << (end.signal != 0 ? end.signal : end.exit_code);
  return out << "\n--- output:\n" << end.output << "\n--- errors:\n" << end.errors << "\n---";
}

child_process::child_process(const std::vector<std::string>& arguments, const child_options& options) {
  ::signal(SIGPIPE, SIG_IGN);
  both_ends input = options.feeds_input
                        ? open_pipe()
                        : both_ends{owned_fd(::open("/dev/null", O_RDONLY | O_CLOEXEC)), owned_fd()};
  both_ends output = open_pipe();
  // A file takes any amount without a reader.
  errors_ = open_nameless_file();
  if (!input.near) fail_with_errno("standard streams for a program");
  std::vector<char*> words;
  for (const std::string& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  const int streams[3] = {input.near.get(), output.far.get(), errors_.get()};
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) fail_with_errno("fork");
  if (pid_ == 0) become(words.data(), parent, options.most_descriptors, streams);
  input_ = std::move(input.far);
  output_ = std::move(output.near);
  set_nonblocking(input_);
  set_nonblocking(output_);
}

child_process::~child_process() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void child_process::send_signal(int number) const {
  if (pid_ < 0) throw std::logic_error("a signal for a program that was waited for");
  if (::kill(pid_, number) < 0) fail_with_errno("kill");
}

bool child_process::has_ended() const {
  if (pid_ < 0) return true;
  siginfo_t info{};
  if (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) < 0)
    fail_with_errno("waitid");
  return info.si_pid == pid_;
}

ending child_process::wait() {
  ending end;
  end.output = read_until_end(output_.get());
  eventually("the end of the program", [this] { return has_ended(); });
  int status = 0;
  if (::waitpid(pid_, &status, 0) != pid_) fail_with_errno("waitpid");
  pid_ = -1;
  if (WIFEXITED(status)) end.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) end.signal = WTERMSIG(status);
  end.errors = errors_so_far();
  return end;
}

std::string child_process::errors_so_far() const {
  std::string all;
  char buffer[4096];
  for (ssize_t got;
       (got = ::pread(errors_.get(), buffer, sizeof buffer, static_cast<off_t>(all.size()))) > 0;) {
    all.append(buffer, static_cast<std::size_t>(got));
  }
  return all;
}

std::size_t raise_descriptor_limit() {
  limit_descriptors(0);
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) < 0) fail_with_errno("getrlimit");
  return limit.rlim_cur;
}

}  // namespace support
