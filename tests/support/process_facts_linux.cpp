#include <time.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

#include "guarded_io.hpp"
#include "process_facts.hpp"

// Source: proc(5).
namespace support {
namespace {

std::string directory_of(pid_t process) { return "/proc/" + std::to_string(process); }

std::string status_of(pid_t process) {
  std::ifstream file(directory_of(process) + "/status");
  return {std::istreambuf_iterator<char>(file), {}};
}

// Of a file like /proc/PID/status, with lines like "VmRSS:      3340 kB".
std::string field(const std::string& status, const std::string& name) {
  std::istringstream lines(status);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(name + ":")) continue;
    const auto value = line.find_first_not_of(" \t", name.size() + 1);
    if (value != line.npos) return line.substr(value);
  }
  throw std::runtime_error("the status of the process has no " + name + "; has it ended?");
}

// One line of /proc/net/tcp as far as it matters here (proc(5), and net/tcp in the kernel's documentation):
// "  12: 0100007F:9C40 0100007F:D2F6 01 00000000:00004000 …", in hexadecimal.
struct tcp_line {
  std::size_t local_port = 0;
  std::string state;
  std::size_t unread = 0;
};

constexpr std::string_view listening = "0A";  // for this state, unread means something else

tcp_line parse_tcp_line(const std::string& line) {
  std::istringstream words(line);
  std::string number, local, remote, state, queues;
  words >> number >> local >> remote >> state >> queues;
  const auto after_colon = [](const std::string& word) {
    return std::stoul(word.substr(word.find(':') + 1), nullptr, 16);
  };
  return {after_colon(local), state, after_colon(queues)};
}

}  // namespace

// Both from one reading of the file, or they would not belong together.
main_thread look_at(pid_t process) {
  const std::string now = status_of(process);
  return {field(now, "State").front(), std::stoul(field(now, "voluntary_ctxt_switches"))};
}

std::chrono::nanoseconds processor_time(pid_t process) {
  clockid_t clock;
  errno = ::clock_getcpuclockid(process, &clock);
  timespec used;
  if (errno != 0 || ::clock_gettime(clock, &used) < 0) fail_with_errno("the processor time of a program");
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

std::size_t open_descriptors(pid_t process) {
  const std::filesystem::directory_iterator open(directory_of(process) + "/fd");
  return static_cast<std::size_t>(std::distance(begin(open), end(open)));
}

std::size_t memory_of(pid_t process) { return std::stoul(field(status_of(process), "VmRSS")) * 1024; }
std::size_t most_memory_of(pid_t process) { return std::stoul(field(status_of(process), "VmHWM")) * 1024; }

std::size_t unread_at(std::uint16_t port) {
  std::ifstream lines("/proc/net/tcp");
  std::string line;
  std::getline(lines, line);  // the headings
  std::size_t bytes = 0;
  while (std::getline(lines, line)) {
    const tcp_line each = parse_tcp_line(line);
    if (each.local_port == port && each.state != listening) bytes += each.unread;
  }
  return bytes;
}

}  // namespace support
