// The one name under which the library reaches atomics, so that a model checker can put its own in their place.
#pragma once

#include <atomic>

namespace cordage::detail {

template <class T>
using atomic = std::atomic<T>;

using std::memory_order_acq_rel;
using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_release;
using std::memory_order_seq_cst;

}  // namespace cordage::detail
