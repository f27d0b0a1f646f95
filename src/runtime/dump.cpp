#include "runtime/dump.hpp"

#include <algorithm>
#include <deque>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include <cordage/fiber.hpp>
#include <cordage/strands/strand_group.hpp>
#include <cordage/strands/task_promise.hpp>

#include "runtime/symbols.hpp"

namespace cordage::detail {
namespace {

struct seen_code {
  code_kind kind;
  std::string name;
  const void* function;  // an address in it, null where there is none
  std::size_t times = 1;
};

std::string name_of(const stackful& one) { return std::string(one.is_named() ? one.name() : ""); }

// Every coroutine's frame begins with where it is resumed: what compilers agree upon.
const void* function_of(std::coroutine_handle<> frame) noexcept {
  return frame ? *static_cast<const void* const*>(frame.address()) : nullptr;
}

// Of a coroutine of ours.
piece_of_code coroutine_at(std::coroutine_handle<> frame) noexcept {
  return {.frame = frame, .promise = &promise_of(frame)};
}

piece_of_code whose(waiting_node waits) noexcept {
  while (waits.kind == waiter_kind::inner_operation) waits = static_cast<inner_node&>(*waits.node).waiter;
  if (waits.node == nullptr) return {};
  if (waits.kind == waiter_kind::coroutine) return coroutine_at(static_cast<unstoppable_node&>(*waits.node).waiter_);
  return {.fiber = fiber_base::waiting_with(*waits.node)};
}

// Who awaits it; nobody where the strand begins, or where that cannot be told.
piece_of_code awaiting(const piece_of_code& code) noexcept {
  if (code.fiber != nullptr) return whose(code.fiber->awaited_by());
  if (code.promise == nullptr) return {};
  task_link& link = *code.promise->link;
  if (link.continuation) return {.frame = link.continuation, .promise = link.parent()};
  return whose(waiting_root::waits_for(static_cast<root_link&>(link)));
}

// The codes of one strand, from the innermost outwards. However many there are, it keeps few.
class chain {
 public:
  void add(const piece_of_code& code) {
    if (code.fiber == nullptr) return add({code_kind::coroutine, {}, function_of(code.frame)});
    // What a fiber waits in may be a stackful coroutine that it has resumed.
    const coroutine_base* const on_it = code.fiber->coroutine;
    const void* const at = code.fiber->goes_on_at();
    if (on_it != nullptr) add({code_kind::stackful_coroutine, name_of(*on_it), at});
    add({code_kind::fiber, name_of(*code.fiber), on_it == nullptr ? at : nullptr});
  }

  std::vector<seen_code> first;
  std::deque<seen_code> last;
  std::size_t left_out = 0;

 private:
  void add(seen_code code) {
    if (seen_code* const before = !last.empty() ? &last.back() : !first.empty() ? &first.back() : nullptr;
        before != nullptr && before->kind == code.kind && before->function == code.function && before->name == code.name) {
      ++before->times;
    } else if (first.size() < first_codes) {
      first.push_back(std::move(code));
    } else {
      last.push_back(std::move(code));
      if (last.size() <= last_codes) return;
      last.pop_front();
      ++left_out;
    }
  }
};

constexpr std::size_t none = static_cast<std::size_t>(-1);

struct seen_strand {
  strand* who;
  std::size_t parent = none;
  std::vector<std::size_t> children = {};
  const strand* holder = nullptr;  // of what it waits for; perhaps none that is alive
  beginning began = {};
  chain awaits = {};
  dumped_strand told = {};
};

// Looks at each strand once: first at those of all groups, then at those that these lead to.
class collector final : onlooker {
 public:
  collector(worker& of, const dump_caller& by) : by_(by) {
    of.each_ready([this](const resumable& node) { ready_.insert(&node); });
    for (const resumable* at = by.rest_of_round; at != nullptr; at = at->next) ready_.insert(at);
    of.groups().for_each([this](strand_group& group) { group.each_child([this](strand& one) { number_of(one); }); });
    for (at_ = 0; at_ < strands_.size(); ++at_) look();
    tell_who_runs();
  }

  // Each after its parent.
  std::vector<dumped_strand> told() && {
    find_names();
    std::vector<dumped_strand> all;
    std::vector<std::size_t> number(strands_.size(), 0);
    std::vector<std::size_t> left;  // to be told, the next at the end
    for (std::size_t i = strands_.size(); i-- > 0;) {
      if (strands_[i].parent == none) left.push_back(i);
    }
    while (!left.empty()) {
      seen_strand& next = strands_[left.back()];
      number[left.back()] = all.size() + 1;
      left.pop_back();
      if (next.parent != none) {
        next.told.parent = number[next.parent];
        next.told.depth = all[next.told.parent - 1].depth + 1;
      }
      left.insert(left.end(), next.children.rbegin(), next.children.rend());
      all.push_back(std::move(next.told));
    }
    for (std::size_t i = 0; i < strands_.size(); ++i) {
      const auto holder = numbers_.find(strands_[i].holder);
      dumped_strand& waits = all[number[i] - 1];
      if (holder != numbers_.end() && waits.state == dumped_state::waiting) waits.held_by = number[holder->second];
    }
    return all;
  }

 private:
  std::size_t number_of(strand& one) {
    const auto [found, is_new] = numbers_.try_emplace(&one, strands_.size());
    if (is_new) strands_.push_back({.who = &one});
    return found->second;
  }

  seen_strand& current() noexcept { return strands_[at_]; }

  void waits(const piece_of_code& waiter) override {
    for (piece_of_code at = waiter; at.frame || at.fiber != nullptr; at = awaiting(at)) current().awaits.add(at);
  }
  void waits(const waiting_node& waiter) override { waits(whose(waiter)); }
  void described(std::string_view what) override { current().told.waits_for = what; }
  void child(strand& one) override {
    const std::size_t number = number_of(one);
    if (number == at_ || strands_[number].parent != none) return;
    strands_[number].parent = at_;
    current().children.push_back(number);
  }

  void held_by(const strand* holder) override { current().holder = holder; }

  void look() {
    strand& who = *current().who;
    current().began = who.began_with();
    const fiber_base* const its_fiber = current().began.fiber;
    current().told = {.kind = who.kind(),
                      .state = dumped_state::waiting,
                      .stopping = who.stop_requested(),
                      .begun = current().began.begun || who.has_ended(),
                      .name = its_fiber != nullptr ? name_of(*its_fiber) : std::string(who.given_name())};
    if (wait* const on = who.waiting_on; on != nullptr) {
      if (on->type->shown != nullptr) on->type->shown(*on, *this);
      if (current().told.waits_for.empty()) current().told.waits_for = on->type->waits_for;
    }
    current().told.state = state_of(who);
  }

  // All waits that are more than a turn are published, so a strand that waits for nothing runs or has its turn soon.
  dumped_state state_of(const strand& who) {
    if (who.has_ended()) return dumped_state::ended;
    if (who.waiting_on != nullptr) return ready_.contains(who.waiting_on) ? dumped_state::ready : dumped_state::waiting;
    if (!by_.is_a_strand || !current().told.begun) return dumped_state::ready;
    if (const fiber_base* const running = fiber_base::current(); running != nullptr)
      return &running->its_strand() == &who ? dumped_state::running : dumped_state::ready;
    return dumped_state::running_or_ready;
  }

  // A single one that may have called is the one that has.
  void tell_who_runs() {
    const auto may_run = [](const seen_strand& one) { return one.told.state == dumped_state::running_or_ready; };
    const auto first = std::ranges::find_if(strands_, may_run);
    if (first != strands_.end() && std::ranges::none_of(first + 1, strands_.end(), may_run))
      first->told.state = dumped_state::running;
  }

  void find_names() {
    symbols names;
    const auto want = [&](const void* function) {
      if (function != nullptr) names.want(function);
    };
    for (const seen_strand& each : strands_) {
      want(function_of(each.began.frame));
      for (const seen_code& code : each.awaits.first) want(code.function);
      for (const seen_code& code : each.awaits.last) want(code.function);
    }
    names.find();
    for (seen_strand& each : strands_) name_codes(each, names);
  }

  static void name_codes(seen_strand& one, const symbols& names) {
    const auto name = [&](const void* function) { return function == nullptr ? std::string() : names.name(function); };
    bool after_gap = false;
    const auto tell = [&](const seen_code& code) {
      std::string function = name(code.function);
      if (code.kind != code_kind::coroutine && is_our_own(function)) function.clear();
      one.told.awaits.push_back({code.kind, code.name, std::move(function), code.times, after_gap});
    };
    std::ranges::for_each(one.awaits.first, tell);
    after_gap = one.awaits.left_out != 0;
    std::ranges::for_each(one.awaits.last, tell);
    one.told.left_out = one.awaits.left_out;
    leave_out_our_own(one.told);
    if (one.told.awaits.empty() && one.told.waits_for.empty()) one.told.began_with = name(function_of(one.began.frame));
    if (is_glue(one.told.began_with)) one.told.began_with.clear();
  }

  static bool is_our_own(std::string_view function) { return function.starts_with("cordage::"); }

  // What only makes a strand of something that is awaited tells nothing. The rest of our own is left out where there is
  // something else.
  static bool is_glue(std::string_view function) {
    return function.starts_with("cordage::runtime::run_to_end<") || function.starts_with("cordage::detail::await_it::");
  }
  static void leave_out_our_own(dumped_strand& one) {
    std::erase_if(one.awaits, [](const dumped_code& code) { return is_glue(code.function); });
    const auto own = [](const dumped_code& code) { return is_our_own(code.function); };
    if (!std::ranges::all_of(one.awaits, own)) std::erase_if(one.awaits, own);
    // A fiber is what the strand itself is called, so alone it tells nothing either.
    if (one.kind == strand_kind::fiber && one.awaits.size() == 1 && one.awaits[0].function.empty()) one.awaits.clear();
  }

  const dump_caller& by_;
  std::unordered_set<const resumable*> ready_;
  std::unordered_map<const strand*, std::size_t> numbers_;
  std::deque<seen_strand> strands_;
  std::size_t at_ = 0;  // the one that is looked at
};

}  // namespace

dumped_runtime look_at(worker& of, const dump_caller& by, std::size_t arriving) {
  dumped_runtime seen{.backend = of.its_poller().name(), .timers = of.timers(), .arriving = arriving};
  seen.strands = collector(of, by).told();
  for (const dumped_strand& each : seen.strands) ++seen.count[static_cast<std::size_t>(each.state)];
  return seen;
}

}  // namespace cordage::detail
