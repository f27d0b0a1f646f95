// A thread's own list of free things (frames, stacks) that it keeps for their next user, the newest first, up to a number.
//
// One thread. It owns nothing: what it does not keep is for the caller to give back. All zero it keeps none, so that a
// thread_local one needs no initialization; `room` opens it.
#pragma once

#include <cstdint>
#include <utility>

namespace cordage::detail {

template <class Node>
struct kept_list {
  Node* first;
  std::uint32_t room;  // how many more may be kept

  // The newest, or null.
  Node* take() noexcept {
    Node* const taken = first;
    if (taken != nullptr) [[likely]] {
      first = taken->next;
      ++room;
    }
    return taken;
  }

  // False if there is no room.
  bool keep(Node& node) noexcept {
    if (room == 0) [[unlikely]] return false;
    node.next = first;
    first = &node;
    --room;
    return true;
  }

  // Puts a chain into an empty list that has room for it.
  void fill(Node* chain) noexcept {
    first = chain;
    for (const Node* each = chain; each != nullptr; each = each->next) --room;
  }

  // The older half of a list, chained. It holds two at least.
  Node* give_up_half() noexcept {
    std::uint32_t length = 0;
    for (const Node* each = first; each != nullptr; each = each->next) ++length;
    Node* last_kept = first;
    for (std::uint32_t i = 1; i < length / 2; ++i) last_kept = last_kept->next;
    room += length - length / 2;
    return std::exchange(last_kept->next, nullptr);
  }

  // All of them, chained; from now on it keeps none.
  Node* close() noexcept {
    room = 0;
    return std::exchange(first, nullptr);
  }
};

// Whether a thread keeps anything: from when it first keeps one until its end.
enum class keeping : unsigned char { not_begun, begun, ended };

}  // namespace cordage::detail
