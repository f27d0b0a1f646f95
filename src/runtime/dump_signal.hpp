// A signal of the process that posts a node to a runtime.
#pragma once

#include <string_view>

#include <cordage/context/resumable.hpp>

namespace cordage::detail {

struct dump_slot;

// While it lives, the signal posts the node to its home, unless it is on its way already. Several may have the same
// signal, on any threads: each gets its node. The handler neither locks nor allocates.
class dump_signal {
 public:
  // Throws std::invalid_argument for what is no signal or cannot be handled.
  dump_signal(int number, resumable& node);
  dump_signal(const dump_signal&) = delete;
  dump_signal& operator=(const dump_signal&) = delete;
  // Restores what the signal did before, when it is the last that has it. The node is not posted any more.
  ~dump_signal();

  // By the node, when it runs: it is done with its `next`, and may be posted again.
  void received() noexcept;

 private:
  dump_slot& mine_;
};

// All of it, as far as standard error takes it.
void write_to_standard_error(std::string_view text) noexcept;

}  // namespace cordage::detail
