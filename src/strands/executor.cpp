#include <cordage/strands/executor.hpp>

namespace cordage {

constinit thread_local executor* executor::running_ = nullptr;

}  // namespace cordage
