// Nodes that tell whose they are, for operations that run code on the strand that waits: so whoever looks (a dump, a
// debugger) finds from the innermost wait outwards to all that wait for it.
//
// start() of such an operation takes a waiting_node. The type of the node that it is given tells the rest, so that nothing
// is asked while the program runs.
#pragma once

#include <coroutine>

#include <cordage/context/resumable.hpp>
#include <cordage/strands/strand.hpp>

namespace cordage::detail {

// The part of a coroutine's wait that a debugger looks for behind the node that waits: whose it is.
template <class Node>
struct coroutine_node : Node {
  coroutine_node() noexcept {}
  union {
    std::coroutine_handle<> waiter_;  // set when the coroutine is suspended
  };
};

// Of a coroutine that waits for something no stop withdraws.
using unstoppable_node = coroutine_node<resumable>;

enum class waiter_kind : unsigned char {
  other,  // a fiber, see fiber_base::waiting_with, or somebody who is not known
  coroutine,
  inner_operation,
};

struct inner_node;

// The node with which somebody waits.
struct waiting_node {
  waiting_node() = default;
  waiting_node(resumable* its_node, waiter_kind whose) noexcept : node(its_node), kind(whose) {}
  waiting_node(resumable& its_node) noexcept : waiting_node(&its_node, waiter_kind::other) {}
  waiting_node(unstoppable_node& its_node) noexcept : waiting_node(&its_node, waiter_kind::coroutine) {}
  waiting_node(inner_node& its_node) noexcept;

  resumable* node;
  waiter_kind kind;
};

// Of an inner operation on the strand of the operation that it is part of.
struct inner_node : wait {
  inner_node() noexcept {}
  waiting_node waiter;  // who waits for that operation; set before this one begins
};

inline waiting_node::waiting_node(inner_node& its_node) noexcept : waiting_node(&its_node, waiter_kind::inner_operation) {}

}  // namespace cordage::detail
