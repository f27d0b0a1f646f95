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

  bool empty() const noexcept { return last_ == &first_; }

  void push(Node& node) noexcept {
    *last_ = &node;
    last_ = &node.next;
  }

  // The queue must not be empty.
  Node& pop() noexcept {
    Node& node = *first_;
    if (last_ == &node.next) {
      last_ = &first_;
    } else {
      first_ = node.next;
    }
    return node;
  }

  Node* front() const noexcept { return empty() ? nullptr : first_; }

  // Empties the queue: gives its first node, from which `next` leads to the others and at last to null; or null.
  Node* take_all() noexcept {
    *last_ = nullptr;
    last_ = &first_;
    return first_;
  }

  template <class F>
  void for_each(F&& f) const {
    for (Node* const* link = &first_; link != last_; link = &(*link)->next) f(**link);
  }

  // Takes one node out of the middle, O(n); false if it is not here.
  bool remove(Node& node) noexcept {
    for (Node** link = &first_; link != last_; link = &(*link)->next) {
      if (*link != &node) continue;
      if (last_ == &node.next) {
        last_ = link;
      } else {
        *link = node.next;
      }
      return true;
    }
    return false;
  }

 private:
  // The next of the newest node is not written until another one follows or all are taken: one store less per push.
  Node* first_ = nullptr;
  Node** last_ = &first_;  // where the next node goes
};

}  // namespace cordage::detail
