// The contract of backends (io/backend.hpp), on every backend that can run here.
#include <cordage/io/backend.hpp>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "backend_contract.hpp"
#include "death_tests.hpp"
#include "system_calls.hpp"

namespace {

using namespace cordage;
using namespace cordage::detail;
using namespace support;
using namespace std::chrono_literals;

TEST_P(backend_contract, completes_at_once_what_is_ready) {
  send_from_far("abc");
  waiting_operation read(at, io_kind::receive, *near, buffer.data(), buffer.size());
  EXPECT_FALSE(by.submit(read));
  EXPECT_EQ(read.transferred, 3U);
  by.poll(time_point::min());
  EXPECT_TRUE(at.woken.empty());
}

TEST_P(backend_contract, wakes_a_reader_when_bytes_arrive_once) {
  waiting_operation read(at, io_kind::receive, *near, buffer.data(), buffer.size());
  ASSERT_TRUE(by.submit(read));
  by.poll(time_point::min());
  EXPECT_TRUE(at.woken.empty());
  send_from_far("abc");
  by.poll(time_point::max());
  EXPECT_TRUE(woke(read));
  EXPECT_EQ(std::string(buffer.data(), read.transferred), "abc");
  send_from_far("more");
  by.poll(time_point::min());
  EXPECT_EQ(at.woken.size(), 1U);
}

TEST_P(backend_contract, loses_no_bytes_that_arrive_between_operations) {
  for (int round = 0; round < 100; ++round) {
    at.woken.clear();
    waiting_operation read(at, io_kind::receive, *near, buffer.data(), buffer.size());
    if (round % 3 == 0) send_from_far("x");
    const bool waits = by.submit(read);
    if (round % 3 != 0) send_from_far("x");
    if (round % 3 == 2) by.poll(time_point::min());
    if (waits) finish(read);
    ASSERT_EQ(read.transferred, 1U);
    ASSERT_EQ(at.woken.size(), waits ? 1U : 0U);
  }
}

TEST_P(backend_contract, serves_readers_of_one_descriptor_in_their_order) {
  std::array<char, 2> first{}, second{};
  waiting_operation one(at, io_kind::receive, *near, first.data(), 2);
  waiting_operation two(at, io_kind::receive, *near, second.data(), 2);
  ASSERT_TRUE(by.submit(one));
  ASSERT_TRUE(by.submit(two));
  send_from_far("aabb");
  by.poll(time_point::max());
  EXPECT_EQ(at.woken, (std::vector<resumable*>{&one.node, &two.node}));
  EXPECT_EQ(std::string(first.data(), 2) + std::string(second.data(), 2), "aabb");
}

TEST_P(backend_contract, withdraws_an_operation_and_leaves_the_bytes_to_the_next) {
  waiting_operation read(at, io_kind::receive, *near, buffer.data(), buffer.size());
  ASSERT_TRUE(by.submit(read));
  EXPECT_EQ(by.cancel(read), cancel_result::withdrawn);
  send_from_far("abc");
  by.poll(time_point::min());
  EXPECT_TRUE(at.woken.empty());
  waiting_operation next(at, io_kind::receive, *near, buffer.data(), buffer.size());
  submit_and_finish(next);
  EXPECT_EQ(next.transferred, 3U);
}

TEST_P(backend_contract, is_too_late_to_withdraw_what_has_completed) {
  waiting_operation read(at, io_kind::receive, *near, buffer.data(), buffer.size());
  ASSERT_TRUE(by.submit(read));
  send_from_far("abc");
  by.poll(time_point::max());
  EXPECT_FALSE(read.pending);
}

TEST_P(backend_contract, waits_for_room_to_send_and_sends_all) {
  std::vector<char> large(4'000'000, 'x');
  waiting_operation send(at, io_kind::send_all, *near, large.data(), large.size());
  ASSERT_TRUE(by.submit(send));
  std::vector<char> sink(1'000'000);
  std::size_t received = 0;
  while (at.woken.empty()) {
    const ssize_t got = ::recv(far.get(), sink.data(), sink.size(), 0);
    if (got > 0) received += static_cast<std::size_t>(got);
    by.poll(time_point::min());
  }
  for (ssize_t got; (got = ::recv(far.get(), sink.data(), sink.size(), 0)) > 0;) received += static_cast<std::size_t>(got);
  EXPECT_EQ(received, large.size());
  EXPECT_EQ(send.transferred, large.size());
}

TEST_P(backend_contract, reads_and_writes_of_one_descriptor_wait_independently) {
  std::vector<char> large(4'000'000, 'x');
  waiting_operation send(at, io_kind::send_all, *near, large.data(), large.size());
  waiting_operation read(at, io_kind::receive, *near, buffer.data(), buffer.size());
  ASSERT_TRUE(by.submit(send));
  ASSERT_TRUE(by.submit(read));
  send_from_far("abc");
  by.poll(time_point::max());
  EXPECT_TRUE(woke(read));
  EXPECT_EQ(by.cancel(send), cancel_result::withdrawn);
}

TEST_P(backend_contract, tells_of_the_end_after_the_last_bytes) {
  send_from_far("abc");
  ::shutdown(far.get(), SHUT_WR);
  waiting_operation first(at, io_kind::receive, *near, buffer.data(), buffer.size());
  ASSERT_FALSE(by.submit(first));
  EXPECT_EQ(first.transferred, 3U);
  waiting_operation second(at, io_kind::receive, *near, buffer.data(), buffer.size());
  submit_and_finish(second);
  EXPECT_EQ(second.transferred, 0U);
  EXPECT_EQ(second.failure, error{});
}

// One edge for both, and a read that is shorter than its buffer: no other edge tells of the end.
TEST_P(backend_contract, tells_of_the_end_that_came_together_with_the_last_bytes) {
  waiting_operation first(at, io_kind::receive, *near, buffer.data(), buffer.size());
  ASSERT_TRUE(by.submit(first));
  send_from_far("abc");
  ::shutdown(far.get(), SHUT_WR);
  by.poll(time_point::max());
  ASSERT_TRUE(woke(first));
  EXPECT_EQ(first.transferred, 3U);
  waiting_operation second(at, io_kind::receive, *near, buffer.data(), buffer.size());
  submit_and_finish(second);
  EXPECT_EQ(second.transferred, 0U);
}

TEST_P(backend_contract, completes_what_waits_with_closed_when_its_descriptor_goes) {
  waiting_operation read(at, io_kind::receive, *near, buffer.data(), buffer.size());
  ASSERT_TRUE(by.submit(read));
  near.reset();
  EXPECT_TRUE(woke(read));
  EXPECT_EQ(read.failure, errc::closed);
}

TEST_P(backend_contract, an_event_on_its_way_does_not_reach_the_next_tenant_of_the_same_number) {
  waiting_operation old(at, io_kind::receive, *near, buffer.data(), buffer.size());
  ASSERT_TRUE(by.submit(old));
  send_from_far("for the old one");
  const int number = near->fd.get();
  near.reset();  // its event is pending in the kernel, or was
  at.woken.clear();
  support::both_ends ends = nonblocking_socket_pair();
  descriptor next{taken(ends.near)};
  EXPECT_EQ(next.fd.get(), number);
  waiting_operation read(at, io_kind::receive, next, buffer.data(), buffer.size());
  ASSERT_TRUE(by.submit(read));
  by.poll(time_point::min());
  by.poll(time_point::min());
  EXPECT_TRUE(at.woken.empty());
  EXPECT_EQ(by.cancel(read), cancel_result::withdrawn);
}

TEST_P(backend_contract, says_whether_anybody_waits_for_an_event) {
  EXPECT_FALSE(by.waits_for_events());
  waiting_operation read(at, io_kind::receive, *near, buffer.data(), buffer.size());
  ASSERT_TRUE(by.submit(read));
  EXPECT_TRUE(by.waits_for_events());
  send_from_far("x");
  by.poll(time_point::max());
  EXPECT_TRUE(woke(read));
  EXPECT_FALSE(by.waits_for_events()) << "it is complete, though nobody has gone on yet";

  waiting_operation again(at, io_kind::receive, *near, buffer.data(), buffer.size());
  ASSERT_TRUE(by.submit(again));
  EXPECT_EQ(by.cancel(again), cancel_result::withdrawn);
  EXPECT_FALSE(by.waits_for_events());
}

TEST_P(backend_contract, unpark_ends_a_poll_that_waits_and_the_next_one) {
  by.unpark();
  by.poll(time_point::max());  // would wait for ever
  std::thread other([&] { by.unpark(); });
  by.poll(time_point::max());
  other.join();
}

// A poll may be interrupted, by a signal or by what the kernel has to do for a ring; but it must not spin.
constexpr int sometimes = 20;

TEST_P(backend_contract, poll_ends_at_its_deadline_and_not_before) {
  const auto deadline = std::chrono::steady_clock::now() + 3ms;
  int times = 0;
  for (; std::chrono::steady_clock::now() < deadline; ++times) by.poll(deadline);
  EXPECT_LE(times, sometimes);
  by.poll(deadline);  // past
}

// Systems refuse to wait that long at once; whoever takes that for the end of the time would spin.
TEST_P(backend_contract, waits_for_a_deadline_that_is_a_century_away) {
  std::atomic<bool> over{false};
  std::thread other([&] {
    std::this_thread::sleep_for(20ms);
    over = true;
    by.unpark();
  });
  int times = 0;
  for (; !over; ++times) by.poll(std::chrono::steady_clock::now() + std::chrono::hours(24 * 365 * 100));
  EXPECT_LE(times, sometimes);
  other.join();
}

TEST_P(backend_contract, lets_go_of_descriptors_when_it_is_destroyed) {
  waiting_operation read(at, io_kind::receive, *near, buffer.data(), buffer.size());
  ASSERT_TRUE(by.submit(read));
  ASSERT_EQ(by.cancel(read), cancel_result::withdrawn);
  polls.reset();
  EXPECT_EQ(near->registered_with, nullptr);
  const auto next = make_poller(GetParam());
  send_from_far("abc");
  waiting_operation again(at, io_kind::receive, *near, buffer.data(), buffer.size());
  EXPECT_FALSE(static_cast<backend&>(*next).submit(again));
  EXPECT_EQ(again.transferred, 3U);
  near.reset();
}

TEST_P(backend_contract, refuses_what_has_no_readiness_with_the_systems_error_or_reads_it) {
  descriptor device{file_descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC))};
  device.readable = false;
  waiting_operation read(at, io_kind::read, device, buffer.data(), buffer.size());
  submit_and_finish(read);
  EXPECT_TRUE(read.failure == error{} || read.failure == std::errc::operation_not_permitted ||
              read.failure == std::errc::invalid_argument)
      << read.failure.message();
  EXPECT_EQ(read.transferred, 0U);
}

TEST_P(backend_contract, reads_what_is_shared_and_leaves_its_flags_alone) {
  support::both_ends ends = support::open_pipe();  // they would block
  descriptor shared{taken(ends.near)};
  file_descriptor writes = taken(ends.far);
  for (const char* const text : {"abc", "defg"}) {
    at.woken.clear();
    waiting_operation read(at, io_kind::read_shared, shared, buffer.data(), buffer.size());
    ASSERT_TRUE(by.submit(read));
    by.poll(time_point::min());
    ASSERT_TRUE(at.woken.empty());
    ASSERT_EQ(::write(writes.get(), text, std::strlen(text)), static_cast<ssize_t>(std::strlen(text)));
    by.poll(time_point::max());
    ASSERT_TRUE(woke(read));
    EXPECT_EQ(std::string(buffer.data(), read.transferred), text);
  }
  EXPECT_EQ(::fcntl(shared.fd.get(), F_GETFL) & O_NONBLOCK, 0);
  at.woken.clear();
  waiting_operation end(at, io_kind::read_shared, shared, buffer.data(), buffer.size());
  ASSERT_TRUE(by.submit(end));
  writes = file_descriptor();
  by.poll(time_point::max());
  ASSERT_TRUE(woke(end));
  EXPECT_EQ(end.failure, error{});
  EXPECT_EQ(end.transferred, 0U);
}

TEST_P(backend_contract, reads_to_the_end_of_a_pipe_whose_other_end_was_gone_when_it_was_first_waited_for) {
  support::both_ends ends = support::open_pipe();
  ASSERT_EQ(::write(ends.far.get(), "abc", 3), 3);
  ends.far.close();
  descriptor gone{taken(ends.near)};
  gone.readable = false;
  for (const std::size_t expected : {3U, 0U}) {
    at.woken.clear();
    waiting_operation read(at, io_kind::read, gone, buffer.data(), buffer.size());
    if (by.submit(read)) {
      by.poll(time_point::max());
      ASSERT_TRUE(woke(read));
    }
    EXPECT_EQ(read.failure, error{});
    EXPECT_EQ(read.transferred, expected);
  }
}

TEST_P(backend_contract, tells_whoever_waits_for_room_in_a_pipe_that_nobody_reads_any_more) {
  for (const bool gone_before : {true, false}) {
    at.woken.clear();
    support::both_ends ends = support::open_pipe();
    ASSERT_EQ(::fcntl(ends.far.get(), F_SETFL, O_NONBLOCK), 0);
    while (::write(ends.far.get(), buffer.data(), buffer.size()) > 0) {
    }
    descriptor full{taken(ends.far)};
    full.writable = false;
    if (gone_before) ends.near.close();
    waiting_operation room(at, io_kind::until_writable, full);
    if (by.submit(room)) {
      ends.near.close();
      by.poll(time_point::max());
      EXPECT_TRUE(woke(room));
    } else {
      EXPECT_TRUE(gone_before);
    }
    EXPECT_EQ(room.failure, error{});
  }
}

// A read of a terminal gives one line, however many there are: no edge tells of the second.
TEST_P(backend_contract, reads_each_line_of_a_terminal) {
  support::both_ends ends = support::open_terminal();
  const file_descriptor types = taken(ends.far);
  descriptor shared{taken(ends.near)};
  waiting_operation first(at, io_kind::read_shared, shared, buffer.data(), buffer.size());
  ASSERT_TRUE(by.submit(first));
  ASSERT_EQ(::write(types.get(), "one\ntwo\n", 8), 8);
  while (at.woken.empty()) by.poll(time_point::max());
  EXPECT_EQ(std::string(buffer.data(), first.transferred), "one\n");
  waiting_operation second(at, io_kind::read_shared, shared, buffer.data(), buffer.size());
  while (!attempt_if_ready(second)) {  // the terminal takes its time to see what was typed
  }
  EXPECT_EQ(std::string(buffer.data(), second.transferred), "two\n");
}

TEST_P(backend_contract, reads_regular_files_which_are_always_ready) {
  const support::owned_fd file = support::open_nameless_file();
  ASSERT_EQ(::pwrite(file.get(), "abc", 3, 0), 3);
  descriptor regular{file_descriptor(::dup(file.get()))};
  waiting_operation read(at, io_kind::read_shared, regular, buffer.data(), buffer.size());
  EXPECT_FALSE(by.submit(read) && !attempt_if_ready(read));
  ASSERT_TRUE(attempt_if_ready(read));
}

TEST_P(backend_contract, tells_as_often_as_it_is_asked_that_there_is_something_to_read) {
  waiting_operation early(at, io_kind::until_readable, *near);
  ASSERT_TRUE(by.submit(early));
  send_from_far("abc");
  by.poll(time_point::max());
  ASSERT_TRUE(woke(early));
  waiting_operation again(at, io_kind::until_readable, *near);
  EXPECT_FALSE(by.submit(again));
  EXPECT_EQ(again.failure, error{});
  ASSERT_EQ(::recv(near->fd.get(), buffer.data(), buffer.size(), 0), 3);
  waiting_operation late(at, io_kind::until_readable, *near);
  EXPECT_TRUE(by.submit(late));
  at.woken.clear();
  far = file_descriptor();
  by.poll(time_point::max());
  EXPECT_TRUE(woke(late));
}

TEST_P(backend_contract, tells_when_there_is_room_to_write) {
  waiting_operation early(at, io_kind::until_writable, *near);
  EXPECT_FALSE(by.submit(early));
  const std::vector<char> much(1'000'000, 'x');
  while (::send(near->fd.get(), much.data(), much.size(), 0) > 0) {
  }
  waiting_operation waits(at, io_kind::until_writable, *near);
  ASSERT_TRUE(by.submit(waits));
  std::vector<char> sink(1'000'000);
  while (::recv(far.get(), sink.data(), sink.size(), 0) > 0) {
  }
  by.poll(time_point::max());
  EXPECT_TRUE(woke(waits));
}

TEST_P(backend_contract, what_waits_for_readiness_of_something_closed_gets_the_systems_error) {
  for (const io_kind kind : {io_kind::until_readable, io_kind::until_writable, io_kind::read_shared}) {
    descriptor nothing{file_descriptor(::dup(far.get()))};
    ::close(nothing.fd.get());
    waiting_operation waits(at, kind, nothing, buffer.data(), buffer.size());
    EXPECT_FALSE(by.submit(waits));
    EXPECT_EQ(waits.failure, std::errc::bad_file_descriptor);
    nothing.fd = file_descriptor(::dup(far.get()));  // for its destructor to close
  }
}

TEST(backend_choice, names_what_the_system_does_not_have_and_what_it_has) {
  EXPECT_FALSE(backends_here().empty()) << "or nothing of the contract is tested";
  const std::string here(make_poller(backend_kind::automatic)->name());
  for (const auto kind : all_kinds) {
    try {
      make_poller(kind);
    } catch (const std::invalid_argument& refused) {
      const std::string others = here == "kqueue" ? "its backend is kqueue" : "its backends are epoll and io_uring";
      EXPECT_EQ(refused.what(), "cordage: this system has no " + std::string(name_of(kind)) + "; " + others);
      EXPECT_NE(here, name_of(kind));
    }
  }
}

TEST(backend_choice, is_io_uring_where_that_is_permitted) {
  const auto here = backends_here();
  if (std::ranges::find(here, backend_kind::io_uring) == here.end()) GTEST_SKIP() << "this system has no io_uring, or forbids it";
  EXPECT_EQ(make_poller(backend_kind::automatic)->name(), "io_uring");
}

// As containers do. Whoever asked for it is told so once; whoever takes what there is need not know.
TEST(backend_choice, is_epoll_where_io_uring_is_forbidden) {
  const auto here = backends_here();
  if (std::ranges::find(here, backend_kind::epoll) == here.end()) GTEST_SKIP() << "this is not Linux";
  prepare_death_test();
  EXPECT_EXIT(
      {
        if (here.size() > 1) forbid_io_uring();
        const bool all_epoll = make_poller(backend_kind::automatic)->name() == "epoll" &&
                               make_poller(backend_kind::io_uring)->name() == "epoll" &&
                               make_poller(backend_kind::io_uring)->name() == "epoll";
        std::_Exit(all_epoll ? 0 : 1);
      },
      testing::ExitedWithCode(0), "^cordage: the system refuses io_uring \\(.*\\); epoll does its work\n$");
}

INSTANTIATE_TEST_SUITE_P(backends, backend_contract, testing::ValuesIn(backends_here()), name_of_backend);

}  // namespace
