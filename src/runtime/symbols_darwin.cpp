#include "runtime/symbols.hpp"

#include "context/code_place.hpp"

namespace cordage::detail {

// dladdr looks through local symbols as well here (dladdr(3) of macOS), so nothing has to be read.
void symbols::find() {
  for (auto& [address, name] : names_) {
    const code_place place = place_of(address);
    name = place.function.empty() ? std::string(place.file.substr(place.file.rfind('/') + 1)) + "+" + place.offset
                                  : readable_name(place.function.data());
  }
}

}  // namespace cordage::detail
