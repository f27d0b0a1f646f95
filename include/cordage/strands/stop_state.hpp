// What a stop_source shares with its tokens: whether a stop was requested, and who is to be told.
//
// Lives as long as somebody holds a reference. Nobody waits for a lock here, since there is none: request_stop may interrupt
// any of the other functions, on the same thread even. A listener is a node that is posted to its home; it is claimed by
// exchange, so that either the node is posted or the listener has left, never both.
#pragma once

#include <cstdint>

#include <cordage/base/atomic.hpp>
#include <cordage/context/resumable.hpp>
#include <cordage/strands/executor.hpp>
#include <cordage/strands/frame_memory.hpp>

namespace cordage::detail {

class stop_state : public recycled_frame {
 public:
  // A place for one listener. Places are reused, and freed with the state.
  struct place : recycled_frame {
    // The listener while there is one. Written by who adds it; taken by exchange, by request_stop or by its owner.
    atomic<resumable*> listener{nullptr};
    place* older = nullptr;  // never changes once others can see the place
    place* free_next = nullptr;
  };

  stop_state() noexcept = default;
  stop_state(const stop_state&) = delete;
  stop_state& operator=(const stop_state&) = delete;

  bool stop_requested() const noexcept { return requested_.load(memory_order_acquire); }

  // From anywhere, a signal handler included, by whoever holds a reference. False if it had been requested before.
  bool request_stop() noexcept {
    // Sequentially consistent, like the load of newest_ and the exchange below: partner of add(), which stores a listener
    // and then looks here. One of the two sees the other.
    if (requested_.exchange(true, memory_order_seq_cst)) return false;
    for (place* each = newest_.load(memory_order_seq_cst); each != nullptr; each = each->older) {
      if (resumable* const told = each->listener.exchange(nullptr, memory_order_seq_cst); told != nullptr)
        told->home->post(*told);
    }
    return true;
  }

  // The node will be posted when a stop is requested. Null: it has been before, and the node will not be posted. Any
  // thread, not from a signal handler. Throws std::bad_alloc.
  place* add(resumable& told) {
    place* at = take_free();
    if (at != nullptr) {
      at->listener.store(&told, memory_order_seq_cst);
    } else {
      at = new place;
      at->listener.store(&told, memory_order_relaxed);  // published by the next line
      at->older = newest_.load(memory_order_relaxed);
      while (!newest_.compare_exchange_weak(at->older, at, memory_order_seq_cst, memory_order_relaxed)) {
      }
    }
    if (!requested_.load(memory_order_seq_cst) || !leave(*at)) return at;
    put_back(*at);
    return nullptr;
  }

  // True: the node will not be posted. False: it is on its way, or has arrived. Either way put_back comes next, in the
  // second case after the node has arrived.
  bool leave(place& at) noexcept { return at.listener.exchange(nullptr, memory_order_seq_cst) != nullptr; }
  void put_back(place& at) noexcept { put_back(at, at); }

  void retain() noexcept { references_.fetch_add(1, memory_order_relaxed); }
  void release() noexcept {
    if (references_.fetch_sub(1, memory_order_acq_rel) == 1) delete this;
  }

 private:
  ~stop_state() {
    for (place* at = newest_.load(memory_order_relaxed); at != nullptr;) {
      place* const older = at->older;
      delete at;
      at = older;
    }
  }

  // Takes all that are free, and puts back all but one: no place can be taken by two, whoever comes in between.
  place* take_free() noexcept {
    place* const first = free_.exchange(nullptr, memory_order_acquire);
    if (first == nullptr || first->free_next == nullptr) return first;
    place* last = first->free_next;
    place* expected = nullptr;
    if (free_.compare_exchange_strong(expected, last, memory_order_release, memory_order_relaxed)) return first;
    while (last->free_next != nullptr) last = last->free_next;
    put_back(*first->free_next, *last);
    return first;
  }
  void put_back(place& first, place& last) noexcept {
    last.free_next = free_.load(memory_order_relaxed);
    // Release: partner of the acquire in take_free.
    while (!free_.compare_exchange_weak(last.free_next, &first, memory_order_release, memory_order_relaxed)) {
    }
  }

  atomic<bool> requested_{false};         // set once, by the first request_stop
  atomic<place*> newest_{nullptr};        // of all places; pushed by add()
  atomic<place*> free_{nullptr};          // of those that nobody uses
  atomic<std::uint32_t> references_{1};  // the sources, the tokens, and a strand whose stops it tells of
};

}  // namespace cordage::detail
