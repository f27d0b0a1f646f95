#include <stdexcept>

#include <cordage/base/exceptions.hpp>
#include <cordage/io/backend.hpp>
#include <cordage/io/descriptor.hpp>
#include <cordage/runtime/worker.hpp>

namespace cordage::detail {

descriptor::~descriptor() {
  if (registered_with != nullptr) registered_with->forget(*this);
}

backend& current_backend() {
  worker* const running = worker::current();
  if (running == nullptr)
    throw_exception<std::logic_error>("I/O was awaited outside a runtime", "cordage: I/O was awaited outside a runtime");
  // Every poller that make_poller makes is a backend.
  return static_cast<backend&>(running->its_poller());
}

}  // namespace cordage::detail
