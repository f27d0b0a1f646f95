// System calls of the tests that differ between systems. One source file per system. What is opened is not inherited by
// programs that are started. They throw std::system_error.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <functional>

#include "owned_fd.hpp"

namespace support {

struct both_ends {
  owned_fd near;
  owned_fd far;
};

owned_fd open_stream_socket(int family);
owned_fd accept_from(int listener);
both_ends open_socket_pair();  // of streams
both_ends open_pipe();         // near is read from
both_ends open_terminal();     // near is the terminal, far the keyboard
owned_fd open_nameless_file();

// Of a TCP connection: how many bytes the peer has not acknowledged yet, and how far closing from this side is, where the
// peer has not closed.
std::size_t unacknowledged_by_peer(int socket);
enum class closing { end_sent, end_acknowledged, other };
closing closing_of(int socket);

// Between fork and exec: has the kernel kill this process when the one that made it ends, where it does such a thing; and
// closes all but the three standard streams.
void end_with_parent() noexcept;
void close_other_descriptors() noexcept;

// From now on the system refuses io_uring to this process, as containers do; it cannot be taken back.
void forbid_io_uring();

// Runs `body` in a thread of its own, whose rings' next `refusals` entries to the kernel fail for want of memory. Where
// there are no rings it does nothing.
void starve_rings(const std::function<void(std::atomic<int>& refusals)>& body);

// The signal that an access to a page without rights raises.
extern const int protection_fault;

// In bytes, of the whole machine.
double free_memory();

}  // namespace support
