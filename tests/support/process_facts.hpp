// What the system tells of another process. One source file per system. They throw where it does not.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace support {

struct main_thread {
  char state = 0;          // S sleeps, T is stopped, Z has ended, R runs
  std::size_t sleeps = 0;  // how many times it has gone to sleep
  bool operator==(const main_thread&) const = default;
};

main_thread look_at(pid_t process);
std::chrono::nanoseconds processor_time(pid_t process);
std::size_t open_descriptors(pid_t process);

// In bytes: what is resident, and the most that was.
std::size_t memory_of(pid_t process);
std::size_t most_memory_of(pid_t process);

// Bytes that came over TCP to a port of this machine and were not read yet.
std::size_t unread_at(std::uint16_t port);

}  // namespace support
