// Stop: the third way to complete, beside a value and an error.
//
// A stopped operation hands nothing to code that might ignore it: the awaiting frames are destroyed, innermost first,
// up to the nearest boundary (with_scope, a spawn, run); destructors run, no other statement does. A fiber is unwound
// to the same boundary by an exception. Completion beats stop: what completed is delivered, and the next wait stops.
// A stop is asked for by request_stop of a join_handle, a scope or a runtime.
#pragma once

#include <cordage/base/config.hpp>

#include <stdexcept>

namespace cordage {

// What run and sync_wait throw when what they ran was stopped and its value is not a result, which would carry
// errc::stopped.
class stopped_error : public std::runtime_error {
 public:
  stopped_error() : std::runtime_error("cordage: what was run was stopped, and has no result to tell it by") {}
};

}  // namespace cordage
