#include "server_program.hpp"

#include <time.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <thread>

#include "guarded_io.hpp"

namespace support {
namespace {

// Without its end of line; shorter where the output ends before.
std::string read_line(int fd) {
  std::string line;
  for (char next; read_some(fd, {&next, 1}) == 1 && next != '\n';) line += next;
  return line;
}

// Of a file like /proc/PID/status, with lines like "VmRSS:      3340 kB".
std::string field(const std::string& status, const std::string& name) {
  std::istringstream lines(status);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(name + ":")) continue;
    const auto value = line.find_first_not_of(" \t", name.size() + 1);
    if (value != line.npos) return line.substr(value);
  }
  throw std::runtime_error("the status of the server has no " + name + "; has it ended?");
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

server_program::server_program(const std::vector<std::string>& arguments, const child_options& options)
    : child_process(arguments, options), greeting_(read_line(output())) {
  const auto colon = greeting_.rfind(':', greeting_.find(" ("));
  if (!greeting_.starts_with("listening on ") || colon == greeting_.npos) {
    std::ostringstream said;
    said << "a server that does not say where it listens: \"" << greeting_ << "\", " << wait();
    throw std::runtime_error(said.str());
  }
  port_ = static_cast<std::uint16_t>(std::stoi(greeting_.substr(colon + 1)));
}

std::size_t server_program::descriptors() const {
  const std::filesystem::directory_iterator open("/proc/" + std::to_string(pid()) + "/fd");
  return static_cast<std::size_t>(std::distance(begin(open), end(open)));
}

std::size_t server_program::memory() const { return std::stoul(field(status(), "VmRSS")) * 1024; }

std::chrono::nanoseconds server_program::cpu_time() const {
  clockid_t clock;
  errno = ::clock_getcpuclockid(pid(), &clock);
  timespec used;
  if (errno != 0 || ::clock_gettime(clock, &used) < 0) fail_with_errno("the processor time of a program");
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

std::size_t server_program::unread() const {
  std::ifstream lines("/proc/net/tcp");
  std::string line;
  std::getline(lines, line);  // the headings
  std::size_t bytes = 0;
  while (std::getline(lines, line)) {
    const tcp_line each = parse_tcp_line(line);
    if (each.local_port == port_ && each.state != listening) bytes += each.unread;
  }
  return bytes;
}

void server_program::settle() const {
  main_thread before;
  eventually("the server sleeps", [&] {
    const main_thread now = look();
    const bool slept_on = now.state == 'S' && now == before;
    before = now;
    return slept_on || now.state == 'Z';
  });
}

void server_program::wait_until_stopped() const {
  eventually("the server is stopped", [this] { return look().state == 'T'; });
}

void server_program::send_signal_asleep(int number) const {
  settle();
  send_signal(number);
}

activity server_program::observe(std::chrono::seconds how_long) const {
  const auto begin = std::chrono::steady_clock::now();
  const auto cpu_before = cpu_time();
  const auto sleeps_before = look().sleeps;
  std::this_thread::sleep_for(how_long);
  return {std::chrono::steady_clock::now() - begin, cpu_time() - cpu_before, look().sleeps - sleeps_before};
}

// Both from one reading of the file, or they would not belong together.
server_program::main_thread server_program::look() const {
  const std::string now = status();
  return {field(now, "State").front(), std::stoul(field(now, "voluntary_ctxt_switches"))};
}

std::string server_program::status() const {
  std::ifstream file("/proc/" + std::to_string(pid()) + "/status");
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace support
