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

bool channel_core::send(channel_end& by, place_in_line*& served) noexcept {
  if (closed_) return enter(by);
  if (!receivers_.empty()) {
    if (channel_end* const to = partner_of(by, receivers_); to != nullptr) {
      to->cell = std::exchange(by.cell, nullptr);
      served = to;
      return true;
    }
  }
  if (size_ >= capacity_ || !enter(by)) return false;
  put(by);
  return true;
}

bool channel_core::receive(channel_end& by, place_in_line*& served) noexcept {
  if (size_ != 0) {
    if (!enter(by)) return false;
    by.cell = &take();
    channel_end nobody;
    channel_end* const from = partner_of(nobody, senders_);  // there is room for the one who waits longest
    if (from != nullptr) put(*from);
    served = from;
    return true;
  }
  if (!senders_.empty()) {
    if (channel_end* const from = partner_of(by, senders_); from != nullptr) {
      by.cell = std::exchange(from->cell, nullptr);
      served = from;
      return true;
    }
  }
  return closed_ && enter(by);
}

void channel_core::unlock_and_wake(place_in_line* served) noexcept {
  lock_.unlock();
  if (served != nullptr) wake(*served->node);
}

bool channel_core::send_and_unlock(channel_end& by, resumable* node) noexcept {
  place_in_line* served = nullptr;
  const bool settled = send(by, served);
  if (!settled && node != nullptr) by.wait_in(senders_, *node);
  unlock_and_wake(served);
  return settled;
}

bool channel_core::receive_and_unlock(channel_end& by, resumable* node) noexcept {
  place_in_line* served = nullptr;
  const bool settled = receive(by, served);
  if (!settled && node != nullptr) by.wait_in(receivers_, *node);
  unlock_and_wake(served);
  return settled;
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
