#include <boost/fiber/buffered_channel.hpp>
#include <boost/fiber/fiber.hpp>

#include "support/micro.hpp"
#include "talking_peer/boost_fiber.hpp"

namespace talking_peer {

const bool has_boost_fiber = true;

void pass_through_boost(std::uint64_t items, std::size_t capacity) {
  boost::fibers::buffered_channel<std::uint64_t> channel(capacity);
  boost::fibers::fiber sends([&] {
    for (std::uint64_t i = 0; i < items; ++i) channel.push(i);
    channel.close();
  });
  boost::fibers::fiber receives([&] {
    std::uint64_t sum = 0;
    for (std::uint64_t one = 0; channel.pop(one) == boost::fibers::channel_op_status::success;) sum += one;
    bench::keep(sum);
  });
  sends.join();
  receives.join();
}

}  // namespace talking_peer
