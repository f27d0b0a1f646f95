#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <new>
#include <string_view>
#include <system_error>
#include <utility>

#include <cordage/base/exceptions.hpp>
#include <cordage/context/stack.hpp>

#include "pages.hpp"
#include "slab.hpp"

#include CORDAGE_VALGRIND_HEADER

namespace cordage::detail {

atomic<slab*> slab::newest{nullptr};

namespace {

constexpr std::size_t slab_bytes = 4 * 1024 * 1024;
constexpr std::size_t warm_bytes = 64 * 1024 * 1024;  // what a thread keeps of one size

// MADV_GUARD_INSTALL, Linux 6.13; Debian's headers are older than the kernels it may run on.
constexpr int advice_guard_install = 102;

std::size_t page_size() noexcept {
  static const auto size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return size;
}

// Whether the kernel refuses to read this byte. It reads on behalf of write(2): EFAULT instead of a signal.
bool faults(const void* at) noexcept {
  int ends[2];
  if (::pipe(ends) != 0) return false;
  const bool refused = ::write(ends[1], at, 1) < 0 && errno == EFAULT;
  ::close(ends[0]);
  ::close(ends[1]);
  return refused;
}

// An emulator may answer 0 to an advice it does not know, so only an access that really faults counts.
bool guard_advice_works() noexcept {
  if (const char* const asked = std::getenv("CORDAGE_STACK_GUARD"); asked != nullptr) {
    if (std::string_view(asked) == "mprotect") return false;
  }
  const std::size_t page = page_size();
  void* const probe = ::mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (probe == MAP_FAILED) return false;
  const bool works = ::madvise(probe, page, advice_guard_install) == 0 && faults(probe);
  ::munmap(probe, page);
  return works;
}

// 0, or the error. Memory that is locked, as all is after mlockall, takes no such advice.
int install_guard(std::byte* page) noexcept {
  static const bool by_advice = guard_advice_works();
  if (by_advice && ::madvise(page, page_size(), advice_guard_install) == 0) return 0;
  return ::mprotect(page, page_size(), PROT_NONE) == 0 ? 0 : errno;
}

[[noreturn]] void no_more_stacks(int code, const char* what) {
  throw_exception<std::system_error>(what, std::error_code(code, std::system_category()), what);
}

// Maps a slab of stacks that are all cold. One at a time, under the depot's mutex.
slab& map_slab(std::uint32_t size_class, bool may_be_unguarded) {
  auto made = std::make_unique<slab>();
  made->page = page_size();
  made->size_class = size_class;
  made->stride = slab::stride_for(stack_pool::smallest_size << size_class, made->page);
  made->count = made->stride * 2 > slab_bytes ? 1 : static_cast<std::uint32_t>(slab_bytes / made->stride);
  made->cold.reserve(made->count);
  for (std::uint32_t i = made->count; i-- > 0;) made->cold.push_back(i);

  const std::size_t bytes = made->stride * made->count;
  void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED)
    no_more_stacks(errno, "cordage: cannot map a fiber's stack; the address space or vm.max_map_count is used up");
  made->base = static_cast<std::byte*>(memory);
  keep_pages_small(memory, bytes);  // a huge one would commit two megabytes for the first byte touched

  int failed = 0;
  for (std::uint32_t i = 0; i < made->count && failed == 0; ++i) failed = install_guard(made->base + i * made->stride);
  made->guarded = failed == 0;
  if (failed != 0 && !may_be_unguarded) {
    ::munmap(memory, bytes);
    no_more_stacks(failed, failed != ENOMEM
                               ? "cordage: cannot guard a fiber's stack"
                               : "cordage: cannot guard a fiber's stack; with many fibers raise vm.max_map_count (each guard "
                                 "costs two mappings on kernels before 6.13), or set allow_unguarded");
  }
  // The guards that there are would leave the rest of the program without mappings.
  if (failed != 0) ::mprotect(memory, bytes, PROT_READ | PROT_WRITE);
  for (std::uint32_t i = 0; i < made->count; ++i) {
    announce_stack_to_valgrind(made->low_of(i), made->usable(i));
  }
  return made.release()->publish();
}

// Stacks that nobody uses and no thread keeps. They are cold: without pages, and known by their number in the slab.
class depot {
 public:
  stack& take(std::uint32_t size_class, bool may_be_unguarded) {
    const std::lock_guard lock(mutex_);
    if (slab* const owner = with_cold_[size_class][1]; owner != nullptr) return take_from(*owner);
    if (slab* const owner = with_cold_[size_class][0]; owner != nullptr && may_be_unguarded) return take_from(*owner);
    slab& fresh = map_slab(size_class, may_be_unguarded);
    list(fresh);
    return take_from(fresh);
  }

  // Chained by `next`. Their pages go back to the system.
  void give_back(stack* chain) noexcept {
    const std::lock_guard lock(mutex_);
    while (chain != nullptr) {
      stack& taken = *chain;
      chain = taken.next;
      slab& owner = *taken.owner;
      const std::uint32_t index = owner.index_of(taken.low);
      give_pages_back(owner.low_of(index), owner.stride - owner.page);
      if (owner.cold.empty()) list(owner);
      owner.cold.push_back(index);  // within the capacity that it was made with
    }
  }

 private:
  slab*& list_of(const slab& of) noexcept { return with_cold_[of.size_class][of.guarded ? 1 : 0]; }

  void list(slab& owner) noexcept { owner.next_with_cold = std::exchange(list_of(owner), &owner); }

  // From the first of its list.
  stack& take_from(slab& owner) noexcept {
    const std::uint32_t index = owner.cold.back();
    owner.cold.pop_back();
    if (owner.cold.empty()) list_of(owner) = owner.next_with_cold;
    renew_stack_for_valgrind(owner.low_of(index), owner.usable(index));
    const auto size_class = static_cast<std::uint8_t>(owner.size_class);
    return *::new (owner.stack_at(index)) stack{.next = nullptr,
                                                .occupant = nullptr,
                                                .name = {},
                                                .size_class = size_class,
                                                .kept_in = owner.guarded ? size_class : stack_pool::never_kept,
                                                .low = owner.low_of(index),
                                                .owner = &owner};
  }

  std::mutex mutex_;
  slab* with_cold_[stack_pool::size_classes][2] = {};  // by size and whether guarded
};

depot& the_depot() {
  static depot* const made = new depot;  // outlives every thread, so it is never destroyed
  return *made;
}

}  // namespace

// When the thread ends its stacks go cold, for others to take.
struct stack_cleanup {
  ~stack_cleanup() {
    stack_pool::mine.state = keeping::ended;
    for (auto& each : stack_pool::mine.of_class) {
      stack* const newest = std::exchange(each.newest, nullptr);
      stack* chain = each.others.close();
      if (std::exchange(each.has_newest, false)) {
        newest->next = chain;
        chain = newest;
      }
      the_depot().give_back(chain);
    }
  }
  void touch() noexcept {}
};

// Whether this thread keeps stacks: from the first that it gives back until its end. Under valgrind it does not, so that it
// hears of each new occupant.
bool stack_pool::keeps_stacks() noexcept {
  if (mine.state == keeping::not_begun && !under_valgrind()) {
    static thread_local stack_cleanup at_thread_end;
    at_thread_end.touch();
    mine.state = keeping::begun;
    for (std::uint32_t c = 0; c < size_classes; ++c)
      mine.of_class[c].others.room = static_cast<std::uint32_t>(std::max(warm_bytes / (smallest_size << c), std::size_t{4})) - 1;
  }
  return mine.state == keeping::begun;
}

stack& stack_pool::take_slowly(std::size_t size, bool may_be_unguarded) {
  if (size > largest_size) no_more_stacks(EINVAL, "cordage: a fiber's stack can have 1 GiB at most");
  const std::uint32_t size_class = class_of(size);
  if (stack* const kept = mine.of_class[size_class].others.take(); kept != nullptr) return *kept;
  return the_depot().take(size_class, may_be_unguarded);
}

// When too many are kept the half that was used less recently goes back.
void stack_pool::give_back_slowly(stack& taken) noexcept {
  if (taken.kept_in == never_kept || !keeps_stacks()) {
    taken.next = nullptr;
    return the_depot().give_back(&taken);
  }
  kept_stacks& kept = mine.of_class[taken.kept_in];
  if (kept.has_newest) {
    if (kept.others.room == 0) the_depot().give_back(kept.others.give_up_half());
    kept.others.keep(*kept.newest);
  }
  kept.newest = &taken;
  kept.has_newest = true;
}

std::size_t touched_bytes(stack& of) noexcept {
  const std::size_t page = page_size();
  std::byte* const end = of.owner->end_of(of.owner->index_of(of.low));
  std::byte* at = of.low;
  while (at < end && !is_resident(at, page)) at += page;
  return static_cast<std::size_t>(end - at);
}

}  // namespace cordage::detail
