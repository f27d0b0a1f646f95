// A doubly linked list of objects that derive from list_hook: an element leaves in O(1), wherever it is.
//
// One thread. The list does not own its elements; a hook unlinks itself when it is destroyed. Tag tells hooks apart
// where one object is in several lists.
#pragma once

namespace cordage::detail {

template <class Tag>
class list_hook {
 public:
  list_hook() noexcept = default;
  list_hook(const list_hook&) = delete;
  list_hook& operator=(const list_hook&) = delete;
  ~list_hook() { unlink(); }

  bool linked() const noexcept { return next_ != this; }

  void unlink() noexcept {
    previous_->next_ = next_;
    next_->previous_ = previous_;
    next_ = previous_ = this;
  }

  // Links this hook, which is in no list, in front of `position`.
  void link_before(list_hook& position) noexcept {
    next_ = &position;
    previous_ = position.previous_;
    previous_->next_ = this;
    position.previous_ = this;
  }

  list_hook* next() const noexcept { return next_; }

 private:
  list_hook* next_ = this;
  list_hook* previous_ = this;
};

template <class Element, class Tag = Element>
class intrusive_list {
  using hook = list_hook<Tag>;

 public:
  bool empty() const noexcept { return !root_.linked(); }
  void push_back(Element& element) noexcept { static_cast<hook&>(element).link_before(root_); }

  // The list must not be empty.
  Element& front() const noexcept { return static_cast<Element&>(*root_.next()); }

  // Calls f with every element; f may unlink or destroy the one it is given, and no other.
  template <class F>
  void for_each(F&& f) {
    for (hook* at = root_.next(); at != &root_;) {
      hook* const next = at->next();
      f(static_cast<Element&>(*at));
      at = next;
    }
  }

 private:
  hook root_;
};

}  // namespace cordage::detail
