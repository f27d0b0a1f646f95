// The contract of backends (io/backend.hpp): bytes that are received and sent in pieces, by many, and withdrawn.
#include <cordage/io/backend.hpp>

#include <sys/mman.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "backend_contract.hpp"
#include "child_process.hpp"

namespace {

using namespace cordage;
using namespace cordage::detail;
using namespace support;

class transfer_contract : public backend_contract {
 protected:
  struct conversation {
    conversation(collector& at, both_ends ends)
        : near(taken(ends.near)), far(taken(ends.far)), read(at, io_kind::receive, near, &byte, 1),
          answer(at, io_kind::send_all, near, &byte, 1) {}
    descriptor near;
    file_descriptor far;
    char byte = 0;
    waiting_operation read, answer;
  };

  // So many are waited for, and then told something all at once.
  std::vector<std::unique_ptr<conversation>> talk_to(std::size_t many) {
    std::vector<std::unique_ptr<conversation>> all;
    for (std::size_t i = 0; i < many; ++i) {
      all.push_back(std::make_unique<conversation>(at, nonblocking_socket_pair()));
      EXPECT_TRUE(by.submit(all.back()->read));
    }
    by.poll(time_point::min());
    for (const auto& each : all) EXPECT_EQ(::send(each->far.get(), "x", 1, 0), 1);
    for (const auto& each : all) finish(each->read);
    return all;
  }
};

TEST_P(transfer_contract, leaves_the_memory_of_what_was_withdrawn_alone) {
  waiting_operation read(at, io_kind::receive, *near, buffer.data(), buffer.size());
  ASSERT_TRUE(by.submit(read));
  by.poll(time_point::min());
  send_from_far("abc");  // its event is on its way
  if (by.cancel(read) == cancel_result::withdrawn) {
    by.poll(time_point::min());
    EXPECT_EQ(buffer, (std::array<char, 64>{}));
    EXPECT_TRUE(at.woken.empty());
  } else {
    EXPECT_EQ(read.transferred, 3U);
    EXPECT_TRUE(woke(read));
  }
}

TEST_P(transfer_contract, gives_the_bytes_to_the_second_in_line_when_the_first_is_withdrawn) {
  std::array<char, 2> first{}, second{};
  waiting_operation one(at, io_kind::receive, *near, first.data(), 2);
  waiting_operation two(at, io_kind::receive, *near, second.data(), 2);
  waiting_operation three(at, io_kind::receive, *near, second.data(), 2);
  ASSERT_TRUE(by.submit(one));
  ASSERT_TRUE(by.submit(two));
  ASSERT_TRUE(by.submit(three));
  EXPECT_EQ(by.cancel(three), cancel_result::withdrawn);
  EXPECT_EQ(by.cancel(one), cancel_result::withdrawn);
  send_from_far("ab");
  finish(two);
  EXPECT_TRUE(woke(two));
  EXPECT_EQ(std::string(second.data(), 2), "ab");
}

// Whoever cancels may learn at that moment that something else is complete.
TEST_P(transfer_contract, wakes_once_what_completes_while_something_else_is_withdrawn) {
  support::both_ends others = nonblocking_socket_pair();
  descriptor other{taken(others.near)};
  waiting_operation here(at, io_kind::receive, *near, buffer.data(), buffer.size());
  waiting_operation there(at, io_kind::receive, other, buffer.data(), buffer.size());
  ASSERT_TRUE(by.submit(here));
  ASSERT_TRUE(by.submit(there));
  by.poll(time_point::min());
  send_from_far("abc");
  EXPECT_EQ(by.cancel(there), cancel_result::withdrawn);
  finish(here);
  by.poll(time_point::min());
  EXPECT_TRUE(woke(here));
  EXPECT_EQ(here.transferred, 3U);
}

TEST_P(transfer_contract, receives_exactly_what_comes_in_pieces) {
  waiting_operation read(at, io_kind::receive_exactly, *near, buffer.data(), 6);
  ASSERT_TRUE(by.submit(read));
  for (const char* const piece : {"ab", "cd", "efgh"}) {
    by.poll(time_point::min());
    EXPECT_TRUE(at.woken.empty());
    near->active = false;
    send_from_far(piece);
    while (!near->active) by.poll(time_point::max());  // whoever ends idle connections sees that bytes move
  }
  finish(read);
  EXPECT_EQ(std::string(buffer.data(), read.transferred), "abcdef");
  EXPECT_EQ(read.failure, error{});
  waiting_operation rest(at, io_kind::receive_exactly, *near, buffer.data(), 6);
  ASSERT_TRUE(by.submit(rest));
  by.poll(time_point::min());
  far = file_descriptor();
  finish(rest);
  EXPECT_EQ(rest.failure, errc::end_of_stream);
  EXPECT_EQ(std::string(buffer.data(), rest.transferred), "gh");
}

TEST_P(transfer_contract, tells_how_much_of_what_was_withdrawn_has_arrived) {
  waiting_operation read(at, io_kind::receive_exactly, *near, buffer.data(), 6);
  ASSERT_TRUE(by.submit(read));
  send_from_far("abc");
  by.poll(time_point::min());
  by.poll(time_point::min());
  EXPECT_EQ(by.cancel(read), cancel_result::withdrawn);
  EXPECT_EQ(read.transferred, 3U);
  EXPECT_TRUE(at.woken.empty());
  send_from_far("def");
  waiting_operation next(at, io_kind::receive, *near, buffer.data(), buffer.size());
  submit_and_finish(next);
  EXPECT_EQ(std::string(buffer.data(), next.transferred), "def");
}

TEST_P(transfer_contract, fails_as_the_system_says_when_nobody_receives_any_more) {
  far = file_descriptor();
  waiting_operation first(at, io_kind::send_all, *near, buffer.data(), buffer.size());
  submit_and_finish(first);
  EXPECT_EQ(first.failure, std::errc::broken_pipe);
  waiting_operation second(at, io_kind::send_all, *near, buffer.data(), buffer.size());
  submit_and_finish(second);
  EXPECT_EQ(second.failure, std::errc::broken_pipe);
}

TEST_P(transfer_contract, sends_what_is_sent_after_something_had_to_wait) {
  waiting_operation read(at, io_kind::receive, *near, buffer.data(), buffer.size());
  ASSERT_TRUE(by.submit(read));
  std::string text = "abc";
  waiting_operation none(at, io_kind::send_all, *near, text.data(), 0);
  submit_and_finish(none);
  waiting_operation send(at, io_kind::send, *near, text.data(), text.size());
  submit_and_finish(send);
  EXPECT_EQ(send.transferred, 3U);
  std::array<char, 8> there{};
  EXPECT_EQ(::recv(far.get(), there.data(), there.size(), 0), 3);
  EXPECT_TRUE(read.pending);
  EXPECT_EQ(by.cancel(read), cancel_result::withdrawn);
}

// More than any queue of a backend has room for, and all at once.
TEST_P(transfer_contract, wakes_all_of_very_many) {
  constexpr std::size_t many = 1500;
  ASSERT_GE(support::raise_descriptor_limit(), 2 * many + 100);
  const auto all = talk_to(many);
  EXPECT_EQ(at.woken.size(), many);
  EXPECT_TRUE(std::ranges::all_of(all, [](const auto& each) { return each->byte == 'x'; }));
}

// What is kept back to be sent together with others is under way after the next poll.
TEST_P(transfer_contract, sends_what_answers_many) {
  const auto all = talk_to(50);
  for (const auto& each : all) by.submit(each->answer);
  by.poll(time_point::min());
  EXPECT_FALSE(by.keeps_something_back());
  for (const auto& each : all) {
    finish(each->answer);
    char byte = 0;
    EXPECT_EQ(::recv(each->far.get(), &byte, 1, MSG_DONTWAIT), 1);
    EXPECT_EQ(byte, 'x');
  }
}

// Who sends alone is not made to wait for others, and must not overtake whoever was.
TEST_P(transfer_contract, sends_in_the_order_in_which_it_was_asked_to) {
  const auto all = talk_to(20);
  conversation& here = *all.front();
  std::string first(4'000'000, 'a'), second(100'000, 'b');
  waiting_operation one(at, io_kind::send_all, here.near, first.data(), first.size());
  waiting_operation two(at, io_kind::send_all, here.near, second.data(), second.size());
  ASSERT_TRUE(by.submit(one));
  by.poll(time_point::min());
  waiting_operation read(at, io_kind::receive, here.near, &here.byte, 1);
  if (by.submit(read)) {
    by.poll(time_point::min());
    EXPECT_EQ(::send(here.far.get(), "y", 1, 0), 1);
    finish(read);
  }
  std::string received, piece(1'000'000, ' ');
  const auto drain = [&] {
    const ssize_t got = ::recv(here.far.get(), piece.data(), piece.size(), MSG_DONTWAIT);
    if (got > 0) received.append(piece, 0, static_cast<std::size_t>(got));
  };
  for (int i = 0; i < 3; ++i) drain();  // there is room now, and the first one has yet to learn of it
  EXPECT_FALSE(attempt_if_ready(two));
  by.submit(two);
  while (received.size() < first.size() + second.size()) drain(), by.poll(time_point::min());
  EXPECT_TRUE(received == first + second);
  finish(two);
}

TEST_P(transfer_contract, closes_for_all_who_stand_in_line) {
  std::array<char, 2> first{}, second{};
  waiting_operation one(at, io_kind::receive, *near, first.data(), 2);
  waiting_operation two(at, io_kind::receive, *near, second.data(), 2);
  ASSERT_TRUE(by.submit(one));
  ASSERT_TRUE(by.submit(two));
  by.poll(time_point::min());
  send_from_far("aabb");  // its event is on its way
  near.reset();
  EXPECT_EQ(at.woken.size(), 2U);
  EXPECT_EQ(two.failure, errc::closed);
  EXPECT_EQ(one.on, nullptr);
  EXPECT_EQ(two.on, nullptr);
}

TEST_P(transfer_contract, has_received_and_sent_nothing_at_once) {
  near->readable = near->writable = false;
  for (const io_kind kind : {io_kind::receive_exactly, io_kind::send, io_kind::send_all}) {
    waiting_operation nothing(at, kind, *near, buffer.data(), 0);
    EXPECT_FALSE(by.submit(nothing));
    EXPECT_EQ(nothing.failure, error{});
  }
}

// As many bytes as a length of 32 bits says are none.
TEST_P(transfer_contract, receives_into_more_memory_than_one_call_fills) {
  constexpr std::size_t size = std::size_t{1} << 32;
  void* const memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON | MAP_NORESERVE, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  for (const bool is_there : {false, true}) {
    waiting_operation read(at, io_kind::receive, *near, memory, size);
    if (is_there) send_from_far("abc");
    if (by.submit(read)) {
      by.poll(time_point::min());
      if (!is_there) send_from_far("abc");
      finish(read);
    }
    EXPECT_EQ(read.failure, error{});
    EXPECT_EQ(read.transferred, 3u);
  }
  EXPECT_EQ(::munmap(memory, size), 0);
}

// As where a runtime is run once more, by another thread.
TEST_P(transfer_contract, goes_on_when_the_thread_that_began_has_ended) {
  waiting_operation read(at, io_kind::receive, *near, buffer.data(), buffer.size());
  waiting_operation whole(at, io_kind::send_all, *near, nullptr, 0);
  std::vector<char> large(4'000'000, 'x');
  whole.buffer = reinterpret_cast<std::byte*>(large.data());
  whole.length = large.size();
  std::thread([&] {
    EXPECT_TRUE(by.submit(read));
    EXPECT_TRUE(by.submit(whole));
    by.poll(time_point::min());
  }).join();
  send_from_far("abc");
  finish(read);
  EXPECT_EQ(read.transferred, 3U);
  EXPECT_EQ(read.failure, error{});
  by.unpark();
  by.poll(time_point::max());
  std::vector<char> sink(1'000'000);
  std::size_t received = 0;
  const auto drain = [&] {
    for (ssize_t got; (got = ::recv(far.get(), sink.data(), sink.size(), 0)) > 0;) received += static_cast<std::size_t>(got);
  };
  while (whole.pending) drain(), by.poll(time_point::min());
  drain();
  EXPECT_EQ(received, large.size());
  EXPECT_EQ(whole.failure, error{});
}

// The kernel takes no entries when it has no memory for what they ask for, and that passes.
TEST(starved_ring, hands_over_later_what_the_kernel_had_no_memory_for) {
  const auto here = backends_here();
  if (std::ranges::find(here, backend_kind::io_uring) == here.end()) GTEST_SKIP() << "this system has no io_uring, or forbids it";
  starve_rings([](std::atomic<int>& refusals) {
    const auto polls = make_poller(backend_kind::io_uring);
    auto& by = static_cast<backend&>(*polls);
    const auto all_refused = [&refusals] { return refusals == 0; };
    collector at;
    std::vector<std::unique_ptr<descriptor>> near;
    std::vector<owned_fd> far;
    std::vector<std::unique_ptr<waiting_operation>> reads;
    std::array<char, 40> bytes{};
    for (char& each : bytes) {
      both_ends ends = nonblocking_socket_pair();
      near.push_back(std::make_unique<descriptor>(taken(ends.near)));
      far.push_back(std::move(ends.far));
      reads.push_back(std::make_unique<waiting_operation>(at, io_kind::receive, *near.back(), &each, 1));
    }

    by.submit(*reads[0]);
    refusals = 2;
    by.poll(time_point::min());
    EXPECT_TRUE(by.keeps_something_back());
    by.poll(time_point::max());  // does not sleep: the kernel does not know yet what would wake it
    EXPECT_TRUE(all_refused());
    EXPECT_TRUE(by.keeps_something_back());
    by.poll(time_point::min());
    EXPECT_FALSE(by.keeps_something_back());

    refusals = 3;
    EXPECT_EQ(by.cancel(*reads[0]), cancel_result::withdrawn);
    EXPECT_TRUE(all_refused());

    refusals = 5;  // more than the ring has room for, meanwhile
    for (const auto& each : reads) EXPECT_TRUE(by.submit(*each));
    EXPECT_TRUE(all_refused());
    for (const owned_fd& each : far) EXPECT_EQ(::send(each.get(), "x", 1, 0), 1);
    refusals = 1;
    while (at.woken.size() < reads.size()) by.poll(time_point::max());
    EXPECT_EQ(std::ranges::count(bytes, 'x'), std::ssize(bytes));
  });
}

INSTANTIATE_TEST_SUITE_P(backends, transfer_contract, testing::ValuesIn(backends_here()), name_of_backend);

}  // namespace
