// Exceptions in the few places where the library itself throws or catches, so that it also builds without them.
#pragma once

#include <cordage/base/config.hpp>

#include <type_traits>

#include CORDAGE_EXCEPTIONS_HEADER

namespace cordage::detail {

// A program has to be built as its library was, since what lies on a stack differs. Where it was not, this is missing when
// the two are linked.
void library_has_exceptions(std::bool_constant<config::exceptions>);
[[gnu::used]] inline void (*const library_is_built_like_this)(std::bool_constant<config::exceptions>) = library_has_exceptions;

}  // namespace cordage::detail
