// Channels on their bad days: random strands of both styles send, receive, select, try, time out and clean up on two channels
// of random capacity, which are closed at some time, while the strands are stopped.
//
// Whatever happens: an item that was accepted is received once or left in its channel, one that was not is with its sender,
// each is destroyed once, and no wake is lost (or a run would not end).
#include <cordage/channel.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <cordage/fiber.hpp>
#include <cordage/runtime.hpp>
#include <cordage/stop.hpp>
#include <cordage/suspend.hpp>
#include <cordage/task.hpp>
#include <cordage/time.hpp>
#include <cordage/virtual_clock.hpp>
#include <cordage/when.hpp>

#include "slowly.hpp"

namespace {

using namespace cordage;
using namespace std::chrono_literals;

constexpr int rounds = support::emulated ? 1'000 : support::slowly ? 2'000 : 10'000;

using random_source = std::mt19937;

// Prints the seed with every failure.
struct seeded {
  const random_source::result_type seed = std::random_device{}();
  testing::ScopedTrace trace{__FILE__, __LINE__, "seed " + std::to_string(seed)};
  random_source random{seed};
};

// What became of the items of one day.
class ledger {
 public:
  struct entry {
    std::atomic<int> destroyed{0}, accepted{0}, received{0}, left{0}, returned{0};
    std::atomic<bool> named{false};  // its sender takes it back if it was not sent
  };

  int next() { return made_++; }
  entry& operator[](int id) { return entries_.at(static_cast<std::size_t>(id)); }

  void judge() {
    for (int id = 0; id < made_; ++id) {
      const entry& e = (*this)[id];
      EXPECT_EQ(e.destroyed, 1) << "item " << id;
      EXPECT_LE(e.accepted, 1);
      EXPECT_EQ(e.accepted, e.received + e.left) << "item " << id;
      if (e.named) {
        EXPECT_EQ(e.accepted + e.returned, 1) << "item " << id;
      }
    }
  }

 private:
  std::atomic<int> made_{0};
  std::array<entry, 512> entries_;
};

class item {
 public:
  item(ledger& in, int id) noexcept : in_(&in), id_(id) {}
  item(item&& other) noexcept : in_(std::exchange(other.in_, nullptr)), id_(other.id_) {}
  item& operator=(item&& other) noexcept {
    std::swap(in_, other.in_);
    std::swap(id_, other.id_);
    return *this;
  }
  ~item() {
    if (in_ != nullptr) ++(*in_)[id_].destroyed;
  }
  int id() const noexcept { return id_; }

 private:
  ledger* in_;
  int id_;
};

// What the strands of one day share.
struct day {
  explicit day(random_source& random) : one(random() % 4), two(random() % 4) {}

  // When all strands have ended.
  void judge() {
    for (auto* each : {&one, &two}) {
      while (auto left = each->try_receive().value_or(std::nullopt)) ++book[left->id()].left;
    }
    book.judge();
  }

  void took(const result<item>& got) {
    if (got) {
      ++book[got->id()].received;
    } else {
      EXPECT_EQ(got.error(), errc::closed);
    }
  }
  void sent(int id, const result<>& done) {
    if (done) {
      ++book[id].accepted;
    } else {
      EXPECT_EQ(done.error(), errc::closed);
    }
  }

  ledger book;
  channel<item> one, two;
};

// What one strand, or thread, does with them.
struct worker {
  day& d;
  random_source random;

  unsigned pick(unsigned below) { return static_cast<unsigned>(random()) % below; }
  channel<item>& any() { return pick(2) == 0 ? d.one : d.two; }
  std::chrono::nanoseconds some_time() { return std::chrono::microseconds(pick(200)); }

  void tries() {
    if (pick(2) == 0) {
      item tried(d.book, d.book.next());
      const result<bool> done = any().try_send(std::move(tried));
      if (done.value_or(false)) ++d.book[tried.id()].accepted;
    } else {
      result<std::optional<item>> got = any().try_receive();
      if (got && *got) ++d.book[(*got)->id()].received;
    }
  }
};

// A send that has a name; whatever becomes of it, its item is where it should be.
struct named_send {
  named_send(day& of, channel<item>& to) : d(of), id(of.book.next()), sending(to.send(of.book, id)) { d.book[id].named = true; }
  named_send(const named_send&) = delete;
  ~named_send() {
    const auto back = sending.take_back();
    if (!back) return;
    EXPECT_EQ(back->id(), id);
    ++d.book[id].returned;
  }

  day& d;
  const int id;
  channel<item>::send_operation sending;
};

// For finally: sends although its strand is being stopped.
task<> cleans_up(worker& w) {
  const int id = w.d.book.next();
  const result<> done = co_await with_timeout(w.some_time(), w.any().send(w.d.book, id));
  if (done) ++w.d.book[id].accepted;
  const result<item> got = co_await with_timeout(w.some_time(), w.any().receive());
  if (got) ++w.d.book[got->id()].received;
}

// Keeps the waiter; a stop sends to and receives from a channel and drops it.
struct stop_handler {
  worker& w;
  std::optional<suspension<>> kept;

  auto wait() {
    auto keeps = [this](suspension<> waiter) { kept.emplace(std::move(waiter)); };
    auto tells = [this] {
      w.tries();
      w.tries();
      kept.reset();
    };
    return with_timeout(w.some_time(), suspend<>(keeps, tells));
  }
};

enum steps : unsigned {
  a_send,
  a_receive,
  both_ends,
  all_ends,
  two_receives,
  limited_send,
  limited_receive,
  retried_send,
  a_try,
  a_cleanup,
  a_stop_handler,
  a_pause,
  kinds
};

task<> step_in_task(worker& w) {
  day& d = w.d;
  const unsigned kind = w.pick(kinds);
  if (kind == a_send) {
    const int id = d.book.next();
    const result<> done = co_await w.any().send(d.book, id);
    d.sent(id, done);
  } else if (kind == a_receive) {
    const result<item> got = co_await w.any().receive();
    d.took(got);
  } else if (kind == both_ends) {
    const int id = d.book.next();
    const auto got = co_await select(w.any().send(d.book, id), w.any().receive());
    EXPECT_NE(std::get<0>(got).has_value(), std::get<1>(got).has_value());
    if (std::get<0>(got)) d.sent(id, *std::get<0>(got));
    if (std::get<1>(got)) d.took(*std::get<1>(got));
  } else if (kind == all_ends) {
    const int first = d.book.next(), second = d.book.next();
    const auto got =
        co_await select(d.one.receive(), d.two.send(d.book, first), d.two.receive(), d.one.send(d.book, second));
    EXPECT_EQ(std::get<0>(got).has_value() + std::get<1>(got).has_value() + std::get<2>(got).has_value() +
                  std::get<3>(got).has_value(),
              1);
    if (std::get<0>(got)) d.took(*std::get<0>(got));
    if (std::get<1>(got)) d.sent(first, *std::get<1>(got));
    if (std::get<2>(got)) d.took(*std::get<2>(got));
    if (std::get<3>(got)) d.sent(second, *std::get<3>(got));
  } else if (kind == two_receives) {
    const auto got = co_await select(d.one.receive(), sleep_for(w.some_time()), d.two.receive());
    EXPECT_FALSE(std::get<0>(got) && std::get<2>(got));
    if (std::get<0>(got)) d.took(*std::get<0>(got));
    if (std::get<2>(got)) d.took(*std::get<2>(got));
  } else if (kind == limited_send) {
    named_send it(d, w.any());
    const result<> done = co_await with_timeout(w.some_time(), it.sending);
    if (done) ++d.book[it.id].accepted;
  } else if (kind == limited_receive) {
    const result<item> got = co_await with_timeout(w.some_time(), w.any().receive());
    if (got) ++d.book[got->id()].received;
  } else if (kind == retried_send) {
    named_send it(d, d.one);
    const auto got = co_await select(d.two.receive(), it.sending, sleep_for(w.some_time()));
    if (std::get<0>(got)) d.took(*std::get<0>(got));
    if (std::get<1>(got)) {
      d.sent(it.id, *std::get<1>(got));
    } else {
      const result<> done = co_await it.sending;
      d.sent(it.id, done);
    }
  } else if (kind == a_try) {
    w.tries();
  } else if (kind == a_cleanup) {
    auto cleanup = [&w] { return cleans_up(w); };
    const result<item> got = co_await finally(w.any().receive(), cleanup);
    d.took(got);
  } else if (kind == a_stop_handler) {
    stop_handler handler{w, {}};
    (void)co_await handler.wait();
  } else {
    co_await sleep_for(w.some_time());
  }
}

void step_on_fiber(worker& w) {
  day& d = w.d;
  const unsigned kind = w.pick(kinds);
  if (kind == a_send) {
    const int id = d.book.next();
    d.sent(id, await(w.any().send(d.book, id)));
  } else if (kind == a_receive) {
    d.took(await(w.any().receive()));
  } else if (kind == both_ends) {
    const int id = d.book.next();
    const auto got = await(select(w.any().receive(), w.any().send(d.book, id)));
    EXPECT_NE(std::get<0>(got).has_value(), std::get<1>(got).has_value());
    if (std::get<0>(got)) d.took(*std::get<0>(got));
    if (std::get<1>(got)) d.sent(id, *std::get<1>(got));
  } else if (kind == all_ends) {
    const int first = d.book.next(), second = d.book.next();
    const auto got = await(select(d.two.send(d.book, first), d.two.receive(), d.one.send(d.book, second), d.one.receive()));
    EXPECT_EQ(std::get<0>(got).has_value() + std::get<1>(got).has_value() + std::get<2>(got).has_value() +
                  std::get<3>(got).has_value(),
              1);
    if (std::get<0>(got)) d.sent(first, *std::get<0>(got));
    if (std::get<1>(got)) d.took(*std::get<1>(got));
    if (std::get<2>(got)) d.sent(second, *std::get<2>(got));
    if (std::get<3>(got)) d.took(*std::get<3>(got));
  } else if (kind == two_receives) {
    const auto got = await(select(d.two.receive(), sleep_for(w.some_time()), d.one.receive()));
    EXPECT_FALSE(std::get<0>(got) && std::get<2>(got));
    if (std::get<0>(got)) d.took(*std::get<0>(got));
    if (std::get<2>(got)) d.took(*std::get<2>(got));
  } else if (kind == limited_send) {
    named_send it(d, w.any());
    if (await(with_timeout(w.some_time(), it.sending))) ++d.book[it.id].accepted;
  } else if (kind == limited_receive) {
    if (const result<item> got = await(with_timeout(w.some_time(), w.any().receive()))) ++d.book[got->id()].received;
  } else if (kind == retried_send) {
    named_send it(d, d.two);
    const auto got = await(select(it.sending, d.one.receive(), sleep_for(w.some_time())));
    if (std::get<0>(got)) d.sent(it.id, *std::get<0>(got));
    if (std::get<1>(got)) d.took(*std::get<1>(got));
    if (!std::get<0>(got)) d.sent(it.id, await(it.sending));
  } else if (kind == a_try) {
    w.tries();
  } else if (kind == a_cleanup) {
    auto cleanup = [&w] { await(cleans_up(w)); };
    d.took(await(finally(w.any().receive(), cleanup)));
  } else if (kind == a_stop_handler) {
    stop_handler handler{w, {}};
    (void)await(handler.wait());
  } else {
    await(sleep_for(w.some_time()));
  }
}

task<> works_in_task(day& d, unsigned seed) {
  worker w{d, random_source(seed)};
  for (unsigned left = 1 + w.pick(6); left > 0; --left) co_await step_in_task(w);
}
void works_on_fiber(day& d, unsigned seed) {
  worker w{d, random_source(seed)};
  for (unsigned left = 1 + w.pick(6); left > 0; --left) step_on_fiber(w);
}

// Some strands, of which some are stopped meanwhile, and all at last.
task<> one_day(day& d, unsigned seed) {
  worker self{d, random_source(seed)};
  std::vector<join_handle<void>> strands;
  for (unsigned count = 2 + self.pick(6); count > 0; --count) {
    const unsigned seeds = static_cast<unsigned>(self.random());
    strands.push_back(self.pick(2) == 0 ? spawn(works_in_task, std::ref(d), seeds) : spawn(works_on_fiber, std::ref(d), seeds));
    if (self.pick(8) == 0) strands.back().request_stop();
  }
  for (unsigned acts = self.pick(6); acts > 0; --acts) {
    for (unsigned turns = self.pick(8); turns > 0; --turns) co_await yield_now();
    if (self.pick(3) == 0) co_await sleep_for(self.some_time());
    if (self.pick(2) == 0) strands[self.pick(static_cast<unsigned>(strands.size()))].request_stop();
    if (self.pick(8) == 0) self.any().close();
    self.tries();
  }
  for (auto& each : strands) each.request_stop();
  for (auto& each : strands) {
    const result<> ended = co_await each;
    if (!ended) {
      EXPECT_EQ(ended.error(), errc::stopped);
    }
  }
}

TEST(channel_bad_days, lose_nothing_and_give_nothing_twice) {
  seeded by;
  virtual_clock clock;
  runtime rt({.clock = &clock});
  auto all_days = [&]() -> task<> {
    for (int round = 0; round < rounds && !testing::Test::HasFailure(); ++round) {
      day today(by.random);
      co_await one_day(today, static_cast<unsigned>(by.random()));
      today.judge();
    }
  };
  rt.run(all_days());
}

// Two runtimes and a thread without one, all with the same channels. Which course that takes is not in the seed alone.
TEST(channel_bad_days, of_several_threads_lose_nothing_and_give_nothing_twice) {
  seeded by;
  for (int round = 0; round < rounds / 10 && !testing::Test::HasFailure(); ++round) {
    day today(by.random);
    const auto works = [&today](unsigned seed) { return [&today, seed] { run(one_day(today, seed)); }; };
    std::thread one(works(static_cast<unsigned>(by.random()))), two(works(static_cast<unsigned>(by.random())));
    worker self{today, random_source(static_cast<unsigned>(by.random()))};
    for (int i = 0; i < 20; ++i) {
      self.tries();
      for (unsigned spin = self.pick(5'000); spin > 0; --spin) asm volatile("");
    }
    if (self.pick(2) == 0) self.any().close();
    one.join();
    two.join();
    today.judge();
  }
}

}  // namespace
