// The library's own errors. Those of the operating system keep their own codes (std::system_category).
#pragma once

namespace cordage {

enum class errc {
  timed_out = 1,        // a deadline passed first; equals std::errc::timed_out
  stopped = 2,          // a request_stop above ended the work; equals std::errc::operation_canceled
  end_of_stream = 3,    // the peer ended the stream before all that was asked for had arrived
  broken_promise = 4,   // whoever should have completed the wait dropped it instead
  closed = 5,           // the object waited for was closed by its owner
  lost_race = 6,        // another alternative completed first
  out_of_memory = 7,    // a coroutine frame or a stack could not be allocated; equals std::errc::not_enough_memory
  invalid_endpoint = 8, // a text is no endpoint; equals std::errc::invalid_argument
  lagged = 9,           // values of a broadcast were overwritten before they were received
  too_long = 10,        // a line has more bytes than its reader takes; equals std::errc::message_size
};

}  // namespace cordage
