#include <cordage/std_stop.hpp>

#include <chrono>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include <cordage/fiber.hpp>
#include <cordage/promise.hpp>
#include <cordage/runtime.hpp>
#include <cordage/time.hpp>

namespace {

using namespace cordage;
using namespace std::chrono_literals;

TEST(std_stop, a_standard_stop_is_one_of_a_linked_source) {
  std::stop_source standard;
  auto program = [&]() -> task<> {
    stop_source ours;
    const std_stop_link link(standard.get_token(), ours);
    std::thread somebody([&] { standard.request_stop(); });
    const auto ended = co_await as_result(with_stop(ours.token(), stopped()));
    EXPECT_EQ(ended.error(), errc::stopped);
    somebody.join();
  };
  run(program());
}

TEST(std_stop, a_link_that_is_gone_passes_nothing_on) {
  std::stop_source standard;
  stop_source ours;
  { const std_stop_link link(standard.get_token(), ours); }
  standard.request_stop();
  EXPECT_FALSE(ours.stop_requested());
  const std_stop_link late(standard.get_token(), ours);
  EXPECT_TRUE(ours.stop_requested());
}

TEST(std_stop, code_of_the_standard_library_hears_of_a_stop_of_the_strand) {
  for (const bool on_a_fiber : {false, true}) {
    bool heard = false;
    auto program = [&]() -> task<> {
      // A thread that works until its token tells it to end.
      auto works = [&](std::stop_token token) {
        promise<int> ends;
        auto end = ends.get_future();
        std::thread([token, &heard, p = std::move(ends)]() mutable {
          while (!token.stop_requested()) std::this_thread::yield();
          heard = true;
          p.set_value(1);
        }).detach();
        return shield(std::move(end));
      };
      auto waits = [&]() -> task<> { (void)co_await with_std_stop(works); };
      auto waits_on_fiber = [&] { (void)await(with_std_stop(works)); };
      auto strand = on_a_fiber ? spawn(waits_on_fiber) : spawn(waits);
      co_await yield_now();
      co_await yield_now();
      strand.request_stop();
      EXPECT_TRUE((co_await strand).has_value());  // completion beats stop
    };
    run(program());
    EXPECT_TRUE(heard);
  }
}

TEST(std_stop, gives_the_value_of_what_completes) {
  auto answers = [](std::stop_token token) -> task<std::string> {
    co_await yield_now();
    co_return token.stop_requested() ? "stopped" : "done";
  };
  EXPECT_EQ(run(with_std_stop(answers)), "done");
  auto nothing = [](std::stop_token) -> task<> { co_return; };
  run(with_std_stop(nothing));
}

}  // namespace
