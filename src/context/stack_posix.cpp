#include <sys/mman.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstdint>
#include <mutex>
#include <system_error>

#include <cordage/base/config.hpp>
#include <cordage/base/exceptions.hpp>
#include <cordage/context/stack.hpp>

#include CORDAGE_VALGRIND_HEADER

namespace cordage::detail {
namespace {

constexpr std::size_t smallest_size = 16 * 1024;
constexpr unsigned size_classes = 17;  // powers of two, 16 KiB to 1 GiB
constexpr std::size_t slab_bytes = 4 * 1024 * 1024;
constexpr std::size_t colours = 48;
constexpr std::size_t colour_step = 64;

// MADV_GUARD_INSTALL, Linux 6.13; Debian's headers are older than the kernels it may run on.
constexpr int advice_guard_install = 102;

std::size_t page_size() noexcept {
  static const auto size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return size;
}

// A free stack carries its own list node in its topmost bytes, which its last fiber has touched already.
struct free_stack {
  free_stack* next;
  stack self;
};

free_stack* node_of(const stack& s) noexcept { return reinterpret_cast<free_stack*>(s.top - sizeof(free_stack)); }

struct free_lists {
  free_stack* first[size_classes] = {};

  void push(const stack& s) noexcept {
    free_stack* const node = node_of(s);
    *node = {first[s.size_class], s};
    first[s.size_class] = node;
  }
  bool pop(unsigned size_class, stack& out) noexcept {
    free_stack* const node = first[size_class];
    if (node == nullptr) return false;
    first[size_class] = node->next;
    out = node->self;
    return true;
  }
};

// What ended threads leave behind, for the next thread in need.
struct shared_lists {
  std::mutex mutex;
  free_lists lists;
};

shared_lists& shared() {
  static shared_lists* const lists = new shared_lists;  // outlives every thread, so it is never destroyed
  return *lists;
}

struct thread_lists : free_lists {
  ~thread_lists() {
    shared_lists& to = shared();
    const std::lock_guard lock(to.mutex);
    for (unsigned c = 0; c < size_classes; ++c)
      for (stack s; pop(c, s);) to.lists.push(s);
  }
};

thread_local thread_lists mine;

// An emulator may answer 0 to an advice it does not know, so only a write that really faults counts. The kernel does
// the writing side of it, on behalf of write(2): EFAULT instead of a signal.
bool guard_advice_works() noexcept {
  const std::size_t page = page_size();
  void* const probe = ::mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (probe == MAP_FAILED) return false;
  bool works = false;
  int ends[2];
  if (::madvise(probe, page, advice_guard_install) == 0 && ::pipe(ends) == 0) {
    works = ::write(ends[1], probe, 1) < 0 && errno == EFAULT;
    ::close(ends[0]);
    ::close(ends[1]);
  }
  ::munmap(probe, page);
  return works;
}

[[noreturn]] void no_more_stacks(int code, const char* what) {
  throw_exception<std::system_error>(what, std::error_code(code, std::system_category()), what);
}

void install_guard(std::byte* page) {
  static const bool by_advice = guard_advice_works();
  const int failed = by_advice ? ::madvise(page, page_size(), advice_guard_install)
                               : ::mprotect(page, page_size(), PROT_NONE);
  if (failed != 0)
    no_more_stacks(errno, "cordage: cannot guard a fiber's stack; with many fibers raise vm.max_map_count "
                          "(each guard costs two mappings on kernels before 6.13)");
}

// Maps a slab, keeps its first stack for the caller and the others in the thread's list. A slab is never unmapped:
// its stacks are handed from thread to thread.
stack map_slab(unsigned size_class) {
  const std::size_t page = page_size();
  const std::size_t stride = (smallest_size << size_class) + page;
  const std::size_t count = stride * 2 > slab_bytes ? 1 : slab_bytes / stride;
  void* const memory = ::mmap(nullptr, stride * count, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED)
    no_more_stacks(errno, "cordage: cannot map a fiber's stack; the address space or vm.max_map_count is used up");
  auto* const base = static_cast<std::byte*>(memory);
  // A huge page would commit two megabytes for the first byte touched. Where the advice is unknown there are none.
  ::madvise(memory, stride * count, MADV_NOHUGEPAGE);
  for (std::size_t i = 0; i < count; ++i) install_guard(base + i * stride);

  stack first;
  for (std::size_t i = count; i-- > 0;) {
    std::byte* const low = base + i * stride + page;
    stack s{low, base + (i + 1) * stride - colour_step * (i % colours), size_class};
    announce_stack_to_valgrind(low, s.size());
    if (i == 0) {
      first = s;
    } else {
      mine.push(s);
    }
  }
  return first;
}

}  // namespace

stack take_stack(std::size_t size) {
  if (size > (smallest_size << (size_classes - 1)))
    no_more_stacks(EINVAL, "cordage: a fiber's stack can have 1 GiB at most");
  const std::size_t rounded = std::bit_ceil(size < smallest_size ? smallest_size : size);
  const auto size_class = static_cast<unsigned>(std::countr_zero(rounded) - std::countr_zero(smallest_size));
  stack taken;
  if (mine.pop(size_class, taken)) return taken;
  {
    shared_lists& from = shared();
    const std::lock_guard lock(from.mutex);
    if (from.lists.pop(size_class, taken)) return taken;
  }
  return map_slab(size_class);
}

void give_back(stack taken) noexcept { mine.push(taken); }

}  // namespace cordage::detail
