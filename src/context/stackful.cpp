#include <algorithm>

#include <cordage/base/fatal.hpp>
#include <cordage/context/stackful.hpp>

namespace cordage::detail {

constinit thread_local stackful* stackful::current_coroutine_ = nullptr;
constinit machine_context stackful::nowhere_{};

stackful::stackful(stackful_kind kind, stack& on, void* frames_top, std::string_view name, void (*entry)(void*),
                   void* argument) noexcept
    : kind_(kind), stack_(&on) {
  if (name.empty()) name = "unnamed";
  on.name_length = static_cast<unsigned char>(std::min(name.size(), sizeof on.name));
  std::copy_n(name.data(), on.name_length, on.name);
  on.occupant = this;
  prepare(self_, frames_top, {.argument = argument, .entry = entry, .outside = &outside_});
}

stack_unwind::~stack_unwind() {
  if (whose_ == nullptr) return;
  whose_->unwinding_ = false;
  const bool fiber = whose_->kind() == stackful_kind::fiber;
  complain({fiber ? "fiber \"" : "coroutine \"", whose_->name(),
            fiber ? "\" swallowed a stop: its catch (...) has to throw it on; it will stop again at its next wait"
                  : "\" swallowed its unwinding: its catch (...) has to throw it on; it will be unwound again from its "
                    "next yield"});
}

}  // namespace cordage::detail
