// says: with_scope: the function is called with a cordage::scope&
#include <cordage/cordage.hpp>

cordage::task<> t() {
  auto f = [] {};
  co_await cordage::with_scope(f);
}
