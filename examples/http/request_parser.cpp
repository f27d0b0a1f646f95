#include "request_parser.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace http {
namespace {

constexpr std::size_t small_buffer = 4096;
constexpr std::size_t large_buffer = 65536;  // one that is larger is not kept for the next request

// A byte of the body in a chunk of its own takes six: "1", its end of line, the byte, its end of line.
constexpr std::size_t most_bytes_for_one = 6;

bool equal_ignoring_case(std::string_view text, std::string_view lower) {
  return text.size() == lower.size() && std::ranges::equal(text, lower, {}, [](char c) {
           return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
         });
}

// False if there is something between the two.
bool extend(std::string_view& text, std::string_view piece) {
  if (text.empty()) {
    text = piece;
  } else if (text.data() + text.size() == piece.data()) {
    text = {text.data(), text.size() + piece.size()};
  } else {
    return piece.empty();
  }
  return true;
}

request_parser& parser_of(llhttp_t* machine) { return *static_cast<request_parser*>(machine->data); }

template <int (request_parser::*Function)(std::string_view)>
int with_text(llhttp_t* machine, const char* at, std::size_t length) {
  return (parser_of(machine).*Function)({at, length});
}

template <int (request_parser::*Function)()>
int without_text(llhttp_t* machine) {
  return (parser_of(machine).*Function)();
}

}  // namespace

const llhttp_settings_t request_parser::callbacks = [] {
  llhttp_settings_t made;
  llhttp_settings_init(&made);
  made.on_url = with_text<&request_parser::target_continues>;
  made.on_header_field = with_text<&request_parser::name_continues>;
  made.on_header_value = with_text<&request_parser::value_continues>;
  made.on_body = with_text<&request_parser::body_continues>;
  made.on_headers_complete = without_text<&request_parser::head_is_complete>;
  made.on_chunk_header = without_text<&request_parser::chunk_begins>;
  made.on_message_complete = without_text<&request_parser::request_is_complete>;
  return made;
}();

request_parser::request_parser(const limits& most)
    : most_(most), buffer_(std::make_unique_for_overwrite<char[]>(small_buffer)), capacity_(small_buffer), allowed_(most.header) {
  llhttp_init(&machine_, HTTP_REQUEST, &callbacks);
  machine_.data = this;
}

const request* request_parser::next() {
  if (whole_) forget_request();
  while (!ended_ && parsed_ != filled_) {
    feed(std::min(filled_ - parsed_, allowed_));
    if (whole_) return &request_;
  }
  if (in_body_) drop_what_is_parsed();
  return nullptr;
}

bool request_parser::takes_continue() noexcept {
  return std::exchange(expects_continue_, false) && in_body_ && request_.body.empty() && refusal_ == 0;
}

void request_parser::forget_request() noexcept {
  begin_ = parsed_;
  request_.target = request_.body = {};
  request_.fields.clear();
  allowed_ = most_.header;
  whole_ = in_body_ = value_has_begun_ = expects_continue_ = false;
  ended_ = !request_.keep_alive;
}

// Stops behind the head, if there is a body, and behind the request: these are where other limits begin.
void request_parser::feed(std::size_t count) {
  const char* const from = buffer_.get() + parsed_;
  const llhttp_errno_t code = llhttp_execute(&machine_, from, count);
  const auto taken = code == HPE_OK ? count : static_cast<std::size_t>(llhttp_get_error_pos(&machine_) - from);
  parsed_ += taken;
  allowed_ -= taken;
  if (code == HPE_PAUSED) {
    llhttp_resume(&machine_);
    if (!whole_) body_begins();
  } else if (code != HPE_OK) {
    refuse(status_for(code));
  } else if (allowed_ == 0) {
    refuse(in_body_ ? 413 : request_.fields.empty() ? 414 : 431);
  }
}

void request_parser::body_begins() noexcept {
  in_body_ = true;
  request_.body = {buffer_.get() + parsed_, 0};
  allowed_ = most_.header + most_bytes_for_one * most_.body;
}

// What transports the body is of no use any more, so the buffer holds no more of it than the head and the body.
void request_parser::drop_what_is_parsed() noexcept {
  parsed_ = filled_ = static_cast<std::size_t>(request_.body.data() + request_.body.size() - buffer_.get());
}

std::span<std::byte> request_parser::room() {
  if (whole_) forget_request();
  if (begin_ == filled_ || ended_) begin_ = parsed_ = filled_ = 0;
  if (filled_ == 0 && capacity_ > large_buffer) {
    move_to(std::make_unique_for_overwrite<char[]>(small_buffer), small_buffer);
  } else if (filled_ == capacity_) {
    const std::size_t wanted = begin_ > capacity_ / 2 ? capacity_ : std::min(2 * capacity_, most_.header + most_.body + small_buffer);
    move_to(std::make_unique_for_overwrite<char[]>(wanted), wanted);
  }
  return std::as_writable_bytes(std::span(buffer_.get() + filled_, capacity_ - filled_));
}

// Views of the request move with it.
void request_parser::move_to(std::unique_ptr<char[]> buffer, std::size_t capacity) {
  const char* const old = buffer_.get() + begin_;
  std::memcpy(buffer.get(), old, filled_ - begin_);
  const auto moved = [&](std::string_view text) {
    return text.data() == nullptr ? text : std::string_view(buffer.get() + (text.data() - old), text.size());
  };
  request_.target = moved(request_.target);
  request_.body = moved(request_.body);
  for (field& each : request_.fields) each = {moved(each.name), moved(each.value)};
  parsed_ -= begin_;
  filled_ -= begin_;
  begin_ = 0;
  buffer_ = std::move(buffer);
  capacity_ = capacity;
}

int request_parser::target_continues(std::string_view piece) {
  extend(request_.target, piece);
  return 0;
}

// Fields behind a body in chunks are skipped.
int request_parser::name_continues(std::string_view piece) {
  if (in_body_) return 0;
  if (request_.fields.empty() || value_has_begun_) request_.fields.emplace_back();
  value_has_begun_ = false;
  extend(request_.fields.back().name, piece);
  return 0;
}

// A value that goes on in the next line is of the past: RFC 9112, 5.2.
int request_parser::value_continues(std::string_view piece) {
  if (in_body_) return 0;
  value_has_begun_ = true;
  return extend(request_.fields.back().value, piece) ? 0 : refuse(400);
}

int request_parser::body_continues(std::string_view piece) {
  char* const end = buffer_.get() + (request_.body.data() - buffer_.get()) + request_.body.size();
  if (end != piece.data()) std::memmove(end, piece.data(), piece.size());
  request_.body = {request_.body.data(), request_.body.size() + piece.size()};
  return 0;
}

int request_parser::head_is_complete() {
  if (machine_.http_major != 1) return refuse(505);
  const auto method = static_cast<llhttp_method_t>(machine_.method);
  if (method == HTTP_CONNECT) return refuse(501);
  request_.method = llhttp_method_name(method);
  request_.is_http_1_0 = machine_.http_minor == 0;
  machine_.upgrade = 0;                                  // a wish that may be ignored
  if (check_fields() != 0) return -1;
  const bool in_chunks = (machine_.flags & F_CHUNKED) != 0;
  if (!in_chunks && machine_.content_length > most_.body) return refuse(413);
  return in_chunks || machine_.content_length > 0 ? HPE_PAUSED : 0;
}

int request_parser::check_fields() {
  int hosts = 0;
  for (field& each : request_.fields) {
    each.value = each.value.substr(0, each.value.find_last_not_of(" \t") + 1);
    if (equal_ignoring_case(each.name, "host")) {
      ++hosts;
    } else if (equal_ignoring_case(each.name, "expect")) {
      expects_continue_ = !request_.is_http_1_0 && equal_ignoring_case(each.value, "100-continue");
    } else if (equal_ignoring_case(each.name, "transfer-encoding") && !equal_ignoring_case(each.value, "chunked")) {
      return refuse(501);
    }
  }
  return hosts == 1 || (hosts == 0 && request_.is_http_1_0) ? 0 : refuse(400);
}

int request_parser::chunk_begins() {
  return machine_.content_length > most_.body - request_.body.size() ? refuse(413) : 0;
}

int request_parser::request_is_complete() {
  whole_ = true;
  request_.keep_alive = llhttp_should_keep_alive(&machine_) != 0;
  return HPE_PAUSED;
}

// What the callbacks give to make llhttp stop. The first reason counts.
int request_parser::refuse(int status) noexcept {
  if (refusal_ == 0) refusal_ = status;
  ended_ = true;
  return -1;
}

int request_parser::status_for(llhttp_errno_t code) const noexcept {
  const std::string_view seen(buffer_.get() + begin_, parsed_ - begin_);
  const std::size_t first = seen.find_first_not_of("\r\n");
  const bool could_be_method = first != seen.npos && seen[first] >= 'A' && seen[first] <= 'Z';
  if (code == HPE_INVALID_METHOD && could_be_method) return 501;
  if (code == HPE_INVALID_VERSION || code == HPE_PAUSED_H2_UPGRADE) return 505;
  return 400;
}

}  // namespace http
