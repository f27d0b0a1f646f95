// says: pass the operation itself, or await it in the callable
#include <cordage/cordage.hpp>

void f() { cordage::spawn([] { return cordage::yield_now(); }); }
