// What the tests of the program echo_server share: each test runs once with tasks and once with fibers.
//
//   class half_close : public support::echo_server_test {};
//   TEST_P(half_close, ...) { const auto& server = start(); ... }
//   INSTANTIATE_TEST_SUITE_P(styles, half_close, support::both_styles, support::name_of_style);
#pragma once

#include <dlfcn.h>

#include <chrono>
#include <csignal>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/base/config.hpp>

#include "client.hpp"
#include "server_program.hpp"
#include "slowly.hpp"

namespace support {

// Sanitizers make everything slower, so what is repeated often is repeated less there.
constexpr std::size_t scaled(std::size_t count, std::size_t sanitized) {
  return support::slowly ? sanitized : count;
}

// To check the type of an object, UBSan asks with a new pipe whether its memory can be read; where there are no
// descriptors left, it therefore reports errors that are none. It is built in together with ASan.
inline bool reports_falsely_without_descriptors() { return ::dlsym(RTLD_DEFAULT, "__asan_init") != nullptr; }

inline const std::string echo_server_path = CORDAGE_EXAMPLES_DIR "/echo_server";

class echo_server_test : public testing::TestWithParam<std::string> {
 protected:
  // A server in this test's style, on a port of the system's choice.
  server_program& start(const std::vector<std::string>& further_arguments = {},
                        const child_options& options = {}) {
    std::vector<std::string> arguments{echo_server_path, "--port", "0", "--style", GetParam()};
    arguments.insert(arguments.end(), further_arguments.begin(), further_arguments.end());
    return server_.emplace(arguments, options);
  }

  // Whatever a test did to it, a server that the test did not end itself is alive, ends when it is asked to, and has
  // nothing to complain about; nor has a sanitizer.
  void TearDown() override {
    if (!server_ || server_->was_waited_for()) return;
    server_->send_signal_asleep(SIGTERM);
    const ending end = server_->wait();
    EXPECT_EQ(end.exit_code, 0) << end;
    EXPECT_EQ(end.errors, "");
  }

 private:
  std::optional<server_program> server_;
};

// Nothing is to be done, so for a second the server does nothing. A loop that spins would use that second, or what a
// busy machine leaves it, and one that looks round every few milliseconds would wake up hundreds of times.
inline void expect_rest(const server_program& server, std::size_t most_wakeups = 2) {
  server.settle();
  const activity seen = server.observe();
  EXPECT_LE(seen.cpu_time, std::chrono::milliseconds(5));
  EXPECT_LE(seen.wakeups, most_wakeups);
}

inline const auto both_styles = testing::Values("task", "fiber");

inline std::string name_of_style(const testing::TestParamInfo<std::string>& info) { return info.param; }

}  // namespace support
