#include "io/backends/readiness.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>

#include <cordage/base/exceptions.hpp>

namespace cordage::detail {
namespace {

void close_all(intrusive_queue<io_operation>& waiting) noexcept {
  while (!waiting.empty()) end_with_closed(waiting.pop());
}

}  // namespace

readiness_backend::~readiness_backend() {
  for (const slot& each : slots_) {
    if (each.tenant == nullptr) continue;
    each.tenant->registered_with = nullptr;
    each.tenant->readable = each.tenant->writable = true;
  }
}

bool readiness_backend::submit(io_operation& op) noexcept {
  descriptor& d = *op.on;
  if (d.registered_with == nullptr && !settle(d, op.failure)) return false;
  if (is_done_already(op) || attempt_if_ready(op)) return false;
  queue_of(op).push(op);
  return op.pending = true;
}

cancel_result readiness_backend::cancel(io_operation& op) noexcept {
  if (!queue_of(op).remove(op)) return cancel_result::too_late;
  op.pending = false;
  return cancel_result::withdrawn;
}

// Gives it a slot, and registers it.
bool readiness_backend::settle(descriptor& d, error& failure) noexcept {
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
    free_slots_.reserve(slots_.size());  // so that forget, which cannot fail, need not allocate
  }
  d.index = free_slots_.back();
  slot& home = slots_[d.index];
  failure = enroll(d, std::uint64_t{home.generation} << 32 | d.index);
  if (failure != error{}) return false;
  free_slots_.pop_back();
  home.tenant = &d;
  d.registered_with = this;
  return true;
}

void readiness_backend::forget(descriptor& d) noexcept {
  close_all(d.readers);
  close_all(d.writers);
  dismiss(d);
  slot& home = slots_[d.index];
  home.tenant = nullptr;
  ++home.generation;
  free_slots_.push_back(d.index);
  d.registered_with = nullptr;
}

bool readiness_backend::waits_for_events() const noexcept {
  return std::ranges::any_of(slots_, [](const slot& each) {
    return each.tenant != nullptr && somebody_waits_for(each.tenant);
  });
}

void readiness_backend::refused(const char* what) {
  throw_exception<std::system_error>(what, errno, std::system_category(), what);
}

}  // namespace cordage::detail
