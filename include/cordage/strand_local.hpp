// strand_local<T>: a value that follows the strand: the id of a request, a logger.
//
//   strand_local<std::string> request_id{"none"};
//
//   co_await request_id.set("4711");                           // in a fiber: await(request_id.set("4711"))
//   log("{}: done", co_await request_id.get());                // wherever the strand's code is now
//
// What a strand has set, strands that it spawns and the children of its combinators inherit, as it is at that moment. What
// they set is theirs. The strand_local itself has to outlive all strands; mostly it is a global.
#pragma once

#include <utility>

#include <cordage/strands/ask_strand.hpp>
#include <cordage/strands/local_values.hpp>

namespace cordage {

template <class T>
class strand_local {
 public:
  // What strands have that never set another.
  constexpr strand_local() = default;
  constexpr explicit strand_local(T initial) : initial_(std::move(initial)) {}
  strand_local(const strand_local&) = delete;
  strand_local& operator=(const strand_local&) = delete;

  // Awaited, and ready at once: a const T&, good until the strand sets another or ends.
  [[nodiscard]] auto get() const noexcept {
    return detail::ask_strand([this](const detail::strand& of) -> const T& {
      const detail::local_value* const found = of.find_local(this);
      return found == nullptr ? initial_ : static_cast<const kept*>(found)->value;
    });
  }

  // Awaited, and ready at once. Throws std::bad_alloc.
  [[nodiscard]] auto set(T value) const {
    return detail::ask_strand([this, value = std::move(value)](detail::strand& of) mutable {
      of.set_local(this, *new kept(std::move(value)));
    });
  }

 private:
  struct kept final : detail::local_value {
    explicit kept(T given) : value(std::move(given)) {}
    const T value;
  };

  T initial_{};
};

}  // namespace cordage
