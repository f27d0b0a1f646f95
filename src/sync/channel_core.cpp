#include <cordage/sync/channel_core.hpp>

namespace cordage::detail {

channel_end* channel_core::partner_of(channel_end& by, places& waiting) noexcept {
  for (place_in_line* each = waiting.first(); each != nullptr;) {
    place_in_line& one = *each;
    each = waiting.after(one);
    switch (race::claim_both(by.racing, one.racing)) {
      case race::outcome::won:
        one.unlink();
        one.state = place_state::entered;
        return &static_cast<channel_end&>(one);
      case race::outcome::one_lost: return nullptr;
      case race::outcome::other_lost:
        one.unlink();
        one.state = place_state::lost;
        break;
      case race::outcome::itself: break;
    }
  }
  return nullptr;
}

bool channel_core::wait_to_send(channel_end& by, resumable& node) noexcept {
  return !settle([&](place_in_line*& served) { return send(by, served) || wait_in(senders_, by, node); });
}

bool channel_core::wait_to_receive(channel_end& by, resumable& node) noexcept {
  return !settle([&](place_in_line*& served) { return receive(by, served) || wait_in(receivers_, by, node); });
}

channel_end* channel_core::serve_sender() noexcept {
  channel_end nobody;
  channel_end* const from = partner_of(nobody, senders_);
  if (from != nullptr) put(*from);
  return from;
}

// What was sent can still be received; who waits to send keeps what he has.
void channel_core::close() noexcept {
  places told;
  lock_.lock();
  closed_ = true;
  for (places* line : {&senders_, &receivers_}) {
    line->for_each([&](place_in_line& each) {
      each.unlink();
      if (each.enter_race()) told.push_back(each);
    });
  }
  lock_.unlock();
  wake_all(told);
}

void channel_core::expect_nobody() noexcept {
  if (!senders_.empty()) destroyed_under_waiters("channel", senders_);
  if (!receivers_.empty()) destroyed_under_waiters("channel", receivers_);
}

}  // namespace cordage::detail
