#include <cordage/context/exception_state.hpp>

namespace cordage::detail {

constinit thread_local exception_state::globals* exception_state::of_this_thread_ = nullptr;

}  // namespace cordage::detail
