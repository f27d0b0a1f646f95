// Keys, their values, and when they expire. Used by the strands of one worker.
//
// A key whose time has passed is gone at once for whoever asks for it; expire_keys() gives its memory back. A strand
// for each key that expires would be the obvious way, and is not simpler: one whose sleep was over just before its key was
// set anew would have to find that out, all of them would have to be stopped at the end, and each has a frame and a timer.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <cordage/cordage.hpp>

namespace resp {

class store {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  static constexpr time_point never = time_point::max();

  struct entry {
    std::string value;
    time_point deadline = never;
  };

  // Null where there is no such key. Good until the store is next changed.
  const entry* find(std::string_view key) {
    const auto found = entries_.find(key);
    if (found == entries_.end() || is_over(found->second)) return nullptr;
    return &found->second;
  }

  void set(std::string_view key, std::string_view value, time_point deadline = never);
  // These are false where there is no such key.
  bool set_deadline(std::string_view key, time_point deadline);
  bool erase(std::string_view key);
  void clear();

  // Keys whose time is over count as long as they take memory.
  std::size_t size() const noexcept { return entries_.size(); }
  std::size_t expiring() const noexcept { return deadlines_.size(); }

  // Erases keys when their time has come, until it is stopped.
  cordage::task<> expire_keys();

 private:
  struct hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  using entries = std::unordered_map<std::string, entry, hash, std::equal_to<>>;

  static bool is_over(const entry& which) { return which.deadline != never && which.deadline <= cordage::now(); }
  time_point first_deadline() const { return deadlines_.empty() ? never : deadlines_.begin()->first; }
  void change_deadline(entries::value_type& of, time_point deadline);

  entries entries_;
  std::set<std::pair<time_point, const std::string*>> deadlines_;  // of the keys that have one
  cordage::auto_reset_event first_deadline_changed_;
};

}  // namespace resp
