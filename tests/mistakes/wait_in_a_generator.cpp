// says: a generator cannot wait: it would be an async_generator
#include <cordage/cordage.hpp>

cordage::generator<int> g() {
  co_await cordage::yield_now();
  co_yield 1;
}
