#include "server_program.hpp"

#include <sstream>
#include <stdexcept>
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

std::size_t server_program::descriptors() const { return open_descriptors(pid()); }
std::size_t server_program::memory() const { return memory_of(pid()); }
std::chrono::nanoseconds server_program::cpu_time() const { return processor_time(pid()); }
std::size_t server_program::unread() const { return unread_at(port_); }

void server_program::settle() const {
  main_thread before;
  eventually("the server sleeps", [&] {
    const main_thread now = look_at(pid());
    const bool slept_on = now.state == 'S' && now == before;
    before = now;
    return slept_on || now.state == 'Z';
  });
}

void server_program::wait_until_stopped() const {
  eventually("the server is stopped", [this] { return look_at(pid()).state == 'T'; });
}

void server_program::send_signal_asleep(int number) const {
  settle();
  send_signal(number);
}

activity server_program::observe(std::chrono::seconds how_long) const {
  const auto begin = std::chrono::steady_clock::now();
  const auto cpu_before = cpu_time();
  const auto sleeps_before = look_at(pid()).sleeps;
  std::this_thread::sleep_for(how_long);
  return {std::chrono::steady_clock::now() - begin, cpu_time() - cpu_before, look_at(pid()).sleeps - sleeps_before};
}

}  // namespace support
