// A first-in first-out queue of nodes that carry their own `next`: it never allocates.
//
// One thread. The queue does not own its nodes; a node is in at most one queue.
#pragma once

#include <utility>

namespace cordage::detail {

template <class Node>
class intrusive_queue {
 public:
  intrusive_queue() = default;
  intrusive_queue(const intrusive_queue&) = delete;
  intrusive_queue& operator=(const intrusive_queue&) = delete;

  bool empty() const noexcept { return first_ == nullptr; }

  void push(Node& node) noexcept {
    node.next = nullptr;
    *last_ = &node;
    last_ = &node.next;
  }

  // The queue must not be empty.
  Node& pop() noexcept {
    Node& node = *first_;
    first_ = node.next;
    if (first_ == nullptr) last_ = &first_;
    return node;
  }

  Node* front() const noexcept { return first_; }

  // Empties the queue: gives its first node, from which `next` leads to the others, or null.
  Node* take_all() noexcept {
    last_ = &first_;
    return std::exchange(first_, nullptr);
  }

  // Takes one node out of the middle, O(n); false if it is not here.
  bool remove(Node& node) noexcept {
    for (Node** link = &first_; *link != nullptr; link = &(*link)->next) {
      if (*link != &node) continue;
      *link = node.next;
      if (last_ == &node.next) last_ = link;
      return true;
    }
    return false;
  }

 private:
  Node* first_ = nullptr;
  Node** last_ = &first_;
};

}  // namespace cordage::detail
