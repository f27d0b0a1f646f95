// An io_operation as something that tasks and fibers can wait for.
#pragma once

#include <string>

#include <cordage/context/operation.hpp>
#include <cordage/io/backend.hpp>
#include <cordage/io/descriptor.hpp>
#include <cordage/io/io_operation.hpp>
#include <cordage/result.hpp>

namespace cordage::detail {

// Derived classes add get(). Movable until it is started.
class io_wait {
 public:
  // To begin it is a system call at most: a time limit need not count that, see time_limit.hpp.
  static constexpr bool begins_in_no_time = true;

  explicit io_wait(const io_operation& what) noexcept
      : io_(what), leads_to_(what.on != nullptr ? what.on->leads_to : destination()) {}

  bool ready() noexcept { return attempt_if_ready(io_); }

  // Throws nothing where it is used: whoever waits runs on a worker.
  bool start(resumable& node) noexcept {
    io_.waiter = &node;
    backend& by = io_.on->registered_with != nullptr ? *io_.on->registered_with : current_backend();
    return by.submit(io_);
  }

  // What messages about its failure begin with: "read_some 127.0.0.1:7007".
  std::string described() const {
    const std::string to = to_string(leads_to_);
    return to.empty() ? public_name(io_.kind) : public_name(io_.kind) + (' ' + to);
  }

  cancel_result cancel() noexcept { return io_.pending ? io_.on->registered_with->cancel(io_) : cancel_result::too_late; }

 protected:
  io_operation io_;
  destination leads_to_;  // known also when others have closed the descriptor
};

// Completes with how many bytes were transferred.
template <io_kind Kind>
class transfer_operation : public io_wait {
 public:
  static constexpr const char* name = public_name(Kind);

  transfer_operation(descriptor* on, std::byte* buffer, std::size_t length) noexcept
      : io_wait({Kind, on, buffer, length}) {}
  result<std::size_t> get() const noexcept {
    if (io_.failure != error{}) return fail(io_.failure);
    return io_.transferred;
  }
};

// Completes when all bytes were transferred.
template <io_kind Kind>
class whole_transfer_operation : public io_wait {
 public:
  static constexpr const char* name = public_name(Kind);

  whole_transfer_operation(descriptor* on, std::byte* buffer, std::size_t length) noexcept
      : io_wait({Kind, on, buffer, length}) {}
  result<> get() const noexcept {
    if (io_.failure != error{}) return fail(io_.failure);
    return {};
  }
};

}  // namespace cordage::detail
