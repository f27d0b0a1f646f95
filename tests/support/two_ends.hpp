// A connection within the process, of plain blocking sockets.
#pragma once

#include <sys/socket.h>

#include <gtest/gtest.h>

#include "owned_fd.hpp"

namespace support {

struct two_ends {
  two_ends() {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    near = owned_fd(ends[0]);
    far = owned_fd(ends[1]);
  }
  owned_fd near, far;
};

}  // namespace support
