// What a slab of stacks asks of the memory's pages, where systems differ. One source file per system.
#pragma once

#include <cstddef>

namespace cordage::detail {

// Memory that is touched for the first time costs one page, and not a huge one. Where there are none, nothing.
void keep_pages_small(void* at, std::size_t size) noexcept;

// The contents are not needed any more, the addresses are.
void give_pages_back(void* at, std::size_t size) noexcept;

// Whether the page at this address is in memory; true where that is not known.
bool is_resident(void* page, std::size_t page_size) noexcept;

}  // namespace cordage::detail
