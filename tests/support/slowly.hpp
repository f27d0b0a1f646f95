// What takes many times as long as usual, where tests do less of what they do many times.
#pragma once

#include <cordage/base/config.hpp>

namespace support {

inline constexpr bool emulated = CORDAGE_TESTS_ARE_EMULATED;
inline constexpr bool slowly = cordage::config::sanitized || emulated;

}  // namespace support
