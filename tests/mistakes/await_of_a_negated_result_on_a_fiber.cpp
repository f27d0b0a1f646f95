// says: `!` asks a result that is in hand whether it has no value
#include <cordage/cordage.hpp>

void ends(cordage::tcp::stream& peer) { cordage::await(!peer.shutdown_send()); }
