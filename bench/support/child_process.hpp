// Starting a server as a child, and learning where it listens.
//
// A server is any program that ends on SIGTERM and either prints a line `listening on HOST:PORT` on its standard output
// or was told a port of 127.0.0.1 to listen on.
// Shared by server_process (which measures CPU time) and traced_server (which counts system calls).
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/descriptor.hpp"
#include "support/endpoint.hpp"

namespace bench {

// The program's path and its arguments.
using command_line = std::vector<std::string>;

struct server_command {
  command_line command;
  std::uint16_t port = 0;  // the one that it was told; 0 if it prints where it listens
};

// Called for each start, because a port that has to be told is another each time.
using server_commands = std::function<server_command()>;

// For a server that prints where it listens.
server_commands always(command_line command);

struct child_process {
  pid_t pid = -1;
  descriptor standard_output;  // keep it open as long as the child may write
};

// Says what the server said.
struct did_not_listen : std::runtime_error {
  using std::runtime_error::runtime_error;
};

enum class tracing { off, by_this_thread };

// Returns when the child runs the program, or throws the reason why it does not. With tracing the child asks to be
// traced by the calling thread and stops with SIGTRAP when it begins the program. A child dies with the thread that
// started it, so that an interrupted benchmark leaves no server behind.
child_process start_child(const command_line& command, int cpu, tracing traced = tracing::off);

// Reads the line, and leaves the rest of the output alone, or tries the port that the server was told until it accepts.
// Throws if the child ends or `timeout` passes first.
endpoint wait_until_listening(const child_process& child, const server_command& how, std::chrono::milliseconds timeout);

// A server_process or a traced_server. Where another program took the port that the server was told there is another.
template <class Server>
Server start_server(const server_commands& commands, int cpu) {
  for (int attempts_left = 4;; --attempts_left) {
    try {
      return Server(commands(), cpu);
    } catch (const did_not_listen&) {
      if (attempts_left == 0) throw;
    }
  }
}

// Asks the child to end, insists after two seconds, and reaps it.
void end_child(pid_t pid);

}  // namespace bench
