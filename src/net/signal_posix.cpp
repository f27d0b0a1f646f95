// Signals by way of a pipe: the handler writes the signal's number, which is all that is safe in one.
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <system_error>

#include <cordage/base/atomic.hpp>
#include <cordage/base/exceptions.hpp>
#include <cordage/signal.hpp>

#include "io/socket_calls.hpp"

namespace cordage {
namespace {

constexpr int signal_numbers = 128;  // more than any system has

// The pipe each signal is written to, -1 for none. Written by signal_set's functions, read by the handler; relaxed,
// since the handler is installed after and removed before the number is valid.
std::array<detail::atomic<int>, signal_numbers>& pipes() noexcept {
  static auto& all = *[] {
    auto* const made = new std::array<detail::atomic<int>, signal_numbers>;
    for (auto& each : *made) each.store(-1, detail::memory_order_relaxed);
    return made;
  }();
  return all;
}

// A full pipe holds thousands of numbers of signals that nobody waited for; one more would tell nothing new.
void write_number(int number) {
  const int saved_errno = errno;
  const auto byte = static_cast<unsigned char>(number);
  const int pipe = pipes()[static_cast<std::size_t>(number)].load(detail::memory_order_relaxed);
  [[maybe_unused]] const auto written = ::write(pipe, &byte, 1);
  errno = saved_errno;
}

[[noreturn]] void refused(int code, const char* what) {
  detail::throw_exception<std::system_error>(what, code, std::system_category(), what);
}

}  // namespace

struct signal_set::previous_action {
  int number;
  struct sigaction action;
};

signal_set::signal_set(std::initializer_list<int> signals) {
  int ends[2];
  if (detail::open_pipe(ends) < 0) refused(errno, "cordage: pipe for signals");
  reads_ = std::make_unique<detail::descriptor>(detail::file_descriptor(ends[0]));
  writes_ = detail::file_descriptor(ends[1]);
  previous_.reserve(signals.size());
  for (const int number : signals) {
    struct sigaction ours {};
    ours.sa_handler = write_number;
    ours.sa_flags = SA_RESTART;
    previous_action before{number, {}};
    const bool possible = number > 0 && number < signal_numbers;
    int nobody = -1;
    if (possible && !pipes()[static_cast<std::size_t>(number)].compare_exchange_strong(
                        nobody, writes_.get(), detail::memory_order_relaxed)) {
      release();
      detail::throw_exception<std::logic_error>("a signal is in another signal_set already",
                                                "cordage: a signal is in another signal_set already");
    }
    if (!possible || ::sigaction(number, &ours, &before.action) < 0) {
      const int code = possible ? errno : EINVAL;
      if (possible) pipes()[static_cast<std::size_t>(number)].store(-1, detail::memory_order_relaxed);
      release();
      refused(code, "cordage: this signal cannot be waited for");
    }
    previous_.push_back(before);
  }
}

signal_set::~signal_set() { release(); }

void signal_set::release() noexcept {
  for (const previous_action& before : previous_) {
    ::sigaction(before.number, &before.action, nullptr);
    pipes()[static_cast<std::size_t>(before.number)].store(-1, detail::memory_order_relaxed);
  }
  previous_.clear();
}

}  // namespace cordage
