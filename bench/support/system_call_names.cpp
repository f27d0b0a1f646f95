#include "support/system_call_names.hpp"

#include <sys/syscall.h>

#include <utility>

namespace bench {
namespace {

constexpr std::pair<long, const char*> names[] = {
    {SYS_read, "read"},
    {SYS_write, "write"},
    {SYS_readv, "readv"},
    {SYS_writev, "writev"},
    {SYS_recvfrom, "recvfrom"},
    {SYS_recvmsg, "recvmsg"},
    {SYS_sendto, "sendto"},
    {SYS_sendmsg, "sendmsg"},
    {SYS_accept4, "accept4"},
    {SYS_close, "close"},
    {SYS_openat, "openat"},
    {SYS_newfstatat, "newfstatat"},
    {SYS_sendfile, "sendfile"},
    {SYS_setsockopt, "setsockopt"},
    {SYS_epoll_ctl, "epoll_ctl"},
    {SYS_epoll_pwait, "epoll_pwait"},
    {SYS_epoll_pwait2, "epoll_pwait2"},
#ifdef SYS_epoll_wait  // newer architectures have only epoll_pwait
    {SYS_epoll_wait, "epoll_wait"},
    {SYS_poll, "poll"},
#endif
    {SYS_ppoll, "ppoll"},
    {SYS_io_uring_enter, "io_uring_enter"},
    {SYS_timerfd_settime, "timerfd_settime"},
    {SYS_clock_gettime, "clock_gettime"},
    {SYS_clock_nanosleep, "clock_nanosleep"},
    {SYS_futex, "futex"},
    {SYS_sched_yield, "sched_yield"},
    {SYS_mmap, "mmap"},
    {SYS_munmap, "munmap"},
    {SYS_madvise, "madvise"},
    {SYS_brk, "brk"},
};

}  // namespace

std::string system_call_name(long number) {
  for (const auto& [known, name] : names)
    if (known == number) return name;
  return "call " + std::to_string(number);
}

}  // namespace bench
