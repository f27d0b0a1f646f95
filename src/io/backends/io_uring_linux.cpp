#include "io/backends/io_uring_linux.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "io/backends/time_left.hpp"
#include "io/backends/waiting_operations.hpp"

namespace cordage::detail {
namespace {

// Newer than the headers of systems that are in use.
constexpr std::uint16_t poll_first = 1U << 0;       // IORING_RECVSEND_POLL_FIRST: nothing is there, or no room, yet
constexpr std::uint32_t more_to_receive = 1U << 2;  // IORING_CQE_F_SOCK_NONEMPTY

// So many that are told of at once are answered at once. Fewer are sent to by a system call each, so that whoever sends
// need not wait for the turns of others: that costs the same.
constexpr std::uint32_t many = 8;

// Addresses of operations go with their entries; these are none.
constexpr std::uint64_t wake_tag = 1;
constexpr std::uint64_t nobody = 2;

enum class way : std::uint8_t { receive, send, attempt };

// By the kernel: what every socket can, into or from memory that stays. The rest is attempted when that is worthwhile.
constexpr way way_of(io_kind kind) noexcept {
  switch (kind) {
    case io_kind::receive:
    case io_kind::receive_exactly: return way::receive;
    case io_kind::send:
    case io_kind::send_all: return way::send;
    default: return way::attempt;
  }
}

// What says nothing about the operation: it was interrupted, or the thread that had handed it over has ended.
constexpr bool has_to_be_repeated(int code) noexcept { return code == ECANCELED || code == EINTR || code == EAGAIN; }

}  // namespace

std::unique_ptr<io_uring_backend> io_uring_backend::open(std::error_code& refusal) {
  std::unique_ptr<io_uring_backend> made(new io_uring_backend);
  refusal = made->wakes_ ? made->ring_.open() : std::error_code(errno, std::system_category());
  if (refusal) made.reset();
  return made;
}

io_uring_backend::~io_uring_backend() {
  for (descriptor* const each : tenants_) {
    for (auto* const waiting : {&each->readers, &each->writers}) {
      while (!waiting->empty()) cancel(*waiting->front());
    }
  }
  for (descriptor* const each : tenants_) {
    each->registered_with = nullptr;
    each->readable = each->writable = true;
    each->sends_together = false;
  }
}

void io_uring_backend::settle(descriptor& d) {
  d.index = static_cast<std::uint32_t>(tenants_.size());
  tenants_.push_back(&d);
  d.registered_with = this;
}

bool io_uring_backend::submit(io_operation& op) noexcept {
  descriptor& d = *op.on;
  if (d.registered_with == nullptr) settle(d);
  if (is_done_already(op) || attempt_if_ready(op)) return false;
  auto& waiting = queue_of(op);
  waiting.push(op);
  if (waiting.front() == &op) hand_over(op);
  return op.pending = true;
}

// While it is the kernel's nothing else is worth an attempt, or what is sent next would overtake it.
void io_uring_backend::hand_over(io_operation& op) noexcept {
  descriptor& d = *op.on;
  const bool was_ready = std::exchange(waits_to_read(op.kind) ? d.readable : d.writable, false);
  io_uring_sqe& entry = ring_.next_entry();
  keeps_something_back_ = true;
  entry.fd = d.fd.get();
  entry.user_data = reinterpret_cast<std::uintptr_t>(&op);
  const way how = way_of(op.kind);
  if (how == way::attempt) {
    entry.opcode = IORING_OP_POLL_ADD;
    entry.poll32_events = waits_to_read(op.kind) ? POLLIN | POLLRDHUP : POLLOUT;
    return;
  }
  entry.opcode = how == way::receive ? IORING_OP_RECV : IORING_OP_SEND;
  if (!was_ready) entry.ioprio = poll_first;
  entry.addr = reinterpret_cast<std::uintptr_t>(op.buffer + op.transferred);
  entry.len = static_cast<std::uint32_t>(asked_for_next(op));
  // Not MSG_WAITALL: it would tell neither that bytes move, by which idle connections are known, nor why they end.
  if (how == way::send) entry.msg_flags = MSG_NOSIGNAL;
}

// After the one before it in the line.
void io_uring_backend::hand_over_first(intrusive_queue<io_operation>& waiting) noexcept {
  while (!waiting.empty()) {
    if (!attempt_if_ready(*waiting.front())) return hand_over(*waiting.front());
    finish_first(waiting);
  }
}

void io_uring_backend::take_answers() noexcept {
  are_many_ = ring_.completions() >= many;
  ring_.reap([this](const io_uring_cqe& answer) { take_answer(answer); });
}

void io_uring_backend::take_answer(const io_uring_cqe& answer) noexcept {
  if (answer.user_data == nobody) return;
  if (answer.user_data == wake_tag) {
    watches_for_wakes_ = (answer.flags & IORING_CQE_F_MORE) != 0;
    return;
  }
  io_operation& op = *reinterpret_cast<io_operation*>(static_cast<std::uintptr_t>(answer.user_data));
  auto& waiting = queue_of(op);
  if (is_complete(op, answer)) {
    if (unwanted_ == &op) unwanted_ = nullptr;
    finish_first(waiting);
    hand_over_first(waiting);
  } else if (unwanted_ == &op) {
    unwanted_ = nullptr;
    was_withdrawn_ = true;
    waiting.pop().pending = false;
    hand_over_first(waiting);
  } else {
    hand_over(op);
  }
}

// False: it has to be handed over once more, if it is still wanted.
bool io_uring_backend::is_complete(io_operation& op, const io_uring_cqe& answer) noexcept {
  descriptor& d = *op.on;
  bool& ready = waits_to_read(op.kind) ? d.readable : d.writable;
  if (answer.res < 0) {
    if (has_to_be_repeated(-answer.res)) return false;
    op.failure = {-answer.res, std::system_category()};
    return ready = true;  // as it is after the end: nothing is waited for any more
  }
  const way how = way_of(op.kind);
  if (how == way::attempt) {
    ready = true;
    return attempt(op);
  }
  d.active = true;
  d.sends_together = are_many_;
  op.transferred += static_cast<std::size_t>(answer.res);
  const bool whole = op.transferred == op.length;
  const bool ended = how == way::receive && answer.res == 0;
  if (ended && !whole && op.kind == io_kind::receive_exactly) op.failure = errc::end_of_stream;
  if (!(whole || ended || op.kind == io_kind::receive || op.kind == io_kind::send)) return false;
  ready = whole || ended || (answer.flags & more_to_receive) != 0;
  return true;
}

// Waits for the kernel's last word, so that the operation and its memory may go: mostly a system call.
cancel_result io_uring_backend::cancel(io_operation& op) noexcept {
  auto& waiting = queue_of(op);
  if (waiting.front() != &op) {
    if (!waiting.remove(op)) return cancel_result::too_late;
    op.pending = false;
    return cancel_result::withdrawn;
  }
  io_uring_sqe& entry = ring_.next_entry();
  entry.opcode = IORING_OP_ASYNC_CANCEL;
  entry.fd = -1;
  entry.addr = reinterpret_cast<std::uintptr_t>(&op);
  entry.user_data = nobody;
  unwanted_ = &op;
  was_withdrawn_ = false;
  while (unwanted_ == &op) {
    ring_.enter(1);
    take_answers();
  }
  return was_withdrawn_ ? cancel_result::withdrawn : cancel_result::too_late;
}

void io_uring_backend::forget(descriptor& d) noexcept {
  close_all(d.readers);
  close_all(d.writers);
  tenants_[d.index] = tenants_.back();
  tenants_[d.index]->index = d.index;
  tenants_.pop_back();
  d.registered_with = nullptr;
}

// Those who stand in line first: it is not their turn when the first one goes.
void io_uring_backend::close_all(intrusive_queue<io_operation>& waiting) noexcept {
  if (waiting.empty()) return;
  io_operation& first = waiting.pop();
  while (!waiting.empty()) end_with_closed(waiting.pop());
  waiting.push(first);
  if (cancel(first) == cancel_result::withdrawn) return end_with_closed(first);
  first.on = nullptr;
}

bool io_uring_backend::waits_for_events() const noexcept { return std::ranges::any_of(tenants_, somebody_waits_for); }

void io_uring_backend::poll(time_point deadline) noexcept {
  if (!watches_for_wakes_) watch_for_wakes();
  if (deadline == time_point::max()) {
    ring_.enter(1);
  } else if (deadline != time_point::min()) {
    const timespec left = time_left(deadline);
    const __kernel_timespec at_most{.tv_sec = left.tv_sec, .tv_nsec = left.tv_nsec};
    ring_.enter(1, &at_most);
  } else if (ring_.has_business()) {
    ring_.enter(0);
  }
  keeps_something_back_ = ring_.has_entries();
  take_answers();
}

void io_uring_backend::watch_for_wakes() noexcept {
  io_uring_sqe& entry = ring_.next_entry();
  entry.opcode = IORING_OP_POLL_ADD;
  entry.fd = wakes_.fd();
  entry.poll32_events = POLLIN;
  entry.len = IORING_POLL_ADD_MULTI;
  entry.user_data = wake_tag;
  watches_for_wakes_ = true;
}

}  // namespace cordage::detail
