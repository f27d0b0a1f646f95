// Where a piece of code lies, for a message.
#pragma once

#include <string_view>

namespace cordage::detail {

// Text that lives as long as the program's files stay where they are.
struct code_place {
  std::string_view file = "an unknown file";
  char offset[2 + 2 * sizeof(void*) + 1] = "0x0";  // from the beginning of the file, as addr2line takes it
  std::string_view function;                        // empty if the file does not export it
};

// Any thread; allocates nothing.
code_place place_of(const void* code) noexcept;

}  // namespace cordage::detail
