// A server under measurement: a child process pinned to a CPU, with its address and the CPU time it has used.
#pragma once

#include <time.h>

#include <chrono>

#include "support/child_process.hpp"

namespace bench {

// How the CPU time divides. The kernel scales tick samples to the exact total, so the parts are good to a few per cent
// and worth reading only over seconds.
struct cpu_split {
  std::chrono::nanoseconds user{};
  std::chrono::nanoseconds system{};
};

// Owned by one thread, the one that made it: the child dies with that thread.
class server_process {
 public:
  // Starts the server and waits until it listens.
  server_process(const server_command& how, int cpu);
  server_process(server_process&& other) noexcept;
  server_process& operator=(server_process&&) = delete;
  // Ends the server with SIGTERM and reaps it.
  ~server_process();

  pid_t pid() const { return child_.pid; }
  const endpoint& address() const { return address_; }

  // CPU time of all threads of the server so far, exact to the scheduler's clock (not to ticks) whenever the server
  // is not running at this moment, which is certain when both share a CPU.
  std::chrono::nanoseconds cpu_time() const;
  cpu_split split() const;

 private:
  child_process child_;
  endpoint address_;
  clockid_t clock_{};
};

}  // namespace bench
