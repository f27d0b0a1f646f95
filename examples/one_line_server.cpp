// The smallest server: its handler, and one line.
#include <array>
#include <span>

#include <cordage/cordage.hpp>

namespace {

void echo_fiber(cordage::tcp::stream peer) {
  std::array<std::byte, 4096> buffer;
  while (auto n = cordage::await(!peer.read_some(buffer))) cordage::await(!peer.write_all(std::span(buffer).first(n)));
}

}  // namespace

// [main]
int main() { cordage::run(!cordage::tcp::serve("127.0.0.1:7007", echo_fiber)); }
// [/main]
