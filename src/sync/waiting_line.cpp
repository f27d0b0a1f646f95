#include <cordage/sync/waiting_line.hpp>

#include <cordage/base/fatal.hpp>
#include <cordage/strands/fiber_base.hpp>

namespace cordage::detail {
namespace {

std::string_view name_of(strand& who) noexcept {
  const fiber_base* const fiber = who.began_with().fiber;
  if (fiber == nullptr) return who.given_name();
  return fiber->is_named() ? fiber->name() : std::string_view();
}

}  // namespace

void destroyed_under_waiters(const char* kind, intrusive_list<place_in_line>& waiting) noexcept {
  strand* const first = waiting.front().who;
  const std::string_view a = kind[0] == 'a' ? "an " : "a ";
  if (first == nullptr) fatal({a, kind, " was destroyed while somebody waits for it"});
  const std::string_view style = first->kind() == strand_kind::fiber ? "fiber" : "task";
  const std::string_view name = name_of(*first);
  if (name.empty()) fatal({a, kind, " was destroyed while a ", style, " waits for it; who shares it has to keep it alive"});
  fatal({a, kind, " was destroyed while ", style, " \"", name, "\" waits for it; who shares it has to keep it alive"});
}

}  // namespace cordage::detail
