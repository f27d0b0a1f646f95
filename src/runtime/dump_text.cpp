#include <algorithm>
#include <utility>

#include "runtime/dump.hpp"

namespace cordage::detail {
namespace {

constexpr std::size_t deepest_indent = 32;  // whoever nests deeper is told so in numbers

std::string counted(std::size_t count, std::string_view what) {
  return std::to_string(count) + ' ' + std::string(what) + (count == 1 ? "" : "s");
}

// Names come from anywhere, and what is printed must not command the terminal.
std::string quoted(std::string name) {
  std::ranges::replace_if(name, [](unsigned char c) { return c < ' ' || c == 0x7f; }, '?');
  return '"' + name + '"';
}

std::string state_in_words(const dumped_strand& one) {
  switch (one.state) {
    case dumped_state::waiting:
      return "waits for " + one.waits_for + (one.held_by == 0 ? "" : ", held by " + std::to_string(one.held_by));
    case dumped_state::ready:
      if (!one.begun) return "is ready, has not begun";
      return one.waits_for.empty() ? "is ready" : "is ready, has waited for " + one.waits_for;
    case dumped_state::ended: return "has ended";
    case dumped_state::running:
    case dumped_state::running_or_ready: break;
  }
  return "is " + std::string(name_of_state[static_cast<std::size_t>(one.state)]);
}

std::string code_in_words(const dumped_strand& in, const dumped_code& code) {
  // The strand's own fiber has been named already.
  if (&code == &in.awaits.back() && in.kind == strand_kind::fiber && !code.function.empty()) return code.function;
  constexpr std::string_view kinds[] = {"", "fiber", "stackful coroutine"};
  std::string text(kinds[static_cast<std::size_t>(code.kind)]);
  if (!code.name.empty()) text += ' ' + quoted(code.name);
  if (!text.empty() && !code.function.empty()) text += ", in ";
  text += code.function;
  if (code.times > 1) text += ", " + std::to_string(code.times) + " times";
  return text;
}

void add_strand(std::string& text, const dumped_strand& one, std::size_t number, std::size_t width) {
  const std::string digits = std::to_string(number);
  const std::string indent(2 * std::min(one.depth, deepest_indent), ' ');
  const std::string below = std::string(width + 3, ' ') + indent + "in ";
  text += std::string(width - digits.size(), ' ') + digits + "  " + indent;
  text += one.kind == strand_kind::fiber ? "fiber" : "task";
  if (!one.name.empty()) text += ' ' + quoted(one.name);
  text += ' ' + state_in_words(one);
  if (one.stopping) text += ", is to stop";
  if (one.depth > deepest_indent) text += ", depth " + std::to_string(one.depth);
  text += '\n';
  if (!one.began_with.empty()) text += below + one.began_with + " or what that awaits\n";
  bool gap_told = one.left_out == 0;
  const auto tell_gap = [&] {
    if (!std::exchange(gap_told, true)) text += below + std::to_string(one.left_out) + " more\n";
  };
  for (const dumped_code& code : one.awaits) {
    if (code.after_gap) tell_gap();
    text += below + code_in_words(one, code) + '\n';
  }
  tell_gap();
}

std::string heading(const dumped_runtime& seen) {
  std::string text = "cordage: " + counted(seen.strands.size(), "strand");
  std::string_view before = " (";
  for (std::size_t state = 0; state < dumped_states; ++state) {
    if (seen.count[state] == 0) continue;
    (text += before) += std::to_string(seen.count[state]) + ' ' + std::string(name_of_state[state]);
    before = ", ";
  }
  if (!seen.strands.empty()) text += ')';
  if (seen.arriving != 0) text += ", " + std::to_string(seen.arriving) + " on the way from other threads";
  return text + ", " + counted(seen.timers, "timer") + ", " + std::string(seen.backend) + '\n';
}

}  // namespace

std::string as_text(const dumped_runtime& seen) {
  std::string text = heading(seen);
  const std::size_t width = std::to_string(seen.strands.size()).size() + 1;
  for (std::size_t i = 0; i < seen.strands.size(); ++i) add_strand(text, seen.strands[i], i + 1, width);
  return text;
}

}  // namespace cordage::detail
