#include "runtime/symbols.hpp"

#include <cxxabi.h>

#include <cstdlib>
#include <memory>
#include <string_view>

namespace cordage::detail {
namespace {

constexpr std::size_t long_name = 100;

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

// Where the name begins, behind the return type that templates are shown with.
std::size_t after_return_type(std::string_view whole) {
  std::size_t name = 0;
  for (std::size_t at = 0; at < whole.size() && whole[at] != '(';) {
    if (const std::size_t next = after_operator(whole, at); next != at) return name;
    if (whole[at] == ' ') name = at + 1;
    at = whole[at] == '<' || whole[at] == '{' ? closing(whole, at) + 1 : at + 1;
  }
  return name;
}

// "f() [clone .actor]", "f() (.resume)"; g++ also gives it the frame as a parameter: "f(f()::_Z1fv.Frame*)".
void remove_what_compilers_add(std::string& name) {
  for (const char* mark : {" [clone ", " (."}) {
    if (const std::size_t at = name.find(mark); at != name.npos) name.erase(at);
  }
  const std::size_t frame = name.rfind(".Frame*)");
  const std::size_t symbol = frame == name.npos ? name.npos : name.rfind("::_Z", frame);
  if (symbol == name.npos) return;
  name.erase(symbol);
  // What is left is "f(f()": the name alone, and then in full.
  const std::string_view both = name;
  for (std::size_t at = both.find('('); at != name.npos; at = both.find('(', at + 1)) {
    if (both.substr(at + 1).starts_with(both.substr(0, at))) return void(name.erase(0, at + 1));
  }
}

// Where a lambda's type begins that ends at `end`: "{lambda(int)#1}", by clang also "$_0". `end` where there is none.
std::size_t begin_of_lambda(std::string_view name, std::size_t end) {
  const std::string_view before = name.substr(0, end);
  const std::size_t begin = before.ends_with('}') ? before.rfind("{lambda") : before.rfind("$_");
  if (begin == before.npos) return end;
  const bool number = before.ends_with('}') || before.find_first_not_of("0123456789", begin + 2) == before.npos;
  return number ? begin : end;
}

// "f()::{lambda(int)#1}::operator()(int) const" becomes "f()::{lambda}(int)".
void simplify_lambdas(std::string& name) {
  constexpr std::string_view call = "::operator()";
  for (std::size_t at = name.find(call); at != name.npos; at = name.find(call, at + 1)) {
    const std::size_t begin = begin_of_lambda(name, at);
    if (begin == at) continue;
    name.replace(begin, at + call.size() - begin, "{lambda}");
    at = begin;
    const std::size_t parameters = name.find('(', begin);
    const std::size_t end = parameters == name.npos ? name.npos : closing(name, parameters) + 1;
    if (end < name.size() && name.substr(end).starts_with(" const")) name.erase(end, 6);
  }
}

// What stands between such brackets, as long as the name is too long.
void shorten(std::string& name, char open, std::string_view instead) {
  for (std::size_t at = name.find(open); at != name.npos && name.size() > long_name; at = name.find(open, at + instead.size())) {
    if (name.substr(at).starts_with("()")) continue;
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
  replace_all(name, "(anonymous namespace)::", "");
  replace_all(name, "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >", "std::string");
  remove_what_compilers_add(name);
  simplify_lambdas(name);
  name.erase(0, after_return_type(name));
  shorten(name, '<', "<...>");
  shorten(name, '(', "(...)");
  return name;
}

}  // namespace cordage::detail
