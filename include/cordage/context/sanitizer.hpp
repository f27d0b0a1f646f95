// Tells the sanitizers about stacks and switches, which they cannot see.
//
// Each file chosen in base/config.hpp defines `sanitizer_fiber`, one per stack, with
//   clean(low, size)                a stack gets a new owner; before anything is written to it
//   begin(low, size) / end()        before its first / after its last switch; on the outside
//   before_enter(inner) / after_leave()     on the outside, around the switch in
//   after_enter(inner) / before_leave(inner)  on the stack itself; before_last_leave() when it will not be entered again
// `inner` is the stack that is entered and left: the own one, or that of a coroutine which the owner resumed and in
// which it waits.
#pragma once

#include <cordage/base/config.hpp>

#include CORDAGE_SANITIZER_HEADER
