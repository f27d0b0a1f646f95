// Which backend macOS gets.
#include <cordage/runtime/poller.hpp>

#include "io/backends/kqueue_darwin.hpp"

namespace cordage::detail {

std::unique_ptr<poller> make_poller(backend_kind kind) {
  if (kind != backend_kind::automatic && kind != backend_kind::kqueue) no_such_backend(kind, "its backend is kqueue");
  return std::make_unique<kqueue_backend>();
}

}  // namespace cordage::detail
