// Resumes a coroutine that yields, as often as the command line says, and does nothing else. Sixteen times in a row, so that
// of the loop itself next to nothing is counted.
//
// tools/count_switch.py counts the instructions of it.
#include <cstdlib>

#include <cordage/coroutine.hpp>

int main(int count, char** arguments) {
  if (count != 2) return 2;
  cordage::coroutine<void> yielding{[] {
    for (;;) cordage::this_coroutine::yield();
  }};
  const long rounds = std::strtol(arguments[1], nullptr, 10);
  for (long i = 0; i < rounds; i += 16) {
    yielding.resume(), yielding.resume(), yielding.resume(), yielding.resume();
    yielding.resume(), yielding.resume(), yielding.resume(), yielding.resume();
    yielding.resume(), yielding.resume(), yielding.resume(), yielding.resume();
    yielding.resume(), yielding.resume(), yielding.resume(), yielding.resume();
  }
}
