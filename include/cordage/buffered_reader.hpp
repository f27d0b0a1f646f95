// buffered_reader: the lines of a stream.
//
//   buffered_reader lines(peer);                                     // or of a standard_input
//   while (auto line = co_await !lines.read_line()) answer(*line);   // std::optional<std::string_view>, empty at the end
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include <cordage/checked.hpp>
#include <cordage/result.hpp>
#include <cordage/task.hpp>

namespace cordage {

// Source is anything with read_some(std::span<std::byte>) that completes with a result<std::size_t>, 0 at the end. It is
// referred to, and nobody else reads from it meanwhile. One strand at a time, on the source's worker. Memory: none before the
// first read; then 4096 bytes, or up to twice what the longest line has needed.
template <class Source>
class buffered_reader {
 public:
  // Lines have at most `longest` bytes, their end not counted.
  explicit buffered_reader(Source& from, std::size_t longest = 65536) noexcept : from_(from), longest_(longest) {}
  buffered_reader(const buffered_reader&) = delete;
  buffered_reader& operator=(const buffered_reader&) = delete;

  // The next line without its "\n" or "\r\n"; it is valid until the next call. Empty at the end; what stands before the end
  // without a "\n" is a line, too. errc::too_long for a line that is longer: the call after that goes on with the line that
  // follows it. Other errors are the source's. Stop loses nothing.
  [[nodiscard]] async<std::optional<std::string_view>> read_line() {
    for (;;) {
      if (const auto line = take_line()) {
        if (std::exchange(skipping_, false)) continue;
        if (line->size() > longest_) co_return detail::fail(errc::too_long);
        co_return line;
      }
      if (end_ - begin_ > longest_ + 1) {  // one more, since a "\r" may belong to the end
        begin_ = searched_ = end_;
        if (!std::exchange(skipping_, true)) co_return detail::fail(errc::too_long);
      }
      if (!make_room()) co_return detail::fail(errc::out_of_memory);
      const std::span<char> room(memory_.get() + end_, capacity_ - end_);
      const std::size_t got = co_await !from_.read_some(std::as_writable_bytes(room));
      if (got == 0) co_return take_rest();
      end_ += got;
    }
  }

 private:
  std::optional<std::string_view> take_line() noexcept {
    if (searched_ == end_) return std::nullopt;
    const void* const newline = std::memchr(memory_.get() + searched_, '\n', end_ - searched_);
    if (newline == nullptr) {
      searched_ = end_;
      return std::nullopt;
    }
    const auto at = static_cast<std::size_t>(static_cast<const char*>(newline) - memory_.get());
    const std::string_view line(memory_.get() + begin_, at - begin_);
    begin_ = searched_ = at + 1;
    return without_return(line);
  }

  // At the end.
  result<std::optional<std::string_view>> take_rest() noexcept {
    const std::string_view line = without_return({memory_.get() + begin_, end_ - begin_});
    const bool is_one = begin_ != end_ && !std::exchange(skipping_, false);
    begin_ = searched_ = end_;
    if (!is_one) return std::nullopt;
    if (line.size() > longest_) return detail::fail(errc::too_long);
    return line;
  }

  static std::string_view without_return(std::string_view line) noexcept {
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
  }

  // What has not been taken goes to the front; false: there is no memory.
  bool make_room() noexcept {
    const std::size_t kept = end_ - begin_;
    if (kept == capacity_) {
      const std::size_t larger = std::max<std::size_t>(4096, 2 * capacity_);
      std::unique_ptr<char[]> grown(new (std::nothrow) char[larger]);
      if (grown == nullptr) return false;
      std::copy_n(memory_.get() + begin_, kept, grown.get());
      memory_ = std::move(grown);
      capacity_ = larger;
    } else {
      std::memmove(memory_.get(), memory_.get() + begin_, kept);
    }
    searched_ -= begin_;
    begin_ = 0;
    end_ = kept;
    return true;
  }

  Source& from_;
  std::size_t longest_;
  std::unique_ptr<char[]> memory_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;     // of what has not been taken
  std::size_t searched_ = 0;  // there is no "\n" from begin_ to here
  std::size_t end_ = 0;
  bool skipping_ = false;     // the line was too long, and its end has not come yet
};

}  // namespace cordage
