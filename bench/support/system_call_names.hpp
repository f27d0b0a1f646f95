// Names of the system calls that servers make, for reports.
#pragma once

#include <string>

namespace bench {

// "recvfrom", or "call 437" for one that is not in the list.
std::string system_call_name(long number);

}  // namespace bench
