// says: temporary whose address is used as value of local variable 'later' will be destroyed
// clang: -DCORDAGE_LIFETIME_WARNINGS -Werror=dangling
#include <cordage/runtime.hpp>
#include <cordage/task.hpp>

cordage::task<int> twice(const int& number) { co_return 2 * number; }

int main() {
  auto later = twice(21);
  return cordage::run(later);
}
