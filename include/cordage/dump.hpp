// dump: what strands there are, in which state, what they wait for and who awaits whom, as text or as JSON.
//
//   std::fputs(cordage::dump().c_str(), stderr);            // in any strand; or runtime::dump, or at a signal, see
//                                                           // runtime_options::dump_signal
//
//   cordage: 4 strands (1 running, 3 waiting), 1 timer, epoll
//    1  task is running
//    2  task "refresh" waits for with_scope
//       in refresh_all(cache&)
//    3    task waits for sleep
//         in pause()
//         in refresh_one(entry&)
//    4    fiber "peer" waits for read_some 127.0.0.1:7007
//         in read_header(cordage::tcp::stream&)
//
// A strand that waits is followed by what it is in, the innermost first, each awaited by the next, through shield, shield_for,
// as_result and both parts of finally; functions of this library are left out where there are others. Strands that belong to
// one that waits for them (with_scope, serve, when_all and the other combinators) stand below it, indented. Equal lines in a
// row are one, with their number, and of very long chains the middle is left out.
//
// Functions are found in the program's own symbols, debug information is not needed; where they were stripped
// `program+0x1234` stands for one, as addr2line takes it.
//
// States:
//   running             it called dump
//   ready               it has not begun, or what it waited for has completed: it goes on when its turn comes
//   waiting
//   running or ready    where a task called dump, which of those that do not wait has called is not known
//   ended               it is kept by whoever waits for it and others, or a request to stop it is still on its way
// Called by a strand, dump may show others as waiting for what has just completed: what is ready in the same round as
// the caller is known to the loop alone. A dump at a signal is exact.
//
// JSON: one object.
//   {"backend": "epoll", "timers": 1, "arriving": 0,      strands on their way from other threads
//    "states": {"running": 1, "waiting": 2},              how many strands; a state that none has is left out
//    "strands": [{"id": 2,                                from 1; of this dump only
//                 "parent": null,                         the id of the strand that waits for this one; comes before it
//                 "kind": "task" or "fiber",
//                 "name": "refresh",                      null without one
//                 "state": "waiting",                     as above
//                 "stopping": false,                      it was asked to stop, also where a shield is up
//                 "begun": true,
//                 "waits_for": "with_scope",              null unless it waits, or is ready after a wait
//                 "held_by": null,                        the id of the strand that has locked what it waits for
//                 "began_with": null,                     the function of a task, where `awaits` is empty
//                 "awaits": [{"kind": "coroutine", "fiber" or "stackful coroutine",
//                             "name": null,               of fibers and stackful coroutines
//                             "function": "f()",          null where it is not known
//                             "times": 1}],               so many in a row
//                 "left_out": 0}]}                        entries that `awaits` lacks in its middle
#pragma once

#include <string>

namespace cordage {

enum class dump_format { text, json };

// Of the runtime whose worker runs this thread: in a strand, or in a function that the worker calls. Throws
// std::logic_error elsewhere, std::bad_alloc.
[[nodiscard]] std::string dump(dump_format format = dump_format::text);

}  // namespace cordage
