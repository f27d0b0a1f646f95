// Replies of RESP2, one behind the other in a buffer that is used again.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

namespace resp {

class replies {
 public:
  void simple(std::string_view text) { line('+', text); }

  // What a client sent may be part of the text, and must not end the line.
  void error(std::string_view text) {
    const std::size_t begin = size_;
    line('-', text);
    for (char& c : std::span(buffer_.get() + begin, size_ - begin - 2)) {
      if (c == '\r' || c == '\n') c = ' ';
    }
  }

  void number(std::int64_t value) { number_line(':', value); }
  void array(std::size_t size) { number_line('*', static_cast<std::int64_t>(size)); }
  void null() { put("$-1\r\n"); }

  void bulk(std::string_view text) {
    make_room(text.size() + 2 * longest_number_line);
    number_line('$', static_cast<std::int64_t>(text.size()));
    put(text);
    put("\r\n");
  }

  std::string_view text() const noexcept { return {buffer_.get(), size_}; }

  // A buffer that had to be large for once is not kept.
  void clear() noexcept {
    size_ = 0;
    if (capacity_ <= largest_kept) return;
    buffer_.reset();
    capacity_ = 0;
  }

 private:
  static constexpr std::size_t longest_number_line = 24;
  static constexpr std::size_t first_capacity = 4096;
  static constexpr std::size_t largest_kept = 256 * 1024;

  void line(char kind, std::string_view text) {
    make_room(text.size() + 3);
    buffer_[size_++] = kind;
    put(text);
    put("\r\n");
  }

  void number_line(char kind, std::int64_t value) {
    make_room(longest_number_line);
    char* const begin = buffer_.get() + size_;
    *begin = kind;
    char* const end = std::to_chars(begin + 1, begin + longest_number_line, value).ptr;
    size_ += static_cast<std::size_t>(end - begin);
    put("\r\n");
  }

  void put(std::string_view text) {
    make_room(text.size());
    std::memcpy(buffer_.get() + size_, text.data(), text.size());
    size_ += text.size();
  }

  void make_room(std::size_t more) {
    if (capacity_ - size_ < more) [[unlikely]] grow(more);
  }

  void grow(std::size_t more) {
    std::size_t capacity = capacity_ == 0 ? first_capacity : capacity_;
    while (capacity - size_ < more) capacity *= 2;
    auto larger = std::make_unique_for_overwrite<char[]>(capacity);
    if (size_ != 0) std::memcpy(larger.get(), buffer_.get(), size_);
    buffer_ = std::move(larger);
    capacity_ = capacity;
  }

  std::unique_ptr<char[]> buffer_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace resp
