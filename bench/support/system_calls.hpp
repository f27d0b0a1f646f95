// Counting a server's system calls, exactly, without privileges: the server runs under ptrace(2).
//
// ptrace binds a traced process to one tracing thread, so a thread of its own starts the server and waits on it, while
// the thread that owns this object drives the load and takes marks. Tracing makes the server many times slower; the
// number of calls per message may then differ from an untraced run by how many messages one epoll_wait finds, and by
// nothing else.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <future>
#include <string>
#include <thread>

#include "support/child_process.hpp"

namespace bench {

// How often each system call was entered, by its number on this architecture.
struct system_call_counts {
  static constexpr std::size_t numbers = 512;  // the last element holds everything beyond

  std::array<std::uint64_t, numbers> entered{};

  std::uint64_t total() const;
  system_call_counts operator-(const system_call_counts& earlier) const;

  // "recvfrom 1.000, sendto 1.000, epoll_wait 0.016": calls per message, most frequent first, rare ones left out.
  std::string per_message(std::uint64_t messages) const;
};

class traced_server {
 public:
  // Starts the server under a tracer and waits until it listens. Throws if tracing is not permitted.
  traced_server(const server_command& how, int cpu);
  traced_server(const traced_server&) = delete;
  // Ends the server; the tracer reaps it.
  ~traced_server();

  const endpoint& address() const { return address_; }

  // A mark: what all threads of the server have called since it was started. Waits a moment first, so that what the
  // server still does after its last echo (going back to wait) is counted before the mark.
  system_call_counts mark() const;

 private:
  using tally = std::array<std::atomic<std::uint64_t>, system_call_counts::numbers>;

  void trace(const command_line& command, int cpu, std::promise<child_process> started, std::promise<void> ended);
  void follow(pid_t leader);
  int count_or_signal(pid_t thread, int status);
  void end();

  tally entered_{};  // written by the tracer only, read by marks; plain counts, so relaxed is enough
  child_process child_;
  endpoint address_;
  std::future<void> ended_;
  std::thread tracer_;  // last, because it uses what stands above
};

}  // namespace bench
