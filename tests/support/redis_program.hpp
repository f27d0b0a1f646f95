// A real redis-server under a test: on a port of its own, keeping nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "child_process.hpp"
#include "client.hpp"

namespace support {

class redis_program {
 public:
  // Returns when it accepts connections. It must be installed.
  redis_program();

  std::uint16_t port() const noexcept { return port_; }
  // The first line of its answer to a command without blanks in its words.
  std::string ask(const std::string& command);
  void kill();

 private:
  std::uint16_t port_ = 0;
  std::unique_ptr<child_process> program_;
};

}  // namespace support
