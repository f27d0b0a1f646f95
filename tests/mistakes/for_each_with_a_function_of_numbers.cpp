// says: for_each: the function returns void, bool (false ends it), task<> or task<bool>
#include <cordage/cordage.hpp>

cordage::async_generator<int> numbers();
cordage::task<> t() { co_await cordage::for_each(numbers(), [](int i) { return i; }); }
