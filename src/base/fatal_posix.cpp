#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include <cordage/base/fatal.hpp>

namespace cordage::detail {
namespace {

// Standard error may be closed or full; there is nobody left to tell, so what write answers is not used.
void say(std::string_view text) noexcept {
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace

void complain(std::initializer_list<std::string_view> pieces) noexcept {
  const int saved_errno = errno;
  say("cordage: ");
  for (const std::string_view piece : pieces) say(piece);
  say("\n");
  errno = saved_errno;
}

void fatal(const char* message) noexcept { fatal({std::string_view(message)}); }

void fatal(std::initializer_list<std::string_view> pieces) noexcept {
  complain(pieces);
  std::abort();
}

}  // namespace cordage::detail
