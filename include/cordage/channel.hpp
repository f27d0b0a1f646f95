// channel<T>: items from those who send to those who receive, each to one of them, first in, first out.
//
//   channel<request> requests(64);
//   co_await !requests.send(next);                       // waits while 64 are under way
//   co_await for_each(requests, handle);                 // or  while (auto one = co_await requests.receive()) …
//   requests.close();                                    // nothing more: receivers get what is left, then errc::closed
//
// With a capacity of 0 a sender waits until a receiver has taken its item. Any thread may use it, and none ever blocks;
// many may send, many receive, tasks and fibers in any mixture. Who waits longest is served first, at either end.
//
// Nothing is lost: an item is with its sender until it is in the channel or with a receiver. Where a stop meets a wait, an
// item that was handed over is delivered, and the next wait stops; otherwise the wait is withdrawn, and the item is the
// sender's as before.
//
// T's move should not throw: an item that throws on its way out is lost. It may throw on its way in; then nothing was sent.
//
// Each item lies in a block of recycled memory while it is under way. The channel outlives all operations on it.
#pragma once

#include <concepts>
#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include <cordage/base/config.hpp>
#include <cordage/base/fatal.hpp>
#include <cordage/result.hpp>
#include <cordage/strands/frame_memory.hpp>
#include <cordage/sync/channel_core.hpp>

namespace cordage {

namespace detail {

template <class T>
struct cell_of : channel_cell, recycled_frame {
  template <class... Args>
  explicit cell_of(std::in_place_t, Args&&... args) : item(std::forward<Args>(args)...) {}

  T item;
};

// An end that owns its cell.
template <class T>
class owning_end : public channel_end {
 public:
  owning_end() noexcept = default;
  explicit owning_end(cell_of<T>* with) noexcept : channel_end(with) {}
  owning_end(owning_end&&) noexcept = default;
  // Rare: what was sent is gone, and what was received was taken. Out of the way, so that what moves an end sees through it.
  ~owning_end() {
    if (cell != nullptr) [[unlikely]] discard(cell);
  }

  // There has to be one.
  T take() {
    const std::unique_ptr<cell_of<T>> emptied(static_cast<cell_of<T>*>(std::exchange(cell, nullptr)));
    return std::move(emptied->item);
  }
  result<T> take_or_closed() {
    if (cell == nullptr) [[unlikely]] return fail(errc::closed);
    return take();
  }

 private:
  CORDAGE_RARELY_CALLED static void discard(channel_cell* left) noexcept { delete static_cast<cell_of<T>*>(left); }
};

// What the operations at the two ends have in common. Movable until it is started; one that was withdrawn may be awaited
// again.
template <class T>
class channel_operation {
 public:
  void attach(strand& on) noexcept { end_.begin_on(on); }
  void on_behalf_of(strand& whom) noexcept { end_.who = &whom; }
  void join(race& with) noexcept { end_.racing = &with; }
  cancel_result cancel() noexcept { return core_->leave(end_); }

 protected:
  explicit channel_operation(channel_core& core, cell_of<T>* with = nullptr) noexcept : core_(&core), end_(with) {}

  channel_core* core_;
  owning_end<T> end_;
};

template <class T>
class receiving : public channel_operation<T> {
 public:
  static constexpr const char* name = "channel.receive";

  explicit receiving(channel_core& core) noexcept : channel_operation<T>(core) {}

  bool ready() noexcept { return this->core_->try_receive(this->end_); }
  bool start(resumable& node) noexcept { return this->core_->wait_to_receive(this->end_, node); }
};

}  // namespace detail

template <class T>
class channel {
  static_assert(std::is_object_v<T>, "channel<T>: T is what travels; send a pointer where you mean a reference");
  static_assert(alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__, "channel<T>: send a pointer to what is aligned like this");
  using cell = detail::cell_of<T>;

 public:
  using value_type = T;

  explicit channel(std::size_t capacity = 0) noexcept : core_(capacity) {}
  channel(const channel&) = delete;
  channel& operator=(const channel&) = delete;
  // Nobody may wait at it; asserted, with a name. Items that nobody has received are destroyed.
  ~channel() {
    while (detail::channel_cell* const left = core_.take_left_over()) delete static_cast<cell*>(left);
  }

  // An item on its way into the channel, and the operation to await.
  class [[nodiscard]] send_operation : public detail::channel_operation<T> {
   public:
    static constexpr const char* name = "channel.send";

    bool ready() noexcept {
      detail::expects(this->end_.cell != nullptr, "a send was awaited again whose item had been sent or taken back");
      return this->core_->try_send(this->end_);
    }
    bool start(resumable& node) noexcept { return this->core_->wait_to_send(this->end_, node); }
    [[nodiscard]] result<> get() const noexcept {
      if (this->end_.cell != nullptr) return detail::fail(errc::closed);
      return {};
    }

    // For whoever gave the operation a name: the item, where it was not sent because the wait was stopped or lost, or the
    // channel closed; otherwise nothing.
    std::optional<T> take_back() {
      if (this->end_.cell == nullptr) return std::nullopt;
      return this->end_.take();
    }

   private:
    friend channel;
    send_operation(detail::channel_core& core, cell* with) noexcept : detail::channel_operation<T>(core, with) {}
  };

  // Completes with a result<> when the item, made of `args`, is in the channel or with a receiver; errc::closed if the
  // channel is closed. Throws std::bad_alloc, and what making the item throws, in this call. Stop withdraws it.
  template <class... Args>
    requires std::is_constructible_v<T, Args&&...>
  auto send(Args&&... args) {
    return send_operation(core_, new cell(std::in_place, std::forward<Args>(args)...));
  }
  // For send({…}); GCC 12 miscompiles that inside a co_await, see docs/gcc12.md.
  auto send(T&& item)
    requires std::move_constructible<T>
  {
    return send_operation(core_, new cell(std::in_place, std::move(item)));
  }

  class [[nodiscard]] receive_operation : public detail::receiving<T> {
   public:
    using detail::receiving<T>::receiving;
    [[nodiscard]] result<T> get() { return this->end_.take_or_closed(); }
  };

  // Completes with a result<T>; errc::closed when the channel is closed and there is nothing left in it. Stop withdraws it.
  auto receive() noexcept { return receive_operation(core_); }

  // At once or not at all; also where there is no strand. True: it was sent, and moved from; false: there is no room, and
  // the item is as before; errc::closed. Throws std::bad_alloc.
  [[nodiscard]] result<bool> try_send(T&& item)
    requires std::movable<T>
  {
    detail::owning_end<T> end(new cell(std::in_place, std::move(item)));
    const result<bool> sent = try_send_from(end);
    if (end.cell != nullptr) item = std::move(static_cast<cell*>(end.cell)->item);
    return sent;
  }
  [[nodiscard]] result<bool> try_send(const T& item)
    requires std::copy_constructible<T>
  {
    detail::owning_end<T> end(new cell(std::in_place, item));
    return try_send_from(end);
  }

  // At once or not at all; also where there is no strand. Nothing where the channel is empty; errc::closed when it is closed,
  // too.
  [[nodiscard]] result<std::optional<T>> try_receive() {
    detail::owning_end<T> end;
    if (!core_.try_receive(end)) return std::nullopt;
    if (end.cell == nullptr) return detail::fail(errc::closed);
    return end.take();
  }

  // No more is sent: who waits to send gets errc::closed, and receivers do when nothing is left. Once or more often.
  void close() noexcept { core_.close(); }

  // Only hints where others use it.
  bool closed() noexcept { return core_.closed(); }
  std::size_t size() noexcept { return core_.size(); }

  std::size_t capacity() const noexcept { return core_.capacity(); }

  // For for_each, or by hand: for (auto at = co_await c.begin(); at != c.end(); co_await ++at) …*at…
  class iterator {
   public:
    explicit iterator(channel& of) noexcept : of_(&of) {}

    T& operator*() noexcept { return *item_; }
    T* operator->() noexcept { return &*item_; }

    // Waits for the next item, or for the end.
    [[nodiscard]] auto operator++() noexcept { return advance_operation(*this); }

    friend bool operator==(const iterator& at, std::default_sentinel_t) noexcept { return !at.item_; }

   private:
    friend channel;

    class advance_operation : public detail::receiving<T> {
     public:
      explicit advance_operation(iterator& at) noexcept : detail::receiving<T>(at.of_->core_), at_(&at) {}
      iterator& get() {
        at_->take(this->end_);
        return *at_;
      }

     private:
      iterator* at_;
    };

    // Not assigned, which not every T can be.
    void take(detail::owning_end<T>& from) {
      item_.reset();
      if (from.cell != nullptr) item_.emplace(from.take());
    }

    channel* of_;
    std::optional<T> item_;  // none at the end
  };

  [[nodiscard]] auto begin() noexcept { return begin_operation(*this); }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  class begin_operation : public detail::receiving<T> {
   public:
    explicit begin_operation(channel& of) noexcept : detail::receiving<T>(of.core_), of_(&of) {}
    iterator get() {
      iterator first(*of_);
      first.take(this->end_);
      return first;
    }

   private:
    channel* of_;
  };

  result<bool> try_send_from(detail::owning_end<T>& end) noexcept {
    const bool settled = core_.try_send(end);
    if (end.cell == nullptr) return true;
    if (settled) return detail::fail(errc::closed);
    return false;
  }

  detail::channel_core core_;
};

}  // namespace cordage
