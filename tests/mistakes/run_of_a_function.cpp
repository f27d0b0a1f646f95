// says: run: this cannot be awaited
#include <cordage/cordage.hpp>

cordage::task<> program();
int main() { cordage::run(program); }
