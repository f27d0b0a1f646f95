// The runtime: where strands run. run, sync_wait, spawn, yield_now.
//
//   int main() { cordage::run(program()); }
//
// A runtime has one worker, the thread that calls run(); strands go on there in the order in which they became ready.
#pragma once

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <cordage/base/exceptions.hpp>
#include <cordage/dump.hpp>
#include <cordage/join_handle.hpp>
#include <cordage/runtime/poller.hpp>
#include <cordage/stop.hpp>
#include <cordage/strands/guest.hpp>
#include <cordage/strands/spawned.hpp>

namespace cordage {

class virtual_clock;

// Trivially destructible, so that GCC 12 handles temporaries of it.
struct runtime_options {
  unsigned workers = 1;                             // one, so far
  backend_kind backend = backend_kind::automatic;  // the environment variable CORDAGE_BACKEND goes before automatic
  virtual_clock* clock = nullptr;                  // for tests, see virtual_clock.hpp; null for the steady clock
  // Makes the worker write runtime::dump to standard error, soon, whether it sleeps or is busy; while nobody runs the
  // runtime, when somebody does. SIGUSR1 say; 0 for none. Runtimes that have the same signal each write theirs. What the
  // signal did before is restored when the last of them is destroyed. Not one of a signal_set.
  int dump_signal = 0;
  // For tests, and to find out why a program hangs: where nothing can run any more, no timer and no I/O is under way, and
  // strands wait all the same, that is written to standard error, they are stopped, and run throws deadlock_error. Not for a runtime whose strands are woken by
  // other threads, which it cannot foresee.
  bool fail_on_deadlock = false;
};

// What run throws for runtime_options::fail_on_deadlock. what() is the dump: which strands waited, for what, and who held
// it; see dump.hpp.
class deadlock_error : public std::runtime_error {
  using runtime_error::runtime_error;
};

namespace detail {

// The part of a runtime that does not depend on what runs.
class runtime_core;

// The runtime whose worker runs this thread; throws std::logic_error outside of any.
runtime_core& current_runtime();

strand_group& group_of(runtime_core& core) noexcept;
executor& executor_of(runtime_core& core) noexcept;

// Adopts a strand and queues its first node. Any thread.
void launch(runtime_core& core, strand& child, resumable& first_node);

}  // namespace detail

class runtime {
 public:
  // Opens the backend; throws std::system_error when the system refuses it, std::invalid_argument for options that
  // this version or this system does not have and for a dump_signal that cannot be handled.
  explicit runtime(const runtime_options& options = {});
  runtime(const runtime&) = delete;
  runtime& operator=(const runtime&) = delete;
  // Nothing may be running or waiting to: call run first.
  ~runtime();

  // Runs x on this thread, and returns what it gives when it and all other strands of the runtime have ended. x is
  // anything that can be awaited. Where x fails the others are stopped. An exception of x is thrown; a stop is
  // errc::stopped where x gives a result, and thrown as stopped_error otherwise. A failure of a strand that nobody
  // joined stops everything and is thrown, see on_failure. After a failure or a stop the runtime begins nothing more.
  //
  // Not inside a worker: there, await x.
  template <class X>
    requires detail::awaitable_or_checked<X>
  auto run(X&& x) {
    return run_to_end(std::forward<X>(x));
  }
  template <class X>
    requires detail::result_when_awaited<X>
  [[nodiscard]] auto run(X&& x) {
    return run_to_end(std::forward<X>(x));
  }

  // Starts a strand: f(args...), by the one rule, or something to await. Any thread, also before run; one that is
  // spawned while nobody runs the runtime begins with run.
  template <class F, class... Args>
    requires detail::startable<F, Args...>
  auto spawn(F&& f, Args&&... args);
  template <class F, class... Args>
    requires detail::startable<F, Args...>
  auto spawn(const spawn_options& options, F&& f, Args&&... args);
  template <class X>
    requires detail::spawnable<X>
  auto spawn(X&& x);

  // Asks all strands, also later ones, to stop; run returns when they have ended. From anywhere, a signal handler
  // included, while the runtime exists.
  void request_stop() noexcept;

  // Called, on the worker, when a strand fails whose join_handle was dropped. Must not throw. Without one the first
  // such failure stops the runtime, and run throws it. Set it before run.
  using failure_handler = void (*)(const failure&) noexcept;
  void on_failure(failure_handler handler) noexcept;

  // What strands there are and what they wait for; see dump.hpp. In a strand of this runtime, or on any thread while
  // nobody runs it and nobody begins to; throws std::logic_error elsewhere, std::bad_alloc.
  [[nodiscard]] std::string dump(dump_format format = dump_format::text) const;

  // "epoll", ...
  std::string_view backend_name() const noexcept;

 private:
  template <class X>
  auto run_to_end(X&& x);
  void loop();  // until every strand has ended; throws what an abandoned one failed with
  void check_outside_of_workers() const;

  std::unique_ptr<detail::runtime_core> core_;
};

namespace detail {

template <class F, class... Args>
auto spawn_on(runtime_core& core, const spawn_options& options, F&& f, Args&&... args) {
  auto* const strand = make_strand(executor_of(core), group_of(core), options, left_to_group{}, std::forward<F>(f),
                                   std::forward<Args>(args)...);
  join_handle handle(strand);
  catching([&] { launch(core, *strand, strand->first_node()); },
           [&](std::exception_ptr no_memory) {
             strand->release();
             std::rethrow_exception(std::move(no_memory));
           });
  return handle;
}

}  // namespace detail

template <class X>
auto runtime::run_to_end(X&& x) {
  using value = decltype(detail::value_when_awaited(std::forward<X>(x)));
  check_outside_of_workers();
  auto await_x = [&x]() -> task<value> { co_return co_await std::forward<X>(x); };
  auto stop_others = [this](const failure&) noexcept { request_stop(); };
  auto* const root =
      detail::make_strand(detail::executor_of(*core_), detail::group_of(*core_), {}, stop_others, await_x);
  const join_handle<value> handle(root);
  detail::launch(*core_, *root, root->first_node());
  loop();
  if (root->value.state() == detail::outcome_state::stopped) {
    if constexpr (detail::takes_error<value>) {
      return detail::failed_as<value>(errc::stopped);
    } else {
      detail::throw_exception<stopped_error>("what was run was stopped");
    }
  }
  return root->value.take();
}

template <class F, class... Args>
  requires detail::startable<F, Args...>
auto runtime::spawn(F&& f, Args&&... args) {
  return detail::spawn_on(*core_, spawn_options{}, std::forward<F>(f), std::forward<Args>(args)...);
}
template <class F, class... Args>
  requires detail::startable<F, Args...>
auto runtime::spawn(const spawn_options& options, F&& f, Args&&... args) {
  return detail::spawn_on(*core_, options, std::forward<F>(f), std::forward<Args>(args)...);
}
template <class X>
  requires detail::spawnable<X>
auto runtime::spawn(X&& x) {
  return detail::spawn_on(*core_, spawn_options{}, detail::await_it{}, std::forward<X>(x));
}

// Runs x on a runtime of its own on this thread; see runtime::run.
template <class X>
  requires detail::awaitable_or_checked<X>
auto run(X&& x, const runtime_options& options = {}) {
  return runtime(options).run(std::forward<X>(x));
}
template <class X>
  requires detail::result_when_awaited<X>
[[nodiscard]] auto run(X&& x, const runtime_options& options = {}) {
  return runtime(options).run(std::forward<X>(x));
}
// For what runs on a fiber say run(fiber{f, arguments...}); a function that returns a task is called: run(f()).
template <class F>
  requires(!detail::awaitable_or_checked<F>)
void run(F&&, const runtime_options& = {}) {
  static_assert(!std::is_same_v<F, F>,
                "run: this cannot be awaited. Call what returns a task, run(f()), and say run(fiber{f, arguments...}) for "
                "a function that is to run on a fiber");
}

// Blocks this thread until x, which may have to do with other threads' runtimes, has completed, and gives what it
// gives. Refused inside a worker, whose other strands it would hold up: await x there.
template <class X>
  requires detail::awaitable_or_checked<X>
auto sync_wait(X&& x) {
  return runtime().run(std::forward<X>(x));
}
template <class X>
  requires detail::result_when_awaited<X>
[[nodiscard]] auto sync_wait(X&& x) {
  return runtime().run(std::forward<X>(x));
}

// Starts a strand in the runtime of the calling strand, by the one rule; see runtime::spawn. Dropping the join_handle
// detaches it. Throws std::logic_error outside of a runtime.
template <class F, class... Args>
  requires detail::startable<F, Args...>
auto spawn(F&& f, Args&&... args) {
  return detail::spawn_on(detail::current_runtime(), spawn_options{}, std::forward<F>(f), std::forward<Args>(args)...);
}
template <class F, class... Args>
  requires detail::startable<F, Args...>
auto spawn(const spawn_options& options, F&& f, Args&&... args) {
  return detail::spawn_on(detail::current_runtime(), options, std::forward<F>(f), std::forward<Args>(args)...);
}
template <class X>
  requires detail::spawnable<X>
auto spawn(X&& x) {
  return detail::spawn_on(detail::current_runtime(), spawn_options{}, detail::await_it{}, std::forward<X>(x));
}

template <class F, class... Args>
  requires(detail::neither_startable_nor_awaitable<F, Args...> && !std::is_same_v<std::remove_cvref_t<F>, spawn_options>)
void spawn(F&&, Args&&...) {
  detail::explain_unstartable<F>();
}

namespace detail {

class yield_operation {
 public:
  bool ready() const noexcept { return false; }
  bool start(resumable& node) const noexcept {
    wake(node);
    return true;
  }
  static constexpr const char* name = "yield_now";
  static constexpr bool always_too_late = true;
  cancel_result cancel() const noexcept { return cancel_result::too_late; }
  void get() const noexcept {}
};

}  // namespace detail

// Lets everything that is ready go first. A stop takes effect at the next wait.
[[nodiscard]] inline auto yield_now() noexcept { return detail::yield_operation{}; }

}  // namespace cordage
