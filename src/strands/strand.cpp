#include <new>

#include <cordage/base/short_name.hpp>
#include <cordage/strands/frame_recycler.hpp>
#include <cordage/strands/stop_state.hpp>
#include <cordage/strands/strand.hpp>

namespace cordage::detail {

void strand::set_name(std::string_view given) noexcept {
  void* const memory = frame_recycler::allocate(sizeof(short_name));
  if (memory == nullptr) return;
  name_ = ::new (memory) short_name;
  name_->set(given);
}

void strand::forget_name() noexcept { frame_recycler::deallocate(name_, sizeof(short_name)); }

stop_state& strand::observed() {
  if (observed_ == nullptr) {
    observed_ = new stop_state;
    if (walked_) observed_->request_stop();
  }
  return *observed_;
}

void strand::forget_observers() noexcept { observed_->release(); }
void strand::tell_observers() noexcept { observed_->request_stop(); }

}  // namespace cordage::detail
