// says: this function returns a task or an operation: await that instead
#include <cordage/cordage.hpp>

cordage::task<> t();
cordage::fiber f{t};
