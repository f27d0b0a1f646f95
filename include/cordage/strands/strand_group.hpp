// Strands that belong together: who answers for them.
#pragma once

#include <cstddef>

#include <cordage/base/intrusive_list.hpp>
#include <cordage/strands/executor.hpp>
#include <cordage/strands/strand.hpp>

namespace cordage {

class failure;

}  // namespace cordage

namespace cordage::detail {

class joinable;

// Those who answer for strands: a scope, a runtime. Used on its executor only.
class strand_group : public list_hook<strand_group> {
 public:
  strand_group() noexcept = default;
  strand_group(const strand_group&) = delete;
  strand_group& operator=(const strand_group&) = delete;

  // Before the first child: whoever looks at the executor from outside finds the group, and so its strands.
  void begin_on(executor& where) noexcept { where.groups().push_back(*this); }

  std::size_t live() const noexcept { return live_; }

  // The group answers for the strand from now on. One that joins a group which is stopping is stopped too.
  void adopt(strand& child) noexcept {
    children_.push_back(child);
    ++live_;
    if (stopping_) child.request_stop();
  }

  // Asks all children, present and future, to stop.
  void stop_children() noexcept {
    stopping_ = true;
    children_.for_each([](strand& child) { child.request_stop(); });
  }
  bool stopping() const noexcept { return stopping_; }

  template <class F>
  void each_child(F&& f) {
    children_.for_each(f);
  }

  // A child has ended. `failed` says with what, if by failing; `abandoned` that no join_handle will tell anybody.
  virtual void child_ended(joinable& child, const failure& failed, bool abandoned) noexcept = 0;

 protected:
  ~strand_group() = default;

  void dismiss(strand& child) noexcept {
    child.unlink();
    --live_;
  }

 private:
  intrusive_list<strand> children_;
  std::size_t live_ = 0;
  bool stopping_ = false;
};

}  // namespace cordage::detail
