// Where things are: which CPU a thread runs on, and which directory this program was started from.
#pragma once

#include <string>

namespace bench {

// Pins the calling thread, and every thread and process it starts from now on, to one CPU. Throws if there is no such
// CPU or this process may not use it.
void pin_to_cpu(int cpu);

// Starts the program again, once, without randomization of its address space, where the system lets it: where code and data
// happen to land is worth a cycle of a turn, for one process in six, from its start to its end.
void fix_addresses(char** argv);

// The directory of the running program, without a slash at the end; servers are found relative to it, so that a build
// directory can be moved.
std::string program_directory();

}  // namespace bench
