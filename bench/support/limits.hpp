// Resource limits that would otherwise spoil a benchmark.
#pragma once

namespace bench {

// Lets this process, and the servers it starts from now on, open as many descriptors as the system permits. Every
// connection of a load generator is one, and so is its other end in the server.
void raise_descriptor_limit();

}  // namespace bench
