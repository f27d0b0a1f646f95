// Flags are set after opening, since macOS has no calls that do both.
#include <fcntl.h>
#include <mach/mach.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <utility>

#include "guarded_io.hpp"
#include "system_calls.hpp"

namespace support {
namespace {

// Of the states in netinet/tcp_fsm.h, which SDKs leave out.
constexpr int fin_wait_1 = 6;
constexpr int fin_wait_2 = 9;

owned_fd opened(int fd, const char* what) {
  if (fd < 0 || ::fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) fail_with_errno(what);
  return owned_fd(fd);
}

}  // namespace

owned_fd open_stream_socket(int family) { return opened(::socket(family, SOCK_STREAM, 0), "socket"); }
owned_fd accept_from(int listener) { return opened(::accept(listener, nullptr, nullptr), "accept"); }

owned_fd open_nameless_file() {
  char name[] = "/tmp/cordage.XXXXXX";
  owned_fd made = opened(::mkstemp(name), "mkstemp");
  ::unlink(name);
  return made;
}

both_ends open_socket_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0) fail_with_errno("socketpair");
  return {opened(ends[0], "fcntl"), opened(ends[1], "fcntl")};
}

both_ends open_pipe() {
  int ends[2];
  if (::pipe(ends) < 0) fail_with_errno("pipe");
  return {opened(ends[0], "fcntl"), opened(ends[1], "fcntl")};
}

both_ends open_terminal() {
  owned_fd keyboard = opened(::posix_openpt(O_RDWR | O_NOCTTY), "posix_openpt");
  if (::grantpt(keyboard.get()) < 0 || ::unlockpt(keyboard.get()) < 0) fail_with_errno("grantpt");
  return {opened(::open(::ptsname(keyboard.get()), O_RDWR | O_NOCTTY), "a terminal"), std::move(keyboard)};
}

std::size_t unacknowledged_by_peer(int socket) {
  int count = 0;
  socklen_t size = sizeof count;
  if (::getsockopt(socket, SOL_SOCKET, SO_NWRITE, &count, &size) < 0) fail_with_errno("SO_NWRITE");
  return static_cast<std::size_t>(count);
}

closing closing_of(int socket) {
  tcp_connection_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(socket, IPPROTO_TCP, TCP_CONNECTION_INFO, &info, &size) < 0) fail_with_errno("TCP_CONNECTION_INFO");
  switch (info.tcpi_state) {
    case fin_wait_1: return closing::end_sent;
    case fin_wait_2: return closing::end_acknowledged;
    default: return closing::other;
  }
}

// There is no such thing here: what a test that is killed has started goes on.
void end_with_parent() noexcept {}

void close_other_descriptors() noexcept {
  for (int fd = ::getdtablesize(); fd-- > 3;) ::close(fd);
}

void forbid_io_uring() {}
void starve_rings(const std::function<void(std::atomic<int>&)>&) {}

const int protection_fault = SIGBUS;

double free_memory() {
  vm_statistics64_data_t pages{};
  mach_msg_type_number_t count = HOST_VM_INFO64_COUNT;
  ::host_statistics64(::mach_host_self(), HOST_VM_INFO64, reinterpret_cast<host_info64_t>(&pages), &count);
  return static_cast<double>(pages.free_count) * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

}  // namespace support
