// says: std::ref(x) passes a reference
#include <cordage/cordage.hpp>

void count(int& calls) { ++calls; }
void f() {
  int calls = 0;
  cordage::spawn(count, calls);
}
