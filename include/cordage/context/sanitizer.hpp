// Tells the sanitizers about stacks and switches, which they cannot see.
//
// Each file chosen in base/config.hpp defines `sanitizer_fiber`, one per stack, with
//   clean(low, size)                a stack gets a new owner; before anything is written to it
//   begin(low, size) / end()        before its first / after its last switch; on the outside
//   before_enter() / after_leave()  on the outside, around the switch in
//   after_enter() / before_leave()  on the stack itself; before_last_leave() when it will not be entered again
#pragma once

#include <cordage/base/config.hpp>

#include CORDAGE_SANITIZER_HEADER
