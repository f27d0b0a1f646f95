// A server under test, as the program it is: started, observed from outside, and ended.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "child_process.hpp"
#include "process_facts.hpp"

namespace support {

// What a program did in a while.
struct activity {
  std::chrono::nanoseconds wall_time;
  std::chrono::nanoseconds cpu_time;
  std::size_t wakeups;  // how often its main thread went to sleep again
};

class server_program : public child_process {
 public:
  // Returns when the program has said where it listens; throws what it said instead.
  explicit server_program(const std::vector<std::string>& arguments, const child_options& options = {});

  // "listening on 127.0.0.1:40123 (task, epoll, 1 worker)"
  const std::string& greeting() const noexcept { return greeting_; }
  std::uint16_t port() const noexcept { return port_; }

  // How many descriptors it has open.
  std::size_t descriptors() const;
  // Of its memory, what is in use: resident, in bytes.
  std::size_t memory() const;
  // Of all its threads, since it started.
  std::chrono::nanoseconds cpu_time() const;

  // What its system has received for its connections, and it has not read; in bytes, over IPv4 only.
  std::size_t unread() const;

  // Returns when its main thread sleeps and went on to sleep between two looks: everything that had reached it by the
  // first is dealt with. Or when it has ended.
  void settle() const;
  // Returns when it is stopped as by SIGSTOP.
  void wait_until_stopped() const;
  // A signal that finds it asleep. Where that does not matter it is the one to use: ThreadSanitizer keeps a signal that
  // arrives while a fiber runs in that fiber's own state, and so may never deliver it.
  void send_signal_asleep(int number) const;
  // What it does during the next second, or the next so many.
  activity observe(std::chrono::seconds how_long = std::chrono::seconds(1)) const;

 private:
  std::string greeting_;
  std::uint16_t port_ = 0;
};

}  // namespace support
