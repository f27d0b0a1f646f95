// says: a coroutine yields values: their type is neither const nor volatile
#include <cordage/coroutine.hpp>

cordage::coroutine<const int> c{[] {}};
