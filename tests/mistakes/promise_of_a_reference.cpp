// says: a promise of a reference: promise a pointer
#include <cordage/cordage.hpp>

cordage::promise<int&> p;
