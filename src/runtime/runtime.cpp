#include <cstdlib>
#include <optional>

#include <cordage/base/exceptions.hpp>
#include <cordage/runtime.hpp>
#include <cordage/runtime/worker.hpp>
#include <cordage/strands/frame_recycler.hpp>

#include "runtime/dump.hpp"
#include "runtime/dump_signal.hpp"

namespace cordage {
namespace detail {

constexpr std::string_view deadlock_message =
    "deadlock: nothing can run, nothing is under way, and yet there are strands that wait\n";

class runtime_core final : public strand_group {
 public:
  runtime_core(backend_kind backend, virtual_clock* clock) : its_worker(*this, make_poller(backend), clock) {
    stop_node_.run = [](resumable& node) noexcept {
      auto& self = *static_cast<core_node&>(node).core;
      self.stop_children();
      self.check_finished();
    };
    stop_node_.home = &its_worker;
    dump_node_.run = write_dump;
    dump_node_.home = &its_worker;
    begin_on(its_worker);
  }

  void child_ended(joinable& child, const failure& failed, bool abandoned) noexcept override {
    dismiss(child);
    if (failed && abandoned) report(failed);
    check_finished();
  }

  // Adoption is for the worker: from another thread a node carries the strand there.
  void launch(strand& child, resumable& first_node) {
    if (worker::current() == &its_worker) {
      adopt(child);
      its_worker.schedule(first_node);
      return;
    }
    auto* const arrival = static_cast<arriving*>(frame_recycler::allocate(sizeof(arriving)));
    if (arrival == nullptr) throw_exception<std::bad_alloc>("no memory for a strand");
    arriving_.fetch_add(1, memory_order_relaxed);
    its_worker.post(*::new (arrival) arriving(*this, child, first_node));
  }

  void request_stop() noexcept {
    // Relaxed: the post publishes.
    if (stop_requested_.exchange(true, memory_order_relaxed)) return;
    its_worker.post(stop_node_);
  }

  void run() {
    running_.store(true, memory_order_relaxed);
    // A coroutine of another library may go on after the last strand has ended, and make new ones.
    for (check_finished(); !finished_; check_finished()) its_worker.run(finished_);
    running_.store(false, memory_order_relaxed);
    if (first_failure_) std::exchange(first_failure_, {}).raise();
  }

  std::string dump(dump_format format) {
    const bool called_inside = worker::current() == &its_worker;
    if (!called_inside && running_.load(memory_order_relaxed))
      throw_exception<std::logic_error>("dump was called on another thread than the one that runs the runtime",
                                        "cordage: dump was called on another thread than the one that runs the runtime; "
                                        "runtime_options::dump_signal works from anywhere");
    const dumped_runtime seen = look({called_inside, nullptr});
    return format == dump_format::json ? as_json(seen) : as_text(seen);
  }

  void fail_on_deadlock() noexcept {
    its_worker.when_stuck([](runtime_core& self) noexcept { self.fail_if_somebody_waits(); });
  }

  // Once.
  void dump_at(int signal) { dump_signal_.emplace(signal, dump_node_); }

  bool idle() const noexcept { return live() == 0 && arriving_.load(memory_order_relaxed) == 0; }

  worker its_worker;
  runtime::failure_handler handler = nullptr;

 private:
  struct core_node : resumable {
    explicit core_node(runtime_core& whose) noexcept : core(&whose) {}
    runtime_core* core;
  };

  struct arriving : core_node {
    arriving(runtime_core& at, strand& who, resumable& node) noexcept
        : core_node(at), child(&who), first_node(&node) {
      run = arrive;
      home = &at.its_worker;
    }
    strand* child;
    resumable* first_node;
  };

  static void arrive(resumable& node) {
    const auto arrived = static_cast<arriving&>(node);
    frame_recycler::deallocate(&static_cast<arriving&>(node), sizeof(arriving));
    runtime_core& core = *arrived.core;
    core.adopt(*arrived.child);
    core.arriving_.fetch_sub(1, memory_order_relaxed);
    core.its_worker.schedule(*arrived.first_node);
  }

  dumped_runtime look(const dump_caller& by) { return look_at(its_worker, by, arriving_.load(memory_order_relaxed)); }

  // What has its turn with this node is linked behind it. That is read before the node may be posted again.
  static void write_dump(resumable& node) noexcept {
    runtime_core& core = *static_cast<core_node&>(node).core;
    const dump_caller the_loop{false, node.next};
    core.dump_signal_->received();
    catching([&] { write_to_standard_error(as_text(core.look(the_loop))); },
             [](std::exception_ptr) { complain({"there is no memory for a dump"}); });
  }

  // Nothing can run. A strand that is on its way from another thread will.
  void fail_if_somebody_waits() noexcept {
    if (live() == 0 || arriving_.load(memory_order_relaxed) != 0) return;
    std::string text;
    catching([&] { text = as_text(look({false, nullptr})); },
             [](std::exception_ptr) { fatal("deadlock, and there is no memory for a dump"); });
    if (stopping()) fatal({"deadlock of strands that were asked to stop, but shield their waits\n", text});
    if (!config::exceptions) fatal({deadlock_message, text});
    // At once, since stopping may end the program: where strands share what one of them owns.
    complain({deadlock_message, text});
    first_failure_ = failure(std::make_exception_ptr(deadlock_error("cordage: " + (std::string(deadlock_message) + text))));
    stop_children();
  }

  void report(const failure& failed) noexcept {
    if (handler != nullptr) return handler(failed);
    if (!first_failure_) first_failure_ = failed;
    stop_children();
  }

  // A request to stop that is still on its way has to arrive, since its node belongs to this runtime.
  void check_finished() noexcept {
    const bool stop_under_way = stop_requested_.load(memory_order_relaxed) && !stopping();
    finished_ = live() == 0 && arriving_.load(memory_order_relaxed) == 0 && !stop_under_way;
  }

  // How many strands are on their way from other threads. Relaxed: whoever adds one goes on to post it, and whoever
  // needs it to be seen has to keep the runtime alive by a strand of its own.
  atomic<std::size_t> arriving_{0};
  // True once a stop of everything was requested; written by the first who does.
  atomic<bool> stop_requested_{false};
  core_node stop_node_{*this};
  failure first_failure_;
  bool finished_ = false;
  // Whether somebody runs it; written by whoever does. Relaxed: it only serves to find mistakes.
  atomic<bool> running_{false};
  core_node dump_node_{*this};
  std::optional<dump_signal> dump_signal_;  // ends before the node and the worker do
};

runtime_core& current_runtime() {
  worker* const running = worker::current();
  if (running == nullptr)
    throw_exception<std::logic_error>("spawn was called outside a runtime",
                                      "cordage: spawn was called outside a runtime; use run(...) or runtime::spawn");
  return running->owner();
}

strand_group& group_of(runtime_core& core) noexcept { return core; }
executor& executor_of(runtime_core& core) noexcept { return core.its_worker; }
void launch(runtime_core& core, strand& child, resumable& first_node) { core.launch(child, first_node); }

}  // namespace detail

std::string dump(dump_format format) {
  detail::worker* const running = detail::worker::current();
  if (running == nullptr)
    detail::throw_exception<std::logic_error>("dump was called outside a runtime",
                                              "cordage: dump was called outside a runtime; use runtime::dump");
  return running->owner().dump(format);
}

namespace {

backend_kind chosen_backend(backend_kind asked) {
  if (asked != backend_kind::automatic) return asked;
  const char* const named = std::getenv("CORDAGE_BACKEND");
  if (named == nullptr || std::string_view(named).empty()) return asked;
  for (const auto kind : {backend_kind::automatic, backend_kind::epoll, backend_kind::io_uring, backend_kind::kqueue}) {
    if (named == detail::name_of(kind)) return kind;
  }
  detail::throw_exception<std::invalid_argument>(
      "CORDAGE_BACKEND names no backend",
      std::string("cordage: CORDAGE_BACKEND is \"") + named + "\"; it can be epoll, io_uring, kqueue or auto");
}

}  // namespace

runtime::runtime(const runtime_options& options) {
  if (options.workers != 1)
    detail::throw_exception<std::invalid_argument>(
        "runtime_options.workers has to be 1",
        "cordage: runtime_options.workers has to be 1; this version has one worker");
  core_ = std::make_unique<detail::runtime_core>(chosen_backend(options.backend), options.clock);
  if (options.fail_on_deadlock) core_->fail_on_deadlock();
  if (options.dump_signal != 0) core_->dump_at(options.dump_signal);
}

runtime::~runtime() {
  detail::expects(core_->idle(), "a runtime was destroyed while strands of it were alive; call run first");
}

void runtime::request_stop() noexcept { core_->request_stop(); }
void runtime::on_failure(failure_handler handler) noexcept { core_->handler = handler; }
std::string_view runtime::backend_name() const noexcept { return core_->its_worker.its_poller().name(); }
std::string runtime::dump(dump_format format) const { return core_->dump(format); }
void runtime::loop() { core_->run(); }

void runtime::check_outside_of_workers() const {
  if (detail::worker::current() != nullptr)
    detail::throw_exception<std::logic_error>(
        "run and sync_wait were called inside a worker",
        "cordage: run and sync_wait block their thread and were called inside a worker; await there instead");
}

}  // namespace cordage
