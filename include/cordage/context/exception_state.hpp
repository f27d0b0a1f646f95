// What the C++ runtime remembers per thread about exceptions in flight has to be remembered per stack instead, or a
// fiber that waits inside a catch block rethrows another fiber's exception.
//
// Each file chosen in base/config.hpp defines `exception_state` with
//   attach_to_this_thread()    once, on the thread where the stack will run
//   enter() / leave(answer)    swap what is saved with what the thread holds, on the way in and on the way out
#pragma once

#include <cordage/base/config.hpp>

#include CORDAGE_EXCEPTION_STATE_HEADER
