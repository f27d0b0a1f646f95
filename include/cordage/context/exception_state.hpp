// What the C++ runtime remembers per thread about exceptions in flight has to be remembered per stack instead, or a
// fiber that waits inside a catch block rethrows another fiber's exception.
//
// Each file chosen in base/config.hpp defines `exception_state` with
//   attach_to_this_thread()    once, on the thread where the stack will run
//   attach_if_known()          the same if another was attached on this thread before; false otherwise
//   attached_to_this_thread()  whether that was here
//   globals                    what is saved; given to the others by whoever runs on the stack
//   enter / leave / exchange   give the thread what was saved; save what the thread holds, and leave it empty; both
// and `exception_free`, by which an executor's loop has nothing in flight itself.
#pragma once

#include <cordage/base/config.hpp>

#include CORDAGE_EXCEPTION_STATE_HEADER
