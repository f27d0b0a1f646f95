// says: co_await: this cannot be awaited
#include <cordage/cordage.hpp>

cordage::task<> t() { co_await 3; }
