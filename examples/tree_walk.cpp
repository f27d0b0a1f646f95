// Walking trees with coroutines resumed by hand: no runtime, no iterator to write, just recursion that yields.
#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <cordage/coroutine.hpp>
#include <cordage/generator.hpp>

namespace {

// [tree]
struct node {
  int value;
  std::unique_ptr<node> left, right;
};

void visit(const node* n) {                                 // an ordinary recursive function
  if (n == nullptr) return;
  cordage::this_coroutine::yield(n->value);                 // from any depth, to whoever resumes
  visit(n->left.get());
  visit(n->right.get());
}

void print_preorder(const node* root) {
  cordage::coroutine<int> walk{visit, root};                // runs nothing yet
  while (const auto value = walk.resume()) std::printf("%d ", *value);
  std::printf("\n");
}
// [/tree]

// [generated]
cordage::generator<int> preorder(const node* n) {           // the same without a stack: each level hands on to the next
  if (n == nullptr) co_return;
  co_yield n->value;
  co_yield cordage::elements_of(preorder(n->left.get()));
  co_yield cordage::elements_of(preorder(n->right.get()));
}

void print_generated(const node* root) {
  for (const int value : preorder(root)) std::printf("%d ", value);
  std::printf("\n");
}
// [/generated]

// [merge]
void visit_in_order(const node* n) {
  if (n == nullptr) return;
  visit_in_order(n->left.get());
  cordage::this_coroutine::yield(n->value);
  visit_in_order(n->right.get());
}

// Both trees are somewhere in the middle of their recursion while the values are compared.
void print_merged(const node* one, const node* other) {
  cordage::coroutine<int> a{visit_in_order, one};
  cordage::coroutine<int> b{visit_in_order, other};
  auto x = a.resume();
  auto y = b.resume();
  while (x || y) {
    const bool take_x = !y || (x && *x <= *y);
    std::printf("%d ", take_x ? *x : *y);
    if (take_x) {
      x = a.resume();
    } else {
      y = b.resume();
    }
  }
  std::printf("\n");
}
// [/merge]

// [lengths]
void words(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    cordage::this_coroutine::yield(std::string(text.substr(at, end - at)));
    at = end + 1;
  }
}

void lengths(std::string_view text) {                       // a coroutine of its own, which resumes another
  for (const std::string& word : cordage::coroutine<std::string>{words, text})
    cordage::this_coroutine::yield(word.size());
}

void print_lengths(std::string_view text) {
  for (const std::size_t length : cordage::coroutine<std::size_t>{lengths, text}) std::printf("%zu ", length);
  std::printf("\n");
}
// [/lengths]

// A search tree.
void insert(std::unique_ptr<node>& at, int value) {
  if (at == nullptr) {
    at = std::make_unique<node>(node{value, nullptr, nullptr});
  } else {
    insert(value < at->value ? at->left : at->right, value);
  }
}

std::unique_ptr<node> tree_of(std::initializer_list<int> values) {
  std::unique_ptr<node> root;
  for (const int value : values) insert(root, value);
  return root;
}

}  // namespace

int main() {
  const auto some = tree_of({8, 4, 12, 2, 6, 10, 14});
  const auto others = tree_of({7, 3, 11, 1, 5, 9, 13});
  print_preorder(some.get());
  print_generated(some.get());
  print_merged(some.get(), others.get());
  print_lengths("ropes are laid from many strands");
}
