// Starting a server as a child, and learning where it listens.
//
// A server is any program that prints a line `listening on HOST:PORT` on its standard output and ends on SIGTERM.
// Shared by server_process (which measures CPU time) and traced_server (which counts system calls).
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "support/descriptor.hpp"

namespace bench {

// The program's path and its arguments.
using command_line = std::vector<std::string>;

struct endpoint {
  std::string host;  // numeric IPv4
  std::uint16_t port = 0;
};

struct child_process {
  pid_t pid = -1;
  descriptor standard_output;  // keep it open as long as the child may write
};

enum class tracing { off, by_this_thread };

// Returns when the child runs the program, or throws the reason why it does not. With tracing the child asks to be
// traced by the calling thread and stops with SIGTRAP when it begins the program. A child dies with the thread that
// started it, so that an interrupted benchmark leaves no server behind.
child_process start_child(const command_line& command, int cpu, tracing traced = tracing::off);

// Reads the line and leaves the rest of the output alone. Throws if the child ends or `timeout` passes first.
endpoint read_listening_line(const child_process& child, std::chrono::milliseconds timeout);

// Asks the child to end, insists after two seconds, and reaps it.
void end_child(pid_t pid);

}  // namespace bench
