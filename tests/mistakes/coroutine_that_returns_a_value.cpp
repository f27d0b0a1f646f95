// says: the body of a coroutine returns nothing: it yields its values
#include <cordage/cordage.hpp>

int body();
cordage::coroutine<int> c{body};
