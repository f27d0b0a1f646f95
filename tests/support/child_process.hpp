// A program that a test starts: its arguments, its standard streams, its signals and its end.
//
// It does not outlive the test: the destructor kills it, and where it can, the kernel does when the thread that made it
// has ended, so make one on the main thread. It starts as from a shell, SIGPIPE fatal and nothing blocked, while the test itself
// ignores SIGPIPE from then on: a write to somebody who has gone is an error that the test reports.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <iosfwd>
#include <string>
#include <vector>

#include "owned_fd.hpp"

namespace support {

// How a program ended and what it wrote.
struct ending {
  int exit_code = -1;  // -1 where a signal ended it
  int signal = 0;      // that signal, or 0
  std::string output;  // what of its standard output had not been read before
  std::string errors;  // its standard error
};

std::ostream& operator<<(std::ostream& out, const ending& end);

struct child_options {
  bool feeds_input = false;          // input() is its standard input, which is otherwise empty
  std::size_t most_descriptors = 0;  // its RLIMIT_NOFILE; 0 for as many as the system allows
};

class child_process {
 public:
  // The first argument is the program: a path, or a name to be found in PATH.
  explicit child_process(const std::vector<std::string>& arguments, const child_options& options = {});
  child_process(const child_process&) = delete;
  child_process& operator=(const child_process&) = delete;
  ~child_process();

  pid_t pid() const noexcept { return pid_; }
  // Both non-blocking.
  int input() const noexcept { return input_.get(); }
  int output() const noexcept { return output_.get(); }

  void close_input() noexcept { input_.close(); }
  void send_signal(int number) const;
  bool has_ended() const;
  // What it has written to its standard error until now.
  std::string errors_so_far() const;
  // Reads the rest of its output, and waits for its end. Once.
  ending wait();
  bool was_waited_for() const noexcept { return pid_ < 0; }

 private:
  pid_t pid_ = -1;  // -1 once it has been waited for
  owned_fd input_;
  owned_fd output_;
  owned_fd errors_;
};

// Lets this process have as many descriptors as the system allows it; the number.
std::size_t raise_descriptor_limit();

}  // namespace support
