// Which backend Linux gets.
#include <cordage/runtime/poller.hpp>

#include "io/backends/epoll_linux.hpp"

namespace cordage::detail {

std::unique_ptr<poller> make_poller(backend_kind kind) {
  if (kind != backend_kind::automatic && kind != backend_kind::epoll) no_such_backend(kind, "epoll");
  return std::make_unique<epoll_backend>();
}

}  // namespace cordage::detail
