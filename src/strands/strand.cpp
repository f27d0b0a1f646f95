#include <new>

#include <cordage/base/short_name.hpp>
#include <cordage/strands/frame_recycler.hpp>
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

void strand::forget_name() noexcept { frame_recycler::deallocate(name_, sizeof(short_name)); }

}  // namespace cordage::detail
