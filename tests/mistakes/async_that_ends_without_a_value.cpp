// says: non-void coroutine does not return a value in all control paths
// clang: -Werror=return-type
#include <cordage/cordage.hpp>

cordage::async<int> answer(bool known) {
  if (known) co_return 42;
  co_await cordage::yield_now();
}
