// signal_set: signals of the process as something to wait for.
//
//   signal_set asked_to_end{SIGINT, SIGTERM};
//   int which = co_await !asked_to_end.wait();
#pragma once

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include <cordage/io/waiting.hpp>
#include <cordage/result.hpp>

namespace cordage {

// While it lives, the given signals do not have their default effect but are kept until they are waited for. Making
// and destroying one changes the process's signal handlers: do both on one thread; a signal is in one set at a time.
// Waiting is for the strands of one runtime, one at a time.
class [[nodiscard]] signal_set {
 public:
  // Throws std::system_error; std::logic_error for a signal that is in a set already.
  explicit signal_set(std::initializer_list<int> signals);
  signal_set(const signal_set&) = delete;
  signal_set& operator=(const signal_set&) = delete;
  // Restores what the signals did before.
  ~signal_set();

  // Gives the number of a signal that has arrived. Of several that arrive while nobody waits, each kind is kept.
  // Stop loses nothing. Resumes on the executor of the strand that waits.
  auto wait() noexcept { return wait_operation(*reads_); }

 private:
  class wait_operation : public detail::io_wait {
   public:
    static constexpr const char* name = "signal_set::wait";

    explicit wait_operation(detail::descriptor& from) noexcept
        : io_wait(detail::io_operation(detail::io_kind::read, &from)) {}
    // The buffer is the operation itself, so it is set when the operation is where it stays.
    bool ready() noexcept {
      io_.buffer = &number_;
      io_.length = 1;
      return io_wait::ready();
    }
    std::string described() const { return name; }
    result<int> get() const noexcept {
      if (io_.failure != error{}) return detail::fail(io_.failure);
      return static_cast<int>(number_);
    }

   private:
    std::byte number_{};
  };

  struct previous_action;

  void release() noexcept;

  std::unique_ptr<detail::descriptor> reads_;
  std::vector<previous_action> previous_;
  detail::file_descriptor writes_;
};

}  // namespace cordage
