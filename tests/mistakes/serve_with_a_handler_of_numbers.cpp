// says: tcp::serve: the handler is called with a cordage::tcp::stream
#include <cordage/cordage.hpp>

auto s = cordage::tcp::serve("127.0.0.1:0", [](int) {});
