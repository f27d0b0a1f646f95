#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <future>
#include <iterator>
#include <thread>

#include "guarded_io.hpp"
#include "system_calls.hpp"

namespace support {
namespace {

owned_fd opened(int fd, const char* what) {
  if (fd < 0) fail_with_errno(what);
  return owned_fd(fd);
}

}  // namespace

owned_fd open_stream_socket(int family) { return opened(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"); }
owned_fd accept_from(int listener) { return opened(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC), "accept"); }
owned_fd open_nameless_file() { return opened(::memfd_create("test", MFD_CLOEXEC), "memfd_create"); }

both_ends open_socket_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) fail_with_errno("socketpair");
  return {owned_fd(ends[0]), owned_fd(ends[1])};
}

both_ends open_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) fail_with_errno("pipe");
  return {owned_fd(ends[0]), owned_fd(ends[1])};
}

both_ends open_terminal() {
  int keyboard = -1;
  int terminal = -1;
  if (::openpty(&keyboard, &terminal, nullptr, nullptr, nullptr) < 0) fail_with_errno("openpty");
  return {owned_fd(terminal), owned_fd(keyboard)};
}

std::size_t unacknowledged_by_peer(int socket) {
  int count = 0;
  if (::ioctl(socket, SIOCOUTQ, &count) < 0) fail_with_errno("ioctl SIOCOUTQ");
  return static_cast<std::size_t>(count);
}

closing closing_of(int socket) {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) < 0) fail_with_errno("TCP_INFO");
  switch (info.tcpi_state) {
    case TCP_FIN_WAIT1: return closing::end_sent;
    case TCP_FIN_WAIT2: return closing::end_acknowledged;
    default: return closing::other;
  }
}

void end_with_parent() noexcept { ::prctl(PR_SET_PDEATHSIG, SIGKILL); }
void close_other_descriptors() noexcept { ::close_range(3, ~0U, 0); }

void forbid_io_uring() {
  sock_filter rules[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{.len = std::size(rules), .filter = rules};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
    fail_with_errno("a filter of system calls");
}

void starve_rings(const std::function<void(std::atomic<int>& refusals)>& body) {
  std::atomic<int> refusals = 0;
  std::promise<int> listener;
  std::thread thread([&] {
    sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_enter, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog program{.len = std::size(rules), .filter = rules};
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    const long fd = ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
    listener.set_value(static_cast<int>(fd));
    if (fd >= 0) body(refusals);
  });
  const int fd = listener.get_future().get();
  pollfd asked{.fd = fd, .events = POLLIN, .revents = 0};
  while (fd >= 0 && (::poll(&asked, 1, -1) < 0 || (asked.revents & POLLIN) != 0)) {  // a hang-up: the thread has ended
    seccomp_notif call{};
    if (::ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0) continue;
    seccomp_notif_resp answer{.id = call.id, .val = 0, .error = 0, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
    if (refusals > 0) {
      --refusals;
      answer.error = -EAGAIN;
      answer.flags = 0;
    }
    ::ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &answer);
  }
  thread.join();
  opened(fd, "a filter of system calls");
}

const int protection_fault = SIGSEGV;

double free_memory() {
  return static_cast<double>(::sysconf(_SC_AVPHYS_PAGES)) * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

}  // namespace support
