#include "runtime/dump_signal.hpp"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>

#include <cordage/base/atomic.hpp>
#include <cordage/base/exceptions.hpp>
#include <cordage/strands/executor.hpp>

namespace cordage::detail {

// One for each dump_signal. They are used again and never freed, so that a handler may walk through them at any time.
struct dump_slot {
  static constexpr std::uint32_t in_use = 1;
  static constexpr std::uint32_t one_handler = 2;

  // Bit 0: in use, written by dump_signal. The rest: how many handlers are looking, counted by them. A handler that finds
  // the slot in use sees what stands in it: its acquire is the partner of the release that opened it. Who has closed it
  // waits until the count is zero: that acquire is the partner of the handlers' release. It is one word, so nothing
  // depends on the order of two.
  atomic<std::uint32_t> word{0};
  // True from when a handler posts the node until that runs. Who exchanges it for true may write the node's words:
  // acquire, the partner of the release with which the node gives them back.
  atomic<bool> posted{false};

  int number = 0;
  resumable* node = nullptr;
  dump_slot* next = nullptr;  // written before the slot is published
};

namespace {

// Written under the mutex by release, walked by handlers with acquire.
constinit atomic<dump_slot*> newest{nullptr};

// What follows is under the mutex.
constinit std::mutex mutex;

// What a signal did before the first that has it.
struct previous {
  struct sigaction action;
  std::size_t users = 0;
};

previous& previous_of(int number) {
  static std::array<previous, NSIG> all;
  return all[static_cast<std::size_t>(number)];
}

void post(int number) {
  const int saved_errno = errno;
  for (dump_slot* each = newest.load(memory_order_acquire); each != nullptr; each = each->next) {
    const std::uint32_t word = each->word.fetch_add(dump_slot::one_handler, memory_order_acquire);
    if ((word & dump_slot::in_use) != 0 && each->number == number && !each->posted.exchange(true, memory_order_acquire))
      each->node->home->post(*each->node);
    each->word.fetch_sub(dump_slot::one_handler, memory_order_release);
  }
  errno = saved_errno;
}

// Takes one, and has the signal post its node from then on.
dump_slot& open_slot(int number, resumable& node) {
  // Relaxed: under the mutex nobody else writes it.
  dump_slot* const first = newest.load(memory_order_relaxed);
  dump_slot* slot = first;
  while (slot != nullptr && (slot->word.load(memory_order_relaxed) & dump_slot::in_use) != 0) slot = slot->next;
  if (slot == nullptr) {
    slot = new dump_slot;
    slot->next = first;
    newest.store(slot, memory_order_release);
  }
  slot->posted.store(false, memory_order_relaxed);
  slot->number = number;
  slot->node = &node;
  slot->word.fetch_or(dump_slot::in_use, memory_order_release);
  return *slot;
}

previous& require_previous(int number) {
  if (number <= 0 || number >= NSIG)
    throw_exception<std::invalid_argument>("runtime_options.dump_signal is no signal",
                                           "cordage: runtime_options.dump_signal is " + std::to_string(number) +
                                               "; it has to be a signal, SIGUSR1 say, or 0 for none");
  return previous_of(number);
}

dump_slot& begin(int number, resumable& node) {
  const std::lock_guard lock(mutex);
  previous& before = require_previous(number);
  struct sigaction ours {};
  ours.sa_handler = post;
  ours.sa_flags = SA_RESTART;
  if (before.users == 0 && ::sigaction(number, &ours, &before.action) < 0)
    throw_exception<std::invalid_argument>("runtime_options.dump_signal cannot be handled",
                                           "cordage: runtime_options.dump_signal is " + std::to_string(number) +
                                               ", which the system does not let a program handle");
  ++before.users;
  return open_slot(number, node);
}

}  // namespace

dump_signal::dump_signal(int number, resumable& node) : mine_(begin(number, node)) {}

dump_signal::~dump_signal() {
  const std::lock_guard lock(mutex);
  previous& before = previous_of(mine_.number);
  if (--before.users == 0) ::sigaction(mine_.number, &before.action, nullptr);
  mine_.word.fetch_and(~dump_slot::in_use, memory_order_relaxed);
  while (mine_.word.load(memory_order_acquire) != 0) std::this_thread::yield();
}

void dump_signal::received() noexcept { mine_.posted.store(false, memory_order_release); }

void write_to_standard_error(std::string_view text) noexcept {
  while (!text.empty()) {
    const auto written = ::write(STDERR_FILENO, text.data(), text.size());
    if (written < 0 && errno != EINTR) return;
    if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace cordage::detail
