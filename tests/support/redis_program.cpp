#include "redis_program.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <csignal>
#include <stdexcept>

#include "guarded_io.hpp"
#include "system_calls.hpp"

namespace support {
namespace {

// Free at this moment; redis cannot be told to choose one.
std::uint16_t free_port() {
  const owned_fd probe = open_stream_socket(AF_INET);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(probe.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::getsockname(probe.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw std::runtime_error("there is no free port");
  return ntohs(address.sin_port);
}

bool accepts(std::uint16_t port) {
  try {
    client probe(port);
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace

redis_program::redis_program() {
  for (int attempt = 0; attempt < 5; ++attempt) {
    port_ = free_port();
    program_ = std::make_unique<child_process>(std::vector<std::string>{
        "redis-server", "--port", std::to_string(port_), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"});
    bool gone = false;
    eventually("a redis-server that listens", [&] { return (gone = program_->has_ended()) || accepts(port_); });
    if (!gone) return;
  }
  throw std::runtime_error("redis-server does not start: " + program_->wait().output);
}

std::string redis_program::ask(const std::string& command) {
  client asks(port_);
  asks.send_all(command + "\r\n");
  std::string answer;
  while (answer.find('\n') == answer.npos) answer += asks.receive_some();
  return answer;
}

void redis_program::kill() {
  program_->send_signal(SIGKILL);
  program_->wait();
}

}  // namespace support
