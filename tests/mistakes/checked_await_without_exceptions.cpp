// says: await: `!` would throw the error, and there are no exceptions here
// flags: -fno-exceptions
#include <cordage/cordage.hpp>

int f(cordage::future<int> answer) { return cordage::await(!answer); }
