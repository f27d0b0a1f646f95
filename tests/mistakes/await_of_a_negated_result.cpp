// says: `!` asks a result that is in hand whether it has no value
#include <cordage/cordage.hpp>

cordage::task<> ends(cordage::tcp::stream peer) { co_await !peer.shutdown_send(); }
