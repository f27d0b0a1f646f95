#include "context/pages.hpp"

#include <sys/mman.h>

namespace cordage::detail {

// EINVAL, from a kernel without huge pages, is as good.
void keep_pages_small(void* at, std::size_t size) noexcept { ::madvise(at, size, MADV_NOHUGEPAGE); }

void give_pages_back(void* at, std::size_t size) noexcept { ::madvise(at, size, MADV_DONTNEED); }

bool is_resident(void* page, std::size_t page_size) noexcept {
  unsigned char state = 0;
  return ::mincore(page, page_size, &state) != 0 || (state & 1) != 0;
}

}  // namespace cordage::detail
