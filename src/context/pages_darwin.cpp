#include "context/pages.hpp"

#include <sys/mman.h>

// Source: madvise(2), mincore(2) of macOS.
namespace cordage::detail {

// Nothing becomes a huge page that did not ask to.
void keep_pages_small(void*, std::size_t) noexcept {}

// MADV_DONTNEED keeps the pages here; these the system takes when it needs some.
void give_pages_back(void* at, std::size_t size) noexcept { ::madvise(at, size, MADV_FREE); }

bool is_resident(void* page, std::size_t page_size) noexcept {
  char state = 0;
  return ::mincore(page, page_size, &state) != 0 || (state & MINCORE_INCORE) != 0;
}

}  // namespace cordage::detail
