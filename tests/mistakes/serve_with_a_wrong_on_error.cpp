// says: tcp::serve: on_error is called with a const cordage::failure&
#include <cordage/cordage.hpp>

auto s = cordage::tcp::serve("127.0.0.1:0", [](cordage::tcp::stream) {}, {}, [](int) {});
