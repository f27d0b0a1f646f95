#include "support/other_servers.hpp"

#include <stdlib.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <system_error>

#include "support/failure.hpp"

namespace bench {
namespace {

void write_file(const std::filesystem::path& path, std::string_view text) {
  std::ofstream file(path);
  file << text;
  if (!file.flush()) throw std::runtime_error("cannot write " + path.string());
}

// Connections are kept for as many requests as we like. What Debian's configuration says of sending files is kept.
std::string nginx_configuration(const std::string& directory, std::uint16_t port, const std::string& body) {
  std::string text = "daemon off; master_process off; error_log stderr warn;\n"
                     "pid " + directory + "/nginx." + std::to_string(port) + ".pid;\n"
                     "events { worker_connections 4096; }\n"
                     "http {\n"
                     "  access_log off; default_type text/plain; sendfile on; tcp_nopush on;\n"
                     "  keepalive_requests 1000000000; keepalive_timeout 1h;\n";
  for (const char* kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"})
    text += std::string("  ") + kind + "_temp_path " + directory + "/" + kind + ";\n";
  return text + "  server {\n"
                "    listen 127.0.0.1:" + std::to_string(port) + ";\n"
                "    location = / { return 200 \"" + body + "\"; }\n"
                "    location = /file { root " + directory + "; }\n"
                "  }\n"
                "}\n";
}

}  // namespace

std::optional<std::string> find_program(std::string_view name) {
  const char* from_environment = std::getenv("PATH");
  std::string_view path = from_environment ? from_environment : "/usr/bin";
  const std::string directories = std::string(path) + ":/usr/sbin:/usr/local/sbin";
  for (path = directories; !path.empty();) {
    const std::size_t end = std::min(path.find(':'), path.size());
    const std::string program = std::string(path.substr(0, end)) + "/" + std::string(name);
    if (::access(program.c_str(), X_OK) == 0) return program;
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return {};
}

temporary_directory::temporary_directory() {
  std::string pattern = std::filesystem::temp_directory_path() / "cordage-bench-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) throw_errno("cannot make the directory " + pattern);
  path_ = pattern;
}

temporary_directory::~temporary_directory() {
  std::error_code ignored;  // what is left in a directory for temporary files harms nobody
  std::filesystem::remove_all(path_, ignored);
}

server_commands nginx(const std::string& program, const temporary_directory& directory, std::string_view body) {
  return [program, path = directory.path(), body = std::string(body)] {
    const std::uint16_t port = free_port();
    const std::filesystem::path configuration = path / ("nginx." + std::to_string(port));
    write_file(path / "file", body);
    write_file(configuration, nginx_configuration(path, port, body));
    // -e: what goes wrong before the configuration is read would be logged where only root may write.
    return server_command{{program, "-e", "stderr", "-p", path, "-c", configuration}, port};
  };
}

server_commands redis(const std::string& program, const temporary_directory& directory) {
  return [program, path = directory.path()] {
    const std::uint16_t port = free_port();
    return server_command{{program, "--port", std::to_string(port), "--bind", "127.0.0.1", "--dir", path, "--save", "",
                           "--appendonly", "no", "--io-threads", "1", "--daemonize", "no", "--loglevel", "warning"},
                          port};
  };
}

}  // namespace bench
