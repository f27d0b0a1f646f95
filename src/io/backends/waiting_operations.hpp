// What all backends do with the lines of operations that wait for a descriptor.
#pragma once

#include <cordage/io/descriptor.hpp>
#include <cordage/io/io_operation.hpp>
#include <cordage/strands/executor.hpp>

namespace cordage::detail {

inline intrusive_queue<io_operation>& queue_of(io_operation& op) noexcept {
  return waits_to_read(op.kind) ? op.on->readers : op.on->writers;
}

// Of nothing the system need not be told.
inline bool is_done_already(const io_operation& op) noexcept {
  return op.transferred == op.length && (op.kind == io_kind::receive_exactly || op.kind == io_kind::send || op.kind == io_kind::send_all);
}

// The first one is complete.
inline void finish_first(intrusive_queue<io_operation>& waiting) noexcept {
  io_operation& op = waiting.pop();
  op.pending = false;
  wake(*op.waiter);
}

// Of what stands in no line any more: its descriptor goes.
inline void end_with_closed(io_operation& op) noexcept {
  op.pending = false;
  op.failure = errc::closed;
  op.on = nullptr;
  wake(*op.waiter);
}

inline bool somebody_waits_for(const descriptor* d) noexcept { return !(d->readers.empty() && d->writers.empty()); }

}  // namespace cordage::detail
