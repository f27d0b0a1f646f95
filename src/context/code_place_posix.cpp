#include "context/code_place.hpp"

#include <dlfcn.h>

#include <charconv>
#include <cstdint>
#include <iterator>

namespace cordage::detail {

code_place place_of(const void* code) noexcept {
  code_place place;
  Dl_info found;
  auto offset = reinterpret_cast<std::uintptr_t>(code);
  if (::dladdr(code, &found) != 0) {
    place.file = found.dli_fname;
    offset -= reinterpret_cast<std::uintptr_t>(found.dli_fbase);
    if (found.dli_sname != nullptr) place.function = found.dli_sname;
  }
  *std::to_chars(place.offset + 2, std::end(place.offset) - 1, offset, 16).ptr = '\0';
  return place;
}

}  // namespace cordage::detail
