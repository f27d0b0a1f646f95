// Strands at the two ends of a channel, in both styles.
#pragma once

#include <cstddef>
#include <functional>
#include <numeric>
#include <type_traits>
#include <utility>
#include <vector>

#include <cordage/channel.hpp>
#include <cordage/fiber.hpp>
#include <cordage/runtime.hpp>
#include <cordage/task.hpp>

#include "both_styles.hpp"

namespace support {

inline std::vector<int> numbers(int from, int count) {
  std::vector<int> all(static_cast<std::size_t>(count));
  std::iota(all.begin(), all.end(), from);
  return all;
}

// f(style of the senders, style of the receivers), for each mix.
template <class F>
void each_mix(F&& f) {
  for (const style senders : each_style) {
    for (const style receivers : each_style) f(senders, receivers);
  }
}

// A strand that runs the first function in a task, or the second one on a fiber. Of very many fibers some may have no guard.
template <class InTask, class OnFiber, class... Args>
auto spawn_either(style in, InTask in_task, OnFiber on_fiber, Args... args) {
  const cordage::spawn_options options{.allow_unguarded = true};
  return in == style::task ? cordage::spawn(options, in_task, std::move(args)...)
                           : cordage::spawn(options, on_fiber, std::move(args)...);
}

// A strand that awaits make(), which is kept.
template <class Make>
auto spawn_waiting(style in, Make make) {
  using value = decltype(cordage::detail::value_when_awaited(make()));
  auto in_task = [make]() -> cordage::task<value> { co_return co_await make(); };
  auto on_fiber = [make]() -> value { return cordage::await(make()); };
  return in == style::task ? cordage::spawn(in_task) : cordage::spawn(on_fiber);
}

template <class T>
cordage::task<cordage::result<>> send_in_task(cordage::channel<T>& to, T item) {
  co_return co_await to.send(std::move(item));
}
template <class T>
cordage::result<> send_on_fiber(cordage::channel<T>& to, T item) {
  return cordage::await(to.send(std::move(item)));
}
template <class T>
auto spawn_send(style in, cordage::channel<T>& to, std::type_identity_t<T> item) {
  return spawn_either(in, send_in_task<T>, send_on_fiber<T>, std::ref(to), std::move(item));
}

template <class T>
cordage::task<cordage::result<T>> receive_in_task(cordage::channel<T>& of) {
  co_return co_await of.receive();
}
template <class T>
cordage::result<T> receive_on_fiber(cordage::channel<T>& of) {
  return cordage::await(of.receive());
}
template <class T>
auto spawn_receive(style in, cordage::channel<T>& of) {
  return spawn_either(in, receive_in_task<T>, receive_on_fiber<T>, std::ref(of));
}

// Sends `count` numbers from `first` on, until the channel is closed; how many it has sent. `sent` grows with each.
inline cordage::task<int> send_numbers_in_task(cordage::channel<int>& to, int first, int count, int& sent) {
  for (int i = first; i < first + count; ++i) {
    const cordage::result<> done = co_await to.send(i);
    if (!done) break;
    ++sent;
  }
  co_return sent;
}
inline int send_numbers_on_fiber(cordage::channel<int>& to, int first, int count, int& sent) {
  for (int i = first; i < first + count && cordage::await(to.send(i)); ++i) ++sent;
  return sent;
}
inline auto spawn_sender(style in, cordage::channel<int>& to, int first, int count, int& sent) {
  return spawn_either(in, send_numbers_in_task, send_numbers_on_fiber, std::ref(to), first, count, std::ref(sent));
}

// Receives until the channel is closed, into `got`.
inline cordage::task<> receive_all_in_task(cordage::channel<int>& of, std::vector<int>& got) {
  for (;;) {
    const cordage::result<int> next = co_await of.receive();
    if (!next) break;
    got.push_back(*next);
  }
}
inline void receive_all_on_fiber(cordage::channel<int>& of, std::vector<int>& got) {
  while (const cordage::result<int> next = cordage::await(of.receive())) got.push_back(*next);
}
inline auto spawn_receiver(style in, cordage::channel<int>& of, std::vector<int>& got) {
  return spawn_either(in, receive_all_in_task, receive_all_on_fiber, std::ref(of), std::ref(got));
}

}  // namespace support
