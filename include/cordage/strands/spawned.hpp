// A strand that was spawned: how it begins, how it ends, and how others wait for its end.
#pragma once

#include <cstddef>
#include <new>
#include <optional>
#include <string_view>
#include <utility>

#include <cordage/failure.hpp>
#include <cordage/fiber.hpp>
#include <cordage/strands/completion.hpp>
#include <cordage/strands/frame_recycler.hpp>
#include <cordage/strands/outcome.hpp>
#include <cordage/strands/start.hpp>
#include <cordage/strands/strand.hpp>
#include <cordage/strands/strand_group.hpp>
#include <cordage/task.hpp>

namespace cordage {

// Trivially destructible, so that GCC 12 handles temporaries of it.
struct spawn_options {
  std::string_view name = {};                           // copied, at most 29 bytes
  std::size_t stack_size = stack_options{}.stack_size;  // bytes, of a fiber; rounded up to a power of two
  bool allow_unguarded = false;                         // see stack_options
};

}  // namespace cordage

namespace cordage::detail {

// A strand whose end can be waited for. Its handle may live on any thread.
class joinable : public strand {
 public:
  joinable(executor& where, strand_kind kind, strand_group& group) noexcept : strand(where, kind), group_(group) {}

  bool done() const noexcept { return completion_.done(); }

  // False if it has ended already; otherwise the node will be woken at its end.
  bool join(resumable& node) noexcept { return completion_.wait(node); }
  cancel_result leave(resumable& node) noexcept { return completion_.leave(node); }

  // The handle is dropped: nobody will ask how it ended.
  void abandon() noexcept {
    completion_.abandon();
    release();
  }

 protected:
  // On the executor, at the end. The strand may be gone when this returns.
  void finish(const failure& failed) noexcept {
    const completion::listener told = completion_.complete();
    group_.child_ended(*this, failed, told.gone);
    if (told.waiter != nullptr) wake(*told.waiter);
    release();
  }

 private:
  completion completion_;
  strand_group& group_;
};

template <class T>
class spawned : public joinable {
 public:
  using joinable::joinable;

  outcome<T> value;
};

// What spawn_isolated replaces: the failure is left to the group.
struct left_to_group {};

// The part of a spawned strand that knows what was spawned. OnFailure is called with a failure, on the executor; the
// group then hears of none.
template <class T, class Call, class OnFailure>
class spawned_call : public spawned<T> {
 public:
  template <class Handler, class... Args>
  spawned_call(executor& where, strand_kind kind, strand_group& group, Handler&& on_failure, Args&&... args)
      : spawned<T>(where, kind, group), on_failure_(std::forward<Handler>(on_failure)) {
    call_.emplace(std::forward<Args>(args)...);
  }

 protected:
  // What was spawned has ended and its frames are gone: so are its captures and arguments, whoever keeps a handle.
  void conclude() noexcept {
    call_.reset();
    this->end_when_walked();
  }

  void end() noexcept final {
    failure failed = failure_of(this->value);
    if constexpr (!std::is_same_v<OnFailure, left_to_group>) {
      if (failed) on_failure_(std::as_const(failed));
      failed = {};
    }
    this->finish(failed);
  }

  std::optional<Call> call_;

 private:
  [[no_unique_address]] OnFailure on_failure_;
};

template <class T, class Call, class OnFailure>
class task_strand final : public spawned_call<T, Call, OnFailure>, resumable, root_link {
  using base = spawned_call<T, Call, OnFailure>;
  using task_type = std::remove_cvref_t<decltype(std::declval<Call&>()())>;
  using promise_type = typename task_type::promise_type;

 public:
  template <class... Args>
  task_strand(std::string_view name, executor& where, Args&&... args)
      : base(where, strand_kind::task, std::forward<Args>(args)...), root_link(on_ended) {
    this->run = begin;
    static_cast<resumable&>(*this).home = &where;
    if (!name.empty()) [[unlikely]] this->set_name(name);
  }

  resumable& first_node() noexcept { return *this; }

  static void* operator new(std::size_t size) {
    void* const block = frame_recycler::allocate(size);
    if (block == nullptr) [[unlikely]] throw_exception<std::bad_alloc>("no memory for a strand");
    return block;
  }
  static void operator delete(void* block, std::size_t size) noexcept { frame_recycler::deallocate(block, size); }

 private:
  // One that was stopped before its first turn does not begin.
  static void begin(resumable& node) {
    auto& self = static_cast<task_strand&>(node);
    static_cast<resumable&>(self).home->enter(self);
    if (self.stopping()) {
      self.value.set_stopped();
      return self.conclude();
    }
    catching(
        [&] {
          self.child = (*self.call_)().release_frame();
          if constexpr (takes_error<T>) {
            if (!self.child) self.value.set_value(failed_as<T>(errc::out_of_memory));
          }
        },
        [&](std::exception_ptr exception) { self.value.set_exception(std::move(exception)); });
    if (!self.child) return self.conclude();
    self.child_promise().start_as_root(self, self);
    self.child.resume();
  }

  static void on_ended(root_link& link, frame_end how) noexcept {
    auto& self = static_cast<task_strand&>(link);
    if (how == frame_end::completed) {
      auto& slot = self.child_promise().value;
      if (slot.state() == outcome_state::exception) {
        self.value.set_exception(take_exception(self));
      } else {
        self.value.adopt(slot);
      }
      std::exchange(self.child, {}).destroy();
    } else if (how == frame_end::stopped) {
      self.value.set_stopped();
    } else if constexpr (takes_error<T>) {
      self.value.set_value(failed_as<T>(self.failure));
    }
    self.conclude();
  }

  beginning began_with() noexcept override { return {.begun = static_cast<bool>(this->child), .frame = this->child}; }

  promise_type& child_promise() noexcept { return promise_of<promise_type>(this->child); }

  void destroy() noexcept override { delete this; }
};

template <class T, class Call, class OnFailure>
class fiber_strand final : public spawned_call<T, Call, OnFailure>, fiber_base {
  using base = spawned_call<T, Call, OnFailure>;

 public:
  template <class... Args>
  fiber_strand(stack& on_stack, void* frames_top, std::string_view name, executor& where, Args&&... args)
      : base(where, strand_kind::fiber, std::forward<Args>(args)...), fiber_base(on_stack, frames_top, name) {
    this->on = this;
    static_cast<fiber_base&>(*this).home = &where;
  }

  resumable& first_node() noexcept { return static_cast<fiber_base&>(*this); }
  using fiber_base::its_stack;

 private:
  void body() noexcept override {
    if (this->stopping()) return this->value.set_stopped();
    run_on_fiber(*this, this->value, *this->call_);
  }
  void ended() noexcept override { this->conclude(); }
  beginning began_with() noexcept override { return {.begun = this->begun(), .fiber = this}; }
  void destroy() noexcept override { destroy_on_stack(this); }
};

// A strand that was made just now, with what it inherits of the one whose code makes it, and with its second reference.
template <class Strand>
Strand* inheriting(Strand* made) {
  const executor* const here = executor::running();
  if (here != nullptr && here->current_strand != nullptr && here->current_strand->has_locals()) [[unlikely]] {
    catching([&] { made->inherit_locals(*here->current_strand); },
             [&](std::exception_ptr no_memory) {
               made->release();
               std::rethrow_exception(std::move(no_memory));
             });
  }
  made->retain();
  return made;
}

// Makes a strand of a callable and its arguments, by the one rule of strands/start.hpp. It has two references: its own,
// which its end releases, and one for the caller. It does not run before its group has adopted it and its first_node()
// was scheduled.
template <class OnFailure, class F, class... Args>
auto* make_strand(executor& where, strand_group& group, const spawn_options& options, OnFailure&& on_failure, F&& f,
                  Args&&... args) {
  require_safe_closure<F>();
  using call = stored_call_of<F, Args...>;
  using value = started_value_of<F, Args...>;
  using handler = std::decay_t<OnFailure>;
  if constexpr (runs_stackless<F, Args...>) {
    auto* const made = new task_strand<value, call, handler>(
        options.name, where, group, std::forward<OnFailure>(on_failure), std::forward<F>(f), std::forward<Args>(args)...);
    return inheriting(made);
  } else {
    const stack_options on{
        .name = options.name, .stack_size = options.stack_size, .allow_unguarded = options.allow_unguarded};
    auto* const made = make_on_stack<fiber_strand<value, call, handler>>(
        on, where, group, std::forward<OnFailure>(on_failure), std::forward<F>(f), std::forward<Args>(args)...);
    return inheriting(made);
  }
}

// What makes a strand of something to wait for.
struct await_it {
  template <class X>
  auto operator()(X x) const -> task<decltype(value_when_awaited(std::declval<X>()))> {
    co_return co_await std::move(x);
  }
};

}  // namespace cordage::detail
