// with_scope: children that cannot outlive the code that started them.
//
//   co_await with_scope([&](scope& children) -> task<> {
//     children.spawn(refresh, std::ref(cache));
//     co_await !serve_requests(cache);
//   });                                     // completes when the function and all children have ended
//
// The function runs as a task or on a fiber, by the one rule; so do the children. Children may use what with_scope's
// caller owns and what the function captures, never the function's own locals.
//
// Failure is an exception of the function or a child, an error value of the function, or an error value of a child
// whose join_handle is not alive when it ends. It stops the rest. What the whole gives, in this order: the exception,
// the error (as the value where that is a result, thrown as std::system_error otherwise), a stop, the function's value.
// Stopping the awaiting strand stops the function and all children, and waits for them.
//
//   with_scope(scope_options{.max_concurrency = 4}, f)        // at most 4 children, not counting f, run at a time
//
// Further children wait to begin, in the order in which they were spawned; nothing else about them is different. A child
// that joins one which waits for its own end waits for ever, and so may f.
#pragma once

#include <cstddef>
#include <limits>
#include <new>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include <cordage/base/exceptions.hpp>
#include <cordage/join_handle.hpp>
#include <cordage/strands/deferred.hpp>
#include <cordage/strands/spawned.hpp>
#include <cordage/sync/admission.hpp>

namespace cordage {

// Trivially destructible, so that GCC 12 handles temporaries of it.
struct scope_options {
  std::size_t max_concurrency = std::numeric_limits<std::size_t>::max();  // children that run at a time; at least 1
};

// Used by the function, the children and what they call, on the scope's executor.
class scope : protected detail::strand_group {
 public:
  // Starts a child: f(args...), stored with the child. It first runs after the caller's next wait, or when there is room,
  // see room(). A child of a scope that is stopping is stopped before it begins. Throws what storing the callable throws, std::bad_alloc, and
  // std::system_error when a fiber gets no stack.
  template <class F, class... Args>
    requires detail::startable<F, Args...>
  auto spawn(F&& f, Args&&... args) {
    return spawn(spawn_options{}, std::forward<F>(f), std::forward<Args>(args)...);
  }
  template <class F, class... Args>
    requires detail::startable<F, Args...>
  auto spawn(const spawn_options& options, F&& f, Args&&... args) {
    return launch(detail::make_strand(*home_, *this, options, detail::left_to_group{}, std::forward<F>(f),
                                      std::forward<Args>(args)...));
  }

  // The same for something that can be awaited: an operation, a task, each also behind a `!`.
  template <class X>
    requires detail::spawnable<X>
  auto spawn(X&& x) {
    return spawn(spawn_options{}, detail::await_it{}, std::forward<X>(x));
  }

  template <class F, class... Args>
    requires(detail::neither_startable_nor_awaitable<F, Args...> && !std::is_same_v<std::remove_cvref_t<F>, spawn_options>)
  void spawn(F&&, Args&&...) {
    detail::explain_unstartable<F>();
  }

  // Starts a child whose failure concerns nobody else: on_error(const failure&) is called with it, on the executor,
  // and must not throw.
  template <class OnError, class F, class... Args>
    requires(detail::startable<F, Args...> && std::invocable<std::decay_t<OnError>&, const failure&>)
  void spawn_isolated(OnError&& on_error, F&& f, Args&&... args) {
    launch(detail::make_strand(*home_, *this, {}, std::forward<OnError>(on_error), std::forward<F>(f),
                               std::forward<Args>(args)...));
  }

  // An operation that completes when a child could begin at once: `co_await children.room();` before each spawn holds a
  // producer back, where otherwise all children would exist at once and wait to begin. First come, first served; the
  // room is not reserved, so whoever spawns without asking may be faster. A stop withdraws it, and loses nothing.
  [[nodiscard]] auto room() noexcept { return detail::admission::room_operation(admission_); }

  // Asks the function and all children, also later ones, to stop. Those that wait to begin never do.
  void request_stop() noexcept { stop_children(); }

 protected:
  explicit scope(std::size_t max_concurrency) noexcept : admission_(max_concurrency) {}
  ~scope() = default;

  template <class Strand>
  auto launch(Strand* strand) {
    if (!admission_.prepare()) [[unlikely]] {
      strand->release();  // of its own
      strand->release();  // of the handle that there will not be
      detail::throw_exception<std::bad_alloc>("no memory for a child that waits to begin");
    }
    adopt(*strand);
    admission_.admit(*strand, strand->first_node());
    return handle_of(*strand);
  }

  // The children, and the function, which is one of them.
  void child_ended(detail::joinable& child, const failure& failed, bool abandoned) noexcept override;

  executor* home_ = nullptr;
  detail::joinable* function_ = nullptr;
  resumable* waiter_ = nullptr;
  failure first_failure_;
  detail::admission admission_;

 private:
  template <class T>
  static join_handle<T> handle_of(detail::spawned<T>& strand) noexcept {
    return join_handle<T>(&strand);
  }
};

namespace detail {

// The operation that with_scope gives.
template <class F>
class scope_operation final : scope {
  using call = decltype(std::declval<F&>()(std::declval<scope&>()));
  using value = typename started_value<call>::type;

  // Calls the function where it is kept: here.
  struct call_function {
    scope_operation* self;
    CORDAGE_COROUTINE_WRAPPER call operator()() const { return self->function_object_(static_cast<scope&>(*self)); }
  };

 public:
  static constexpr const char* name = "with_scope";

  scope_operation(const scope_options& options, F&& f) : scope(options.max_concurrency), function_object_(std::move(f)) {}
  ~scope_operation() = default;

  using scope::each_child;

  void attach(strand& on) noexcept { on_ = &on; }
  bool ready() const noexcept { return false; }

  // There may be no memory for the function's strand, or no stack.
  bool start(resumable& node) noexcept {
    home_ = node.home;
    home_->enter(*on_);
    waiter_ = &node;
    begin_on(*home_);
    catching([&] { begin_function(); }, [&](std::exception_ptr thrown) { first_failure_ = failure(std::move(thrown)); });
    return spawned_ != nullptr;
  }

  // The scope ends when all of it has ended.
  cancel_result cancel() noexcept {
    request_stop();
    return cancel_result::too_late;
  }

  bool stopped() const noexcept {
    return !first_failure_ && spawned_->value.state() == outcome_state::stopped;
  }

  value get() {
    if (first_failure_) {
      if constexpr (takes_error<value>) {
        if (first_failure_.exception() == nullptr) return failed_as<value>(first_failure_.error());
      }
      first_failure_.raise();
    }
    return spawned_->value.take();
  }

 private:
  void begin_function() {
    auto* const function = make_strand(*home_, *this, {}, left_to_group{}, call_function{this});
    function_ = spawned_ = function;
    handle_.emplace(function);
    adopt(*function);
    home_->schedule(function->first_node());
  }

  F function_object_;
  strand* on_ = nullptr;
  spawned<value>* spawned_ = nullptr;
  std::optional<join_handle<value>> handle_;  // keeps the function's strand, and so its value
};

}  // namespace detail

// Opens a scope for f(scope&); see the top of this file. f is stored.
template <class F>
[[nodiscard]] auto with_scope(F&& f) {
  static_assert(std::invocable<F&, scope&>, "with_scope: the function is called with a cordage::scope&");
  detail::require_safe_closure<F>();
  using function = std::decay_t<F>;
  return detail::deferred<detail::scope_operation<function>, scope_options, function>(std::in_place, scope_options{},
                                                                                      std::forward<F>(f));
}

// Throws std::invalid_argument for a max_concurrency of 0.
template <class F>
[[nodiscard]] auto with_scope(const scope_options& options, F&& f) {
  static_assert(std::invocable<F&, scope&>, "with_scope: the function is called with a cordage::scope&");
  detail::require_safe_closure<F>();
  if (options.max_concurrency == 0)
    detail::throw_exception<std::invalid_argument>(
        "a scope with a max_concurrency of 0",
        "cordage: scope_options.max_concurrency is 0, and no child could ever begin; leave it out for no limit");
  using function = std::decay_t<F>;
  return detail::deferred<detail::scope_operation<function>, scope_options, function>(std::in_place, options,
                                                                                      std::forward<F>(f));
}

}  // namespace cordage
