// Waiting in tests: for a descriptor or for a condition, always with a guard.
//
// The guard only turns a hang into a failure that says what was waited for. No test depends on how long anything takes.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace support {

inline constexpr std::chrono::seconds guard{30};

// Throws std::system_error for errno as it is.
[[noreturn]] void fail_with_errno(const std::string& what);

// Whether poll(2) has any of the events, an error or a hang-up for the descriptor now.
bool is_ready(int fd, short events);

// Returns when it has; throws when the guard is over.
void wait_until_ready(int fd, short events, const std::string& what);

// At least one byte, 0 at the end. Takes blocking and non-blocking descriptors.
std::size_t read_some(int fd, std::span<char> into);

// Takes non-blocking descriptors: on a blocking one the guard would not work.
void write_all(int fd, std::string_view bytes);

// Everything until the end.
std::string read_until_end(int fd);

// Looks again and again until the condition holds; the pauses in between leave the processor to others.
void eventually(const std::string& what, const std::function<bool()>& holds);

}  // namespace support
