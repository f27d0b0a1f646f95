// The values of strand_locals that one strand has. Owned by the strand, and used on its executor; the values are shared with
// the strands that inherited them.
#pragma once

#include <cstdint>
#include <utility>

#include <cordage/base/atomic.hpp>
#include <cordage/strands/frame_memory.hpp>

namespace cordage::detail {

// Never changes, and so is shared by the strands that inherited it, on whichever threads.
class local_value : public recycled_frame {
 public:
  void retain() noexcept { references_.fetch_add(1, memory_order_relaxed); }
  // Acquire-release, so that who destroys it comes after all who read it.
  void release() noexcept {
    if (references_.fetch_sub(1, memory_order_acq_rel) == 1) delete this;
  }

 protected:
  virtual ~local_value() = default;

 private:
  atomic<std::uint32_t> references_{1};
};

// A list, since they are few. On the strand's executor.
class local_values : public recycled_frame {
 public:
  local_values() noexcept = default;
  // What a strand inherits. Throws std::bad_alloc.
  local_values(const local_values& from) : local_values() {
    for (const entry* each = from.first_; each != nullptr; each = each->next) {
      first_ = new entry{each->key, each->value, first_};
      each->value->retain();
    }
  }
  local_values& operator=(const local_values&) = delete;
  ~local_values() {
    while (first_ != nullptr) {
      entry* const each = std::exchange(first_, first_->next);
      each->value->release();
      delete each;
    }
  }

  // Null if there is none.
  const local_value* find(const void* key) const noexcept {
    const entry* const found = entry_of(key);
    return found == nullptr ? nullptr : found->value;
  }
  // Takes the reference over, but for when it throws std::bad_alloc.
  void set(const void* key, local_value& value) {
    if (entry* const found = entry_of(key); found != nullptr) {
      std::exchange(found->value, &value)->release();
    } else {
      first_ = new entry{key, &value, first_};
    }
  }

 private:
  struct entry : recycled_frame {
    entry(const void* of, local_value* what, entry* following) noexcept : key(of), value(what), next(following) {}
    const void* key;
    local_value* value;
    entry* next;
  };

  entry* entry_of(const void* key) const noexcept {
    entry* at = first_;
    while (at != nullptr && at->key != key) at = at->next;
    return at;
  }

  entry* first_ = nullptr;
};

}  // namespace cordage::detail
