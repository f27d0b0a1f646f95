// How a death test starts the child in which it dies.
#pragma once

namespace support {

// A fresh process, since this one may have threads (GoogleTest's style "threadsafe"). Where the program cannot start itself,
// as under an emulator that the kernel does not know, the child is a copy of this process. First in each death test.
void prepare_death_test();

}  // namespace support
