// What stackful coroutines and their stacks cost, beside Boost.Context, Boost.Coroutine2 and stackless coroutines.
//
// Exit status: 0 all gates met, 1 a gate missed.
#include <sys/mman.h>

#include <boost/context/detail/fcontext.hpp>
#include <boost/context/fiber.hpp>
#include <boost/context/fixedsize_stack.hpp>
#include <boost/context/pooled_fixedsize_stack.hpp>
#include <boost/coroutine2/coroutine.hpp>
#include <boost/version.hpp>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <cordage/cordage.hpp>

#include "support/instructions.hpp"
#include "support/micro.hpp"
#include "support/micro_program.hpp"

namespace {

using bench::bounds;
namespace boost_context = boost::context;

constexpr std::size_t stack_bytes = 64 * 1024;

// --- resume and yield: a counter that yields its numbers -------------------------------------------------------------

void count() {
  for (std::uint64_t i = 0;; ++i) cordage::this_coroutine::yield(i);
}

void resume_ours(std::uint64_t times) {
  cordage::coroutine<std::uint64_t> counter{count};
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < times; ++i) sum += *counter.resume();
  bench::keep(sum);
}

void count_in_fcontext(boost_context::detail::transfer_t from) {
  for (std::uint64_t i = 0;; ++i) from = boost_context::detail::jump_fcontext(from.fctx, &i);
}

void resume_fcontext(std::uint64_t times) {
  boost_context::fixedsize_stack stacks(stack_bytes);
  const boost_context::stack_context on = stacks.allocate();
  boost_context::detail::transfer_t back{boost_context::detail::make_fcontext(on.sp, on.size, count_in_fcontext), nullptr};
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < times; ++i) {
    back = boost_context::detail::jump_fcontext(back.fctx, nullptr);
    sum += *static_cast<const std::uint64_t*>(back.data);
  }
  bench::keep(sum);
  boost_context::stack_context unused = on;
  stacks.deallocate(unused);
}

using boost_coroutine = boost::coroutines2::coroutine<std::uint64_t>;

// A stackless coroutine, as small as they can be.
struct stackless {
  struct promise_type {
    std::uint64_t value = 0;
    stackless get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    std::suspend_always yield_value(std::uint64_t given) noexcept {
      value = given;
      return {};
    }
    void return_void() noexcept {}
    void unhandled_exception() { throw; }
  };
  std::coroutine_handle<promise_type> handle;
};

[[gnu::noinline]] stackless count_stackless() {
  for (std::uint64_t i = 0;; ++i) co_yield i;
}

// The comparison of the project's first notes hides the handles, so that no compiler looks through them.
[[gnu::noinline]] std::uint64_t next(stackless& counter) {
  counter.handle.resume();
  return counter.handle.promise().value;
}
[[gnu::noinline]] std::uint64_t next(cordage::coroutine<std::uint64_t>& counter) { return *counter.resume(); }
[[gnu::noinline]] std::uint64_t next(boost_coroutine::pull_type& counter) {
  counter();
  return counter.get();
}

template <class Counter>
void take(Counter& counter, std::uint64_t times) {
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < times; ++i) sum += next(counter);
  bench::keep(sum);
}

void take_from_ours(std::uint64_t times) {
  cordage::coroutine<std::uint64_t> counter{count};
  take(counter, times);
}
void take_from_stackless(std::uint64_t times) {
  stackless counter = count_stackless();
  take(counter, times);
  counter.handle.destroy();
}
void take_from_boost(std::uint64_t times) {
  boost_coroutine::pull_type counter([](boost_coroutine::push_type& to) {
    for (std::uint64_t i = 0;; ++i) to(i);
  });
  take(counter, times);
}

// --- create, run, destroy --------------------------------------------------------------------------------------------

void create_ours(std::uint64_t times) {
  std::uint64_t ran = 0;
  for (std::uint64_t i = 0; i < times; ++i) {
    cordage::coroutine<void> once{[&ran] { ++ran; }};
    once.resume();
  }
  bench::keep(ran);
}

void create_boost(std::uint64_t times) {
  boost_context::pooled_fixedsize_stack stacks(stack_bytes);
  std::uint64_t ran = 0;
  for (std::uint64_t i = 0; i < times; ++i) {
    boost_context::fiber once(std::allocator_arg, stacks, [&ran](boost_context::fiber&& back) {
      ++ran;
      return std::move(back);
    });
    once = std::move(once).resume();
  }
  bench::keep(ran);
}

// --- a tree ----------------------------------------------------------------------------------------------------------

struct node {
  std::uint64_t value = 0;
  const node* left = nullptr;
  const node* right = nullptr;
};

// A complete binary tree, whose nodes lie in the order of a preorder walk.
struct tree {
  explicit tree(std::size_t nodes) : all(nodes) { build(0, nodes); }

  const node* build(std::size_t first, std::size_t count) {
    if (count == 0) return nullptr;
    node& root = all[first];
    const std::size_t on_the_left = count / 2;
    root.value = first;
    root.left = build(first + 1, on_the_left);
    root.right = build(first + 1 + on_the_left, count - 1 - on_the_left);
    return &root;
  }

  const node* root() const { return all.data(); }
  std::vector<node> all;
};

void visit_ours(const node* n) {
  if (n == nullptr) return;
  cordage::this_coroutine::yield(n->value);
  visit_ours(n->left);
  visit_ours(n->right);
}

void walk_ours(const tree& over) {
  std::uint64_t sum = 0;
  for (const std::uint64_t value : cordage::coroutine<std::uint64_t>{visit_ours, over.root()}) sum += value;
  bench::keep(sum);
}

cordage::generator<std::uint64_t> visit_generated(const node* n) {
  if (n == nullptr) co_return;
  co_yield n->value;
  co_yield cordage::elements_of(visit_generated(n->left));
  co_yield cordage::elements_of(visit_generated(n->right));
}

void walk_generated(const tree& over) {
  std::uint64_t sum = 0;
  for (const std::uint64_t value : visit_generated(over.root())) sum += value;
  bench::keep(sum);
}

void visit_boost(const node* n, boost_coroutine::push_type& to) {
  if (n == nullptr) return;
  to(n->value);
  visit_boost(n->left, to);
  visit_boost(n->right, to);
}

void walk_boost(const tree& over) {
  std::uint64_t sum = 0;
  boost_coroutine::pull_type walk([&](boost_coroutine::push_type& to) { visit_boost(over.root(), to); });
  for (const std::uint64_t value : walk) sum += value;
  bench::keep(sum);
}

// --- colours ---------------------------------------------------------------------------------------------------------

// The barest coroutine, on a stack that it is given.
struct bare {
  cordage::detail::machine_context self, outside;
  cordage::detail::machine_context* enterer = &outside;

  explicit bare(std::byte* top) {
    cordage::detail::switch_to_new_stack(outside, top, run, {.outside = &enterer}, this);
  }

  static void run(void* first_message) {
    bare& b = *static_cast<bare*>(first_message);
    for (;;) cordage::detail::switch_context(b.self, b.outside, nullptr);
  }
  CORDAGE_ALWAYS_INLINE void enter() { cordage::detail::switch_context(outside, self, nullptr); }
};

// A thousand of them, each of which lives at the top of its stack.
class round_robin {
 public:
  static constexpr std::size_t stacks = 1000;

  void add(std::byte* top) {
    auto* const place = top - 256;
    all_.push_back(::new (place) bare(place));
  }
  void turn(std::uint64_t times) {
    for (std::uint64_t i = 0; i < times; i += stacks)
      for (bare* const each : all_) each->enter();
  }

 private:
  std::vector<bare*> all_;
};

round_robin coloured() {
  round_robin made;
  for (std::size_t i = 0; i < round_robin::stacks; ++i) made.add(cordage::detail::stack_pool::take(stack_bytes, false).top());
  return made;
}

// The floor of a round trip: there and back, and nothing else.
void switch_barely(std::uint64_t times) {
  cordage::detail::stack& on = cordage::detail::stack_pool::take(stack_bytes, false);
  auto* const place = on.top() - 256;
  bare& only = *::new (place) bare(place);
  for (std::uint64_t i = 0; i < times; ++i) only.enter();
  cordage::detail::stack_pool::give_back(on);
}

// What one gets without a thought: one after the other.
round_robin uncoloured() {
  constexpr std::size_t bytes = round_robin::stacks * stack_bytes;
  void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  ::madvise(memory, bytes, MADV_NOHUGEPAGE);
  round_robin made;
  for (std::size_t i = 1; i <= round_robin::stacks; ++i) made.add(static_cast<std::byte*>(memory) + i * stack_bytes);
  return made;
}

// --- memory ----------------------------------------------------------------------------------------------------------

// Resident pages and page tables of this process, in bytes.
double resident_bytes() {
  std::ifstream status("/proc/self/status");
  double kilobytes = 0;
  for (std::string word; status >> word;) {
    double value = 0;
    if ((word == "VmRSS:" || word == "VmPTE:") && status >> value) kilobytes += value;
  }
  return kilobytes * 1024;
}

double bytes_per_suspended_fiber() {
  constexpr int fibers = 100'000;
  cordage::runtime runtime;
  double before = 0;
  double after = 0;
  auto all = [&] {
    before = resident_bytes();
    auto waits = [] { cordage::await(cordage::sleep_for(std::chrono::hours(1))); };
    auto waiting = [&](cordage::scope& children) {
      for (int i = 0; i < fibers; ++i) children.spawn(waits);
      cordage::await(cordage::yield_now());
      cordage::await(cordage::yield_now());
      after = resident_bytes();
      children.request_stop();
    };
    cordage::await(cordage::with_scope(waiting));
  };
  auto everything = runtime.spawn(all);
  runtime.run(cordage::yield_now());
  return (after - before) / fibers;
}

// ---------------------------------------------------------------------------------------------------------------------

void report_instructions(bench::report& out, const char* row, void (*operation)(std::uint64_t times)) {
  const auto counted = bench::instructions_per_operation(400, [operation](std::uint64_t n, auto begin, auto end) {
    operation(n);  // the first ones take stacks from the system
    begin();
    operation(n);
    end();
  });
  if (counted) {
    out.value(row, *counted, {});
  } else {
    out.remark(row, "not counted here");
  }
}

void report_all(bench::report& out, std::uint64_t seed) {
  const tree over(std::size_t{1} << 20);
  round_robin with_colours = coloured();
  round_robin without = uncoloured();
  const std::vector<bench::micro_case> cases{
      {"resume ours", 200'000, resume_ours},
      {"resume fcontext", 200'000, resume_fcontext},
      {"create ours", 100'000, create_ours},
      {"create boost", 100'000, create_boost},
      {"walk ours", over.all.size(), [&](std::uint64_t) { walk_ours(over); }},
      {"walk generated", over.all.size(), [&](std::uint64_t) { walk_generated(over); }},
      {"walk boost", over.all.size(), [&](std::uint64_t) { walk_boost(over); }},
      {"bare", 200'000, switch_barely},
      {"coloured", 200'000, [&](std::uint64_t n) { with_colours.turn(n); }},
      {"uncoloured", 200'000, [&](std::uint64_t n) { without.turn(n); }},
      {"take ours", 200'000, take_from_ours},
      {"take stackless", 200'000, take_from_stackless},
      {"take boost", 200'000, take_from_boost}};
  const auto measured = bench::measure_micro(cases, seed, bench::micro_rounds);
  const auto cycles = [&](const char* name) -> const std::vector<double>& {
    std::size_t i = 0;
    while (cases[i].name != name) ++i;
    return measured[i].cycles;
  };
  out.section("cycles, Boost " BOOST_LIB_VERSION);
  out.compare("resume + yield, peer Boost.Context fcontext", cycles("resume ours"), cycles("resume fcontext"),
              {.gate = 0.35, .goal = 0.25});
  out.compare("create + run + destroy, peer boost::context::fiber, pooled", cycles("create ours"), cycles("create boost"),
              {.gate = 0.18, .goal = 0.12});
  out.compare("two bare switches, peer resume + yield", cycles("bare"), cycles("resume ours"));
  out.compare("preorder walk of 2^20 nodes, peer Boost.Coroutine2", cycles("walk ours"), cycles("walk boost"),
              {.gate = 0.35, .goal = 0.25});
  out.compare("preorder walk of 2^20 nodes, peer a recursive generator", cycles("walk ours"), cycles("walk generated"));
  out.compare("round robin over 1000 stacks, peer not coloured", cycles("coloured"), cycles("uncoloured"),
              {.gate = 0.6, .goal = 0.3});
  out.section("instructions");
  report_instructions(out, "resume + yield", resume_ours);
  report_instructions(out, "create + run + destroy", create_ours);
  out.section("cycles of resume + yield, hidden behind noinline handles");
  out.compare("ours, peer a stackless coroutine", cycles("take ours"), cycles("take stackless"), {.gate = {}, .goal = 2});
  out.compare("ours, peer Boost.Coroutine2", cycles("take ours"), cycles("take boost"));
  out.section("memory");
  out.value("bytes per suspended fiber, 100,000 of them, page tables included", bytes_per_suspended_fiber(), {},
            {.gate = 4500, .goal = 4250});
}

}  // namespace

int main(int, char** argv) { return bench::micro_program("stackful", argv, report_all); }
