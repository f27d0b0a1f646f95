// says: spawn: this cannot be called with these arguments
#include <cordage/cordage.hpp>

void f(cordage::scope& children) { children.spawn(42); }
