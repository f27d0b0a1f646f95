// prepare_thread_for_overflows() of context/stack.hpp: a handler of SIGSEGV, and of SIGBUS, which is what macOS raises for a
// guard page, for the process, and a signal stack for each thread that runs fibers or coroutines. The handler finds whose
// guard page was hit by the slabs, in a signal-safe way.
#include <signal.h>

#include <cstddef>
#include <memory>
#include <mutex>

#include <cordage/base/config.hpp>
#include <cordage/base/fatal.hpp>
#include <cordage/context/stackful.hpp>

#include "slab.hpp"

namespace cordage::detail {
namespace {

struct fault {
  int signal;
  struct sigaction previous;
};
fault faults[] = {{SIGSEGV, {}}, {SIGBUS, {}}};

// "64", of a power of two between 16 KiB and 1 GiB, in KiB. No printf in a signal handler.
struct digits {
  char text[8];
  std::size_t length = 0;
  explicit digits(std::size_t number) noexcept {
    for (std::size_t rest = number; rest != 0; rest /= 10) ++length;
    for (std::size_t at = length; at-- > 0; number /= 10) text[at] = static_cast<char>('0' + number % 10);
  }
};

// Whether the address lies in the guard page of a stack that is in use; says so.
bool report_overflow_at(const std::byte* address) noexcept {
  const slab* const hit = slab::of(address);
  if (hit == nullptr || !hit->guarded) return false;
  const std::size_t index = hit->index_of(address);
  if (address >= hit->low_of(index)) return false;
  const stack& of = *hit->stack_at(index);
  if (of.occupant == nullptr) return false;
  const digits kilobytes(of.nominal_size() / 1024);
  complain({of.occupant->kind() == stackful_kind::fiber ? "fiber \"" : "coroutine \"", of.occupant->name(), "\" overflowed its ",
            {kilobytes.text, kilobytes.length}, " KiB stack"});
  return true;
}

bool is_standard(const struct sigaction& action) noexcept { return action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN; }

// An overflow is reported, and ends the program as such a fault does by default. Any other fault is left to whoever had it
// before us, for good: the faulting instruction is run again, and a handler is entered on the stack and under the mask that
// it was installed with. A signal that was sent, and is no fault, is handed on.
void on_fault(int signal, siginfo_t* info, void* context) {
  const struct sigaction& before = faults[signal == SIGSEGV ? 0 : 1].previous;
  const bool sent = info->si_code <= 0 || info->si_code == SI_USER || info->si_code == SI_QUEUE;
  const bool ours = !sent && report_overflow_at(static_cast<const std::byte*>(info->si_addr));
  if (sent && !is_standard(before)) {
    if ((before.sa_flags & SA_SIGINFO) != 0) return before.sa_sigaction(signal, info, context);
    return before.sa_handler(signal);
  }
  if (sent && before.sa_handler == SIG_IGN) return;
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  ::sigaction(signal, ours || is_standard(before) ? &standard : &before, nullptr);
  if (sent) ::raise(signal);
}

// A stack for the handler, since the one that overflowed has no room. One that somebody has set already is used.
class signal_stack {
 public:
  signal_stack() noexcept {
    stack_t before{};
    if (::sigaltstack(nullptr, &before) != 0 || (before.ss_flags & SS_DISABLE) == 0) return;
    memory_ = std::unique_ptr<std::byte[]>(new (std::nothrow) std::byte[size]);
    if (memory_ == nullptr) return;
    stack_t ours{};
    ours.ss_sp = memory_.get();
    ours.ss_size = size;
    ::sigaltstack(&ours, nullptr);
  }
  signal_stack(const signal_stack&) = delete;
  signal_stack& operator=(const signal_stack&) = delete;
  ~signal_stack() {
    stack_t now{};
    if (memory_ == nullptr || ::sigaltstack(nullptr, &now) != 0 || now.ss_sp != memory_.get()) return;
    stack_t none{};
    none.ss_flags = SS_DISABLE;
    ::sigaltstack(&none, nullptr);
  }
  void touch() noexcept {}

 private:
  static constexpr std::size_t size = 32 * 1024;
  std::unique_ptr<std::byte[]> memory_;
};

}  // namespace

// A sanitizer has its own handler, and says more.
void prepare_thread_for_overflows() noexcept {
  if constexpr (config::sanitized) return;
  static std::once_flag installed;
  std::call_once(installed, [] {
    struct sigaction ours {};
    ours.sa_sigaction = on_fault;
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&ours.sa_mask);
    for (fault& each : faults) ::sigaction(each.signal, &ours, &each.previous);
  });
  static thread_local signal_stack of_this_thread;
  of_this_thread.touch();
}

}  // namespace cordage::detail
