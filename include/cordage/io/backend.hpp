// The contract of backends: one per worker, used on its thread, except for unpark.
//
// A backend wakes the node of an operation when that is complete; it never calls `run`, and nothing that it calls does,
// so that code that goes on may close what is being polled.
#pragma once

#include <cordage/context/operation.hpp>
#include <cordage/io/descriptor.hpp>
#include <cordage/io/io_operation.hpp>
#include <cordage/runtime/poller.hpp>

namespace cordage::detail {

class backend : public poller {
 public:
  // False: complete at once, nobody will be woken. True: op.waiter will be woken once, in a later poll or while another
  // operation is cancelled. The first operation on a descriptor registers it here; that may fail, which is the operation's
  // failure.
  virtual bool submit(io_operation& op) noexcept = 0;

  // Of an operation that submit accepted. When it answers, the operation and its memory may go. Too late: it is complete, and
  // its waiter has been woken.
  virtual cancel_result cancel(io_operation& op) noexcept = 0;

  // The descriptor is about to be closed: completes what waits with errc::closed and forgets it; `on` of these
  // operations is null then. An event that is already on its way does not reach whatever gets the same number later.
  virtual void forget(descriptor& d) noexcept = 0;
};

// The backend of the worker that runs this thread. Throws std::logic_error outside of a runtime.
backend& current_backend();

}  // namespace cordage::detail
