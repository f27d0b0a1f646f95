#include "runtime/symbols.hpp"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include <cordage/base/file_descriptor.hpp>

// Sources: elf(5), dl_iterate_phdr(3).
namespace cordage::detail {
namespace {

struct wanted_name {
  std::uintptr_t at;  // in the file's own addresses
  std::string* name;
};

// A file that is mapped into this process, and what is wanted of it.
struct module {
  std::string path;
  std::string_view shown_as;
  std::vector<wanted_name> wanted;
};

// To read. Empty if that is not possible.
class mapped_file {
 public:
  explicit mapped_file(const char* path) noexcept {
    const file_descriptor file(::open(path, O_RDONLY | O_CLOEXEC));
    struct stat about;
    if (file.get() < 0 || ::fstat(file.get(), &about) < 0 || about.st_size <= 0) return;
    size_ = static_cast<std::size_t>(about.st_size);
    void* const at = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.get(), 0);
    if (at != MAP_FAILED) at_ = static_cast<const std::byte*>(at);
  }
  mapped_file(const mapped_file&) = delete;
  mapped_file& operator=(const mapped_file&) = delete;
  ~mapped_file() {
    if (at_ != nullptr) ::munmap(const_cast<std::byte*>(at_), size_);
  }

  // So many T at an offset; none where the file does not have them.
  template <class T>
  std::span<const T> array(std::size_t offset, std::size_t count) const noexcept {
    const bool there = at_ != nullptr && offset <= size_ && count <= (size_ - offset) / sizeof(T) && offset % alignof(T) == 0;
    if (!there) return {};
    return {reinterpret_cast<const T*>(at_ + offset), count};
  }

 private:
  const std::byte* at_ = nullptr;
  std::size_t size_ = 0;
};

bool is_elf_of_this_machine(const ElfW(Ehdr) & header) noexcept {
  constexpr unsigned char ours = sizeof(void*) == 8 ? ELFCLASS64 : ELFCLASS32;
  return std::equal(header.e_ident, header.e_ident + SELFMAG, ELFMAG) && header.e_ident[EI_CLASS] == ours;
}

// The symbols are in no order; what is wanted is, by address. The first that a function covers is found by a search.
void find_in_table(const mapped_file& file, const ElfW(Shdr) & table, const ElfW(Shdr) & strings,
                   std::span<wanted_name> wanted) {
  const auto text = file.array<char>(strings.sh_offset, strings.sh_size);
  if (text.empty() || text.back() != '\0') return;
  for (const ElfW(Sym) & symbol : file.array<ElfW(Sym)>(table.sh_offset, table.sh_size / sizeof(ElfW(Sym)))) {
    const bool function = ELF64_ST_TYPE(symbol.st_info) == STT_FUNC && symbol.st_shndx != SHN_UNDEF;
    if (!function || symbol.st_name >= text.size()) continue;
    auto at = std::ranges::lower_bound(wanted, symbol.st_value, {}, &wanted_name::at);
    for (; at != wanted.end() && (at->at - symbol.st_value < symbol.st_size || at->at == symbol.st_value); ++at) {
      if (at->name->empty()) *at->name = readable_name(&text[symbol.st_name]);
    }
  }
}

void find_in(const module& in, std::span<wanted_name> wanted) {
  const mapped_file file(in.path.c_str());
  const auto header = file.array<ElfW(Ehdr)>(0, 1);
  if (header.empty() || !is_elf_of_this_machine(header[0])) return;
  const auto sections = file.array<ElfW(Shdr)>(header[0].e_shoff, header[0].e_shnum);
  for (const ElfW(Word) kind : {SHT_SYMTAB, SHT_DYNSYM}) {
    for (const ElfW(Shdr) & each : sections) {
      if (each.sh_type == kind && each.sh_link < sections.size()) find_in_table(file, each, sections[each.sh_link], wanted);
    }
  }
}

std::string offset_in(std::string_view name, std::uintptr_t at) {
  char digits[2 * sizeof at];
  const auto written = std::to_chars(digits, digits + sizeof digits, at, 16);
  return std::string(name) + "+0x" + std::string(digits, written.ptr);
}

struct search {
  std::unordered_map<const void*, std::string>& names;
  std::vector<module> modules;
};

// Called for each file that is mapped: takes the addresses that are in it. The program's own path is empty.
int take_addresses(dl_phdr_info* about, std::size_t, void* of) {
  auto& [names, modules] = *static_cast<search*>(of);
  const bool program = about->dlpi_name == nullptr || *about->dlpi_name == '\0';
  module found{program ? "/proc/self/exe" : about->dlpi_name, {}, {}};
  for (const ElfW(Phdr) & each : std::span(about->dlpi_phdr, about->dlpi_phnum)) {
    if (each.p_type != PT_LOAD || (each.p_flags & PF_X) == 0) continue;
    for (auto& [address, name] : names) {
      const std::uintptr_t at = reinterpret_cast<std::uintptr_t>(address) - about->dlpi_addr;
      if (at - each.p_vaddr < each.p_memsz) found.wanted.push_back({at, &name});
    }
  }
  if (found.wanted.empty()) return 0;
  found.shown_as = program ? std::string_view(::program_invocation_short_name)
                           : std::string_view(about->dlpi_name).substr(std::string_view(about->dlpi_name).rfind('/') + 1);
  modules.push_back(std::move(found));
  return 0;
}

}  // namespace

void symbols::find() {
  search found{names_, {}};
  ::dl_iterate_phdr(take_addresses, &found);
  for (module& each : found.modules) {
    std::ranges::sort(each.wanted, {}, &wanted_name::at);
    find_in(each, each.wanted);
    for (const wanted_name& wanted : each.wanted) {
      if (wanted.name->empty()) *wanted.name = offset_in(each.shown_as, wanted.at);
    }
  }
  for (auto& [address, name] : names_) {
    if (name.empty()) name = offset_in("?", reinterpret_cast<std::uintptr_t>(address));
  }
}

}  // namespace cordage::detail
