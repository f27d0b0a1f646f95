// The outermost frame of a stack, that of cordage_stack_root (src/context/switch_*.S).
#pragma once

// Where the entry of a stack would return to. It never does; unwinders find the root by it, one byte before. In a program that
// links the library as a shared one and is no position-independent executable, this may be the address of a stub, where they
// end.
extern "C" void cordage_stack_root_call();

namespace cordage::detail {

struct machine_context;

// What lies at the stack pointer there.
struct root_frame {
  // Through this a debugger, or backtrace(), finds the way from the stack to whoever has entered it: the context of the
  // enterer while the stack runs; while it is suspended null, or a context whose pc is no address.
  machine_context** outside;
};

}  // namespace cordage::detail
