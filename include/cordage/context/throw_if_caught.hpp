// Throws like `throw`, but comes back where `throw` would end the program because nobody catches it. An unwinder looks for a
// handler before it unwinds anything, and that search ends early at code that has no unwind information.
//
// Each file chosen in base/config.hpp defines
//   throw_if_caught(what, exception)   throws; comes back where there is no handler, and then nothing was unwound. Where
//                                      there are no exceptions `what` is fatal
//   where_unwinding_ends()             the last code that unwinders find from here outwards; null where that is not known
#pragma once

#include <cordage/base/config.hpp>

#include CORDAGE_THROW_IF_CAUGHT_HEADER
