#include "support/server_process.hpp"

#include <unistd.h>

#include <fstream>
#include <stdexcept>
#include <string>
#include <utility>

#include "support/failure.hpp"

namespace bench {
namespace {

constexpr std::chrono::seconds time_to_listen{10};

std::chrono::nanoseconds from_ticks(long ticks) {
  static const long ticks_per_second = ::sysconf(_SC_CLK_TCK);
  return std::chrono::nanoseconds(std::chrono::seconds(1)) * ticks / ticks_per_second;
}

}  // namespace

server_process::server_process(const server_command& how, int cpu) : child_(start_child(how.command, cpu)) {
  try {
    address_ = wait_until_listening(child_, how, time_to_listen);
    if (const int error = ::clock_getcpuclockid(child_.pid, &clock_)) throw_errno("clock_getcpuclockid", error);
  } catch (...) {
    end_child(child_.pid);
    throw;
  }
}

server_process::server_process(server_process&& other) noexcept
    : child_{std::exchange(other.child_.pid, -1), std::move(other.child_.standard_output)},
      address_(std::move(other.address_)),
      clock_(other.clock_) {}

server_process::~server_process() {
  if (child_.pid > 0) end_child(child_.pid);
}

std::chrono::nanoseconds server_process::cpu_time() const {
  timespec used;
  if (::clock_gettime(clock_, &used) != 0) throw_errno("the CPU clock of a server");
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

cpu_split server_process::split() const {
  std::ifstream file("/proc/" + std::to_string(child_.pid) + "/stat");
  std::string text;
  std::getline(file, text);
  // The second field is the program's name in parentheses and may itself contain anything, so counting starts behind
  // the last parenthesis: state is field 3, utime 14, stime 15 (proc(5)).
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) throw std::runtime_error("a server has ended");
  std::size_t at = name_end + 1;
  for (int field = 3; field < 14; ++field) at = text.find(' ', at + 1);
  char* after_user;
  const long user = std::strtol(text.c_str() + at, &after_user, 10);
  const long system = std::strtol(after_user, nullptr, 10);
  return {from_ticks(user), from_ticks(system)};
}

}  // namespace bench
