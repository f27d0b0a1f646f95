#include <exception>
#include <new>
#include <utility>

#include <cordage/base/exceptions.hpp>
#include <cordage/base/short_name.hpp>
#include <cordage/strands/frame_recycler.hpp>
#include <cordage/strands/local_values.hpp>
#include <cordage/strands/stop_state.hpp>
#include <cordage/strands/strand.hpp>

namespace cordage::detail {

void strand::set_name(std::string_view given) noexcept {
  void* const memory = frame_recycler::allocate(sizeof(short_name));
  if (memory == nullptr) return;
  name_ = ::new (memory) short_name;
  name_->set(given);
}

std::string_view strand::given_name() const noexcept {
  return name_ == nullptr ? std::string_view() : name_->view();
}

stop_state& strand::observed() {
  if (observed_ == nullptr) {
    observed_ = new stop_state;
    if (walked_) observed_->request_stop();
  }
  return *observed_;
}

const local_value* strand::find_local(const void* key) const noexcept {
  return locals_ == nullptr ? nullptr : locals_->find(key);
}

void strand::set_local(const void* key, local_value& value) {
  catching(
      [&] {
        if (locals_ == nullptr) locals_ = new local_values;
        locals_->set(key, value);
        executor::strand_locals_in_use.store(true, memory_order_relaxed);
        home->enter(*this);
      },
      [&](std::exception_ptr no_memory) {
        value.release();
        std::rethrow_exception(std::move(no_memory));
      });
}

void strand::copy_locals(const strand& from) { locals_ = new local_values(*from.locals_); }

void strand::forget_extras() noexcept {
  if (name_ != nullptr) frame_recycler::deallocate(name_, sizeof(short_name));
  if (observed_ != nullptr) observed_->release();
  delete locals_;
}

void strand::tell_observers() noexcept { observed_->request_stop(); }

}  // namespace cordage::detail
