// What tcp::serve runs: an acceptor and a group of connections, and how they are drained.
//
// Everything here runs on the executor of the strand that awaits the server.
#pragma once

#include <chrono>
#include <cstddef>
#include <limits>
#include <utility>

#include <cordage/base/intrusive_list.hpp>
#include <cordage/strands/spawned.hpp>
#include <cordage/tcp.hpp>
#include <cordage/time.hpp>

namespace cordage::tcp {

// Trivially destructible, so that GCC 12 handles temporaries of it.
struct serve_options {
  // So many connections are served at a time; more wait to be accepted.
  std::size_t max_connections = std::numeric_limits<std::size_t>::max();
  // A connection on which nothing was received or sent for so long, or up to a quarter longer, is shut down: its handler
  // reads the end of the stream, and writes fail. Zero: never.
  std::chrono::nanoseconds idle_timeout{0};
  // After a stop: how long handlers may go on with what has arrived before they are stopped, too.
  std::chrono::nanoseconds drain_for{0};
  // Of handlers that run on fibers, in bytes.
  std::size_t stack_size = stack_options{}.stack_size;
};

namespace detail {

// An operation that completes when the server has ended: with an error that accepting failed with, or stopped.
class server : protected cordage::detail::strand_group {
 public:
  static constexpr const char* name = "serve";

  server(listener&& accepts_from, const serve_options& options) noexcept
      : options_(options), listener_(std::move(accepts_from)) {}

  using cordage::detail::strand_group::each_child;

  bool ready() const noexcept { return false; }
  bool start(resumable& node);
  // A stop drains the server: it closes the listener and ends the reading side of each connection, so that handlers
  // read what has arrived and then the end of the stream. After drain_for those that are left are stopped.
  cancel_result cancel() noexcept;
  bool stopped() const noexcept { return stop_requested_; }
  result<> get() const noexcept {
    if (failure_ != error{}) return cordage::detail::fail(failure_);
    return {};
  }

 protected:
  ~server() = default;

  // Starts a strand for the connection.
  virtual void serve_connection(stream peer) = 0;
  // A connection for which no strand could be started.
  virtual void refused(const failure& why) noexcept = 0;

  template <class Strand>
  void launch(Strand* made) {
    adopt(*made);
    home_->schedule(made->first_node());
    made->abandon();
  }

  executor& home() const noexcept { return *home_; }
  const serve_options& options() const noexcept { return options_; }

 private:
  // Completes when there is room for one more connection.
  struct room_operation {
    static constexpr const char* name = "room for a connection";

    server* self;
    bool ready() const noexcept { return self->has_room(); }
    bool start(resumable& node) const noexcept {
      self->waits_for_room_ = &node;
      return true;
    }
    cancel_result cancel() const noexcept {
      return std::exchange(self->waits_for_room_, nullptr) != nullptr ? cancel_result::withdrawn
                                                                      : cancel_result::too_late;
    }
    void get() const noexcept {}
  };

  // Wakes nobody, but calls a function of the server when its time has come.
  struct alarm : resumable {
    alarm(server& whose, void (*rings)(resumable&)) noexcept : self(&whose) { run = rings; }
    server* self;
    cordage::detail::timer its_timer;
    bool set = false;  // until it has rung
  };
  void set_alarm(alarm& what, std::chrono::nanoseconds after) noexcept;
  // False: it is on its way through the queue, and rings all the same.
  bool unset(alarm& what) noexcept;

  // The acceptor is one of the live strands while it runs.
  bool has_room() const noexcept { return live() - 1 < options_.max_connections; }

  task<> accept_connections();
  void begin_drain() noexcept;
  void child_ended(cordage::detail::joinable& child, const failure& failed, bool abandoned) noexcept override;
  void check_ended() noexcept;
  static void drained(resumable& node);
  static void shut_down_idle(resumable& node);

  serve_options options_;
  listener listener_;
  executor* home_ = nullptr;
  resumable* waiter_ = nullptr;
  resumable* waits_for_room_ = nullptr;
  cordage::detail::intrusive_list<descriptor> connections_;
  error failure_{};
  bool stop_requested_ = false;
  bool draining_ = false;
  alarm end_of_drain_{*this, drained};
  alarm look_for_idle_{*this, shut_down_idle};
};

template <class Handler, class OnError>
class server_of final : public server {
 public:
  server_of(listener&& accepts_from, const serve_options& options, Handler& handler, OnError& on_error) noexcept
      : server(std::move(accepts_from), options), handler_(handler), on_error_(on_error) {}

 private:
  struct call_handler {
    Handler* handler;
    CORDAGE_COROUTINE_WRAPPER decltype(auto) operator()(stream peer) const { return (*handler)(std::move(peer)); }
  };
  struct call_on_error {
    OnError* on_error;
    void operator()(const failure& failed) const { (*on_error)(failed); }
  };

  void serve_connection(stream peer) override {
    launch(cordage::detail::make_strand(home(), *this, {.stack_size = options().stack_size}, call_on_error{&on_error_},
                                        call_handler{&handler_}, std::move(peer)));
  }
  void refused(const failure& why) noexcept override { on_error_(why); }

  Handler& handler_;
  OnError& on_error_;
};

// What happens to failures of handlers that nobody asked for: those of the peer's making, a reset say, are dropped;
// others are written to standard error.
struct report_failure {
  void operator()(const failure& failed) const noexcept;
};

}  // namespace detail
}  // namespace cordage::tcp
