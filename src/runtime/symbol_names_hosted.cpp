#include "runtime/symbols.hpp"

#include <cxxabi.h>

#include <cstdlib>
#include <memory>
#include <string_view>

namespace cordage::detail {
namespace {

constexpr std::size_t long_name = 100;

void remove_all(std::string& name, std::string_view what) {
  for (std::size_t at; (at = name.find(what)) != name.npos;) name.erase(at, what.size());
}

void replace_all(std::string& name, std::string_view what, std::string_view by) {
  for (std::size_t at; (at = name.find(what)) != name.npos;) name.replace(at, what.size(), by);
}

// Where the bracket that opens at `at` is closed; the end where it is not.
std::size_t closing(std::string_view name, std::size_t at) {
  std::size_t depth = 0;
  for (; at < name.size(); ++at) {
    const bool arrow = name[at] == '>' && at > 0 && name[at - 1] == '-';
    if (std::string_view("(<{[").find(name[at]) != std::string_view::npos) ++depth;
    if (!arrow && std::string_view(")>}]").find(name[at]) != std::string_view::npos && --depth == 0) return at;
  }
  return name.size();
}

// `operator` with its own brackets, spaces and angles, at `at`: where it ends. Otherwise `at`.
std::size_t after_operator(std::string_view name, std::size_t at) {
  constexpr std::string_view word = "operator";
  if (!name.substr(at).starts_with(word)) return at;
  at += word.size();
  if (name.substr(at).starts_with("()")) return at + 2;
  while (at < name.size() && std::string_view("<>=-+ ").find(name[at]) != std::string_view::npos) ++at;
  return at;
}

struct parts {
  std::size_t name = 0;        // where it begins, after a return type
  std::size_t parameters = 0;  // where they begin; the end without any
};

parts parts_of(std::string_view whole) {
  parts found{0, whole.size()};
  for (std::size_t at = 0; at < whole.size();) {
    if (const std::size_t next = after_operator(whole, at); next != at) {
      at = next;
    } else if (whole[at] == '(' && !whole.substr(at).starts_with("(anonymous") && whole.find("::", closing(whole, at)) != closing(whole, at) + 1) {
      found.parameters = at;
      break;
    } else if (std::string_view("(<{[").find(whole[at]) != std::string_view::npos) {
      at = closing(whole, at) + 1;
    } else {
      if (whole[at] == ' ') found.name = at + 1;
      ++at;
    }
  }
  return found;
}

// "f [clone .actor]", "f (.resume)"; g++ also gives the frame as the parameter: "f(f()::_Z1fv.Frame*)".
void remove_what_compilers_add(std::string& name) {
  for (const char* mark : {" [clone ", " (."}) {
    if (const std::size_t at = name.find(mark); at != name.npos) name.erase(at);
  }
  const std::size_t frame = name.rfind(".Frame*)");
  const std::size_t begin = frame == name.npos ? name.npos : name.rfind("::_Z", frame);
  if (begin == name.npos) return;
  name.erase(begin);
  // What is left is "f(f()": the name, and again in full.
  for (std::size_t at = name.find('('); at != name.npos; at = name.find('(', at + 1)) {
    if (std::string_view(name).substr(at + 1).starts_with(std::string_view(name).substr(0, at))) {
      name.erase(0, at + 1);
      return;
    }
  }
}

// What stands between such brackets, as long as the name is too long.
void shorten(std::string& name, char open, std::string_view instead) {
  for (std::size_t at = name.find(open); at != name.npos && name.size() > long_name; at = name.find(open, at + instead.size())) {
    if (name.substr(at).starts_with("(anonymous") || name.substr(at).starts_with("()")) continue;
    const std::size_t end = closing(name, at);
    if (end == name.size()) return;
    name.replace(at, end + 1 - at, instead);
  }
}

}  // namespace

std::string readable_name(const char* symbol) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> demangled(abi::__cxa_demangle(symbol, nullptr, nullptr, &status), std::free);
  std::string name = demangled != nullptr ? demangled.get() : symbol;
  remove_what_compilers_add(name);
  replace_all(name, "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >", "std::string");
  remove_all(name, "(anonymous namespace)::");
  replace_all(name, "{lambda()#1}::operator()() const", "{lambda}");
  name.erase(0, parts_of(name).name);
  shorten(name, '<', "<...>");
  shorten(name, '(', "(...)");
  return name;
}

}  // namespace cordage::detail
