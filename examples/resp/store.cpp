#include "store.hpp"

namespace resp {

void store::set(std::string_view key, std::string_view value, time_point deadline) {
  auto found = entries_.find(key);
  if (found == entries_.end()) {
    found = entries_.emplace(std::string(key), entry{std::string(value), never}).first;
  } else {
    found->second.value = value;
  }
  change_deadline(*found, deadline);
}

bool store::set_deadline(std::string_view key, time_point deadline) {
  const auto found = entries_.find(key);
  if (found == entries_.end() || is_over(found->second)) return false;
  change_deadline(*found, deadline);
  return true;
}

bool store::erase(std::string_view key) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return false;
  const bool was_there = !is_over(found->second);
  change_deadline(*found, never);
  entries_.erase(found);
  return was_there;
}

void store::clear() {
  deadlines_.clear();
  entries_.clear();
}

// [expire]
void store::change_deadline(entries::value_type& of, time_point deadline) {
  auto& [key, entry] = of;
  if (entry.deadline != never) deadlines_.erase({entry.deadline, &key});
  entry.deadline = deadline;
  if (deadline == never) return;
  const auto added = deadlines_.emplace(deadline, &key).first;
  if (added == deadlines_.begin()) first_deadline_changed_.set();
}

cordage::task<> store::expire_keys() {
  constexpr int at_a_time = 1000;           // then the others have their turn
  for (;;) {
    const time_point next = deadlines_.empty() ? never : deadlines_.begin()->first;
    co_await cordage::select(cordage::sleep_until(next), first_deadline_changed_.wait());
    for (int i = 0; i < at_a_time && !deadlines_.empty() && deadlines_.begin()->first <= cordage::now(); ++i)
      erase(*deadlines_.begin()->second);
    co_await cordage::yield_now();
  }
}
// [/expire]

}  // namespace resp
