// says: return_value
#include <cordage/cordage.hpp>

cordage::async<int> answer() { co_return {}; }
