// Well-known servers to compare with, as Debian packages them: found where they are installed, configured for one
// process on one core that logs nothing, and told a port.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "support/child_process.hpp"

namespace bench {

// The path of an installed program, also of one that only root's PATH has.
std::optional<std::string> find_program(std::string_view name);

// Made under the system's directory for such, and removed with all that is in it. A benchmark that is interrupted leaves
// it behind.
class temporary_directory {
 public:
  temporary_directory();
  temporary_directory(const temporary_directory&) = delete;
  ~temporary_directory();

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// nginx that answers `GET /` from its configuration and `GET /file` with a file, both with this body. It is a single
// process, not a master with a worker, so that its CPU clock is everything it uses. Each start writes a configuration
// to the directory, which has to outlive the server.
server_commands nginx(const std::string& program, const temporary_directory& directory, std::string_view body);

// redis-server that saves nothing.
server_commands redis(const std::string& program, const temporary_directory& directory);

}  // namespace bench
