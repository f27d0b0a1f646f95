// The names of functions, by addresses in their code.
//
// Coroutines' functions for the loop are local symbols, which dladdr does not know: so the symbol tables of the
// program's files are read, once for all addresses. That takes milliseconds and is for dumps and the like.
#pragma once

#include <string>
#include <unordered_map>

namespace cordage::detail {

class symbols {
 public:
  // Before find.
  void want(const void* address) { names_.emplace(address, std::string()); }

  // Finds the names of all that are wanted.
  void find();

  // The function's name as one would write it, or `program+0x1234` where the file has no symbols for it.
  const std::string& name(const void* address) const { return names_.at(address); }

 private:
  std::unordered_map<const void*, std::string> names_;
};

// A symbol as one would write it: demangled, without what compilers add to a coroutine's name, without a template's
// return type; what is too long is shortened.
std::string readable_name(const char* symbol);

}  // namespace cordage::detail
