// Exceptions in the few places where the library itself throws or catches, so that it also builds without them.
#pragma once

#include <cordage/base/config.hpp>

#include CORDAGE_EXCEPTIONS_HEADER
