// says: await: this cannot be awaited
#include <cordage/cordage.hpp>

void f() { cordage::await(3); }
