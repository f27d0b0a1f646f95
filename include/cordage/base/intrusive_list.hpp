// A doubly linked list of objects that derive from list_hook or list_links: an element leaves in O(1), wherever it is.
//
// One thread, or under a lock. The list does not own its elements; a hook unlinks itself when it is destroyed. Tag tells
// hooks apart where one object is in several lists.
#pragma once

namespace cordage::detail {

// Written only when the element is linked: for elements that know themselves whether they are in a list, and that leave it
// before they are destroyed.
template <class Tag>
class list_links {
 public:
  list_links() noexcept {}
  list_links(const list_links&) = delete;
  list_links& operator=(const list_links&) = delete;

  // It is in a list.
  void unlink() noexcept {
    previous_->next_ = next_;
    next_->previous_ = previous_;
  }

  // It is in no list, and goes in front of `position`.
  void link_before(list_links& position) noexcept {
    next_ = &position;
    previous_ = position.previous_;
    previous_->next_ = this;
    position.previous_ = this;
  }

  list_links* next() const noexcept { return next_; }

 protected:
  ~list_links() = default;
  constexpr explicit list_links(list_links& self) noexcept : next_(&self), previous_(&self) {}

  list_links* next_;
  list_links* previous_;
};

template <class Tag>
class list_hook : public list_links<Tag> {
 public:
  constexpr list_hook() noexcept : list_links<Tag>(*this) {}
  ~list_hook() { unlink(); }

  bool linked() const noexcept { return this->next_ != this; }

  void unlink() noexcept {
    list_links<Tag>::unlink();
    this->next_ = this->previous_ = this;
  }
};

template <class Element, class Tag = Element>
class intrusive_list {
  using links = list_links<Tag>;

 public:
  bool empty() const noexcept { return !root_.linked(); }
  void push_back(Element& element) noexcept { static_cast<links&>(element).link_before(root_); }

  // The list must not be empty.
  Element& front() const noexcept { return static_cast<Element&>(*root_.next()); }

  // Null where there is none.
  Element* first() noexcept { return element_at(*root_.next()); }
  Element* after(Element& one) noexcept { return element_at(*static_cast<links&>(one).next()); }

  // Calls f with every element; f may unlink or destroy the one it is given, and no other.
  template <class F>
  void for_each(F&& f) {
    for (links* at = root_.next(); at != &root_;) {
      links* const next = at->next();
      f(static_cast<Element&>(*at));
      at = next;
    }
  }

 private:
  Element* element_at(links& at) noexcept { return &at == &root_ ? nullptr : &static_cast<Element&>(at); }

  list_hook<Tag> root_;
};

}  // namespace cordage::detail
