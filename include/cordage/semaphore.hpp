// semaphore: so many at a time.
//
//   semaphore connections(10);
//   auto one = co_await connections.permit();              // gives it back at the end of the block
//   co_await connections.acquire(3); … connections.release(3);    // or by hand
//
// Any thread may use it, and none ever blocks. First in, first out: who asks for many is not overtaken by those who ask
// for few.
#pragma once

#include <cstddef>
#include <limits>

#include <cordage/base/fatal.hpp>
#include <cordage/sync/holding.hpp>
#include <cordage/sync/waiting_line.hpp>

namespace cordage {

class semaphore {
  struct place : detail::place_in_line {
    explicit place(std::size_t count) noexcept : wants(count) {}
    std::size_t wants;
  };

  struct rules {
    static constexpr const char* kind = "semaphore";

    explicit rules(std::size_t count) noexcept : available(count) {}
    bool lets_in(const place& by) const noexcept { return available >= by.wants; }
    void enter(const place& by) noexcept { available -= by.wants; }

    std::size_t available;
  };
  using line = detail::waiting_line<rules, place>;

 public:
  explicit semaphore(std::size_t count) noexcept : line_(count) {}
  // Nobody may wait for it; asserted, with a name.
  ~semaphore() = default;

  // Gives back what was acquired when it is destroyed, or by unlock(), on any thread. Move-only; false where it holds
  // nothing.
  using permits = detail::holding<semaphore, std::size_t>;

  // Completes when so many permits are there, which are the caller's then. Stop withdraws the wait, and takes nothing; a
  // strand that has acquired and is then stopped has to release all the same: see permit.
  [[nodiscard]] auto acquire(std::size_t count = 1) noexcept { return acquire_operation(*this, count); }

  // The same, and completes with what gives them back.
  [[nodiscard]] auto permit(std::size_t count = 1) noexcept { return permit_operation(*this, count); }

  // At once or not at all; also where there is no strand.
  [[nodiscard]] bool try_acquire(std::size_t count = 1) noexcept {
    place nobody(count);
    return line_.try_enter(nobody);
  }

  // Also what nobody has acquired. Wakes those for whom there is enough then.
  void release(std::size_t count = 1) noexcept {
    line_.change([count](rules& now) {
      detail::expects(count <= std::numeric_limits<std::size_t>::max() - now.available,
                      "more permits were released than a semaphore can count");
      now.available += count;
    });
  }

  // How many could be acquired now. Only a hint where others use it.
  std::size_t available() noexcept {
    return line_.ask([](const rules& now) { return now.available; });
  }

 private:
  friend permits;

  class acquire_operation : public detail::line_operation<line, place> {
   public:
    static constexpr const char* name = "semaphore.acquire";

    acquire_operation(semaphore& of, std::size_t count) noexcept : line_operation(of.line_, count) {}
  };

  class permit_operation : public detail::line_operation<line, place> {
   public:
    static constexpr const char* name = "semaphore.permit";

    permit_operation(semaphore& of, std::size_t count) noexcept : line_operation(of.line_, count), of_(&of) {}

    permits get() const noexcept { return {*of_, place_.wants}; }

   private:
    semaphore* of_;
  };

  void give_back(std::size_t count) noexcept { release(count); }

  line line_;
};

}  // namespace cordage
