// What the error of a result is without an operating system: the bare code, since the category of a
// std::error_code would pull in operator delete.
#pragma once

#include <cordage/base/errc.hpp>

namespace cordage {

using error = errc;

}  // namespace cordage
