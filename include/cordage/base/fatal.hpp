// What happens when a promise is broken that no code could handle: a message that says what to do, then abort.
#pragma once

#include <initializer_list>
#include <string_view>

namespace cordage::detail {

// Writes "cordage: " and the message to standard error and aborts. Any thread; safe in a signal handler.
[[noreturn]] void fatal(const char* message) noexcept;

// The same with a message in pieces.
[[noreturn]] void fatal(std::initializer_list<std::string_view> pieces) noexcept;

// Writes "cordage: ", the pieces and a line end to standard error, and goes on. Any thread; safe in a signal handler.
void complain(std::initializer_list<std::string_view> pieces) noexcept;

// Checks what a caller promised, in every build: each use is off the hot paths.
inline void expects(bool promise_kept, const char* message) noexcept {
  if (!promise_kept) [[unlikely]] fatal(message);
}

}  // namespace cordage::detail
