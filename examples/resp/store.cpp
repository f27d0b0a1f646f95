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
  if (!deadlines_.empty()) first_deadline_changed_.set();
  deadlines_.clear();
  entries_.clear();
}

// [expire]
void store::change_deadline(entries::value_type& of, time_point deadline) {
  auto& [key, its] = of;
  if (its.deadline == deadline) return;
  const time_point first = first_deadline();
  if (its.deadline != never) deadlines_.erase({its.deadline, &key});
  if (deadline != never) deadlines_.emplace(deadline, &key);
  its.deadline = deadline;
  if (first_deadline() != first) first_deadline_changed_.set();
}

cordage::task<> store::expire_keys() {
  constexpr int at_a_time = 1000;                             // then the others have their turn
  for (;;) {
    const time_point next = first_deadline();
    if (next == never) {
      co_await first_deadline_changed_.wait();
    } else {
      co_await cordage::select(cordage::sleep_until(next), first_deadline_changed_.wait());
    }
    const time_point now = cordage::now();
    for (int i = 0; i < at_a_time && first_deadline() <= now; ++i) erase(*deadlines_.begin()->second);
    co_await cordage::yield_now();
  }
}
// [/expire]

}  // namespace resp
