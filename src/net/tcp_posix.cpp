#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>

#include <cordage/serve.hpp>
#include <cordage/tcp.hpp>

#include "io/socket_calls.hpp"
#include "net/socket_address_posix.hpp"

namespace cordage::tcp {
namespace {

using cordage::detail::fail;
using cordage::detail::file_descriptor;
using cordage::detail::socket_address;

std::error_code last_error() noexcept { return {errno, std::system_category()}; }

result<> done(int answer) noexcept {
  if (answer < 0) return fail(last_error());
  return {};
}

int set_flag(int socket, int level, int name, bool on) noexcept {
  const int value = on;
  return ::setsockopt(socket, level, name, &value, sizeof value);
}

using address_call = int (*)(int, sockaddr*, socklen_t*);

result<endpoint> ask(const detail::descriptor* of, address_call call) noexcept {
  if (of == nullptr) return fail(errc::closed);
  socket_address address;
  if (call(of->fd.get(), address.data(), &address.size()) < 0) return fail(last_error());
  return address.to_endpoint();
}

}  // namespace

result<> stream::shutdown_send() noexcept {
  if (!descriptor_) return fail(errc::closed);
  return done(::shutdown(descriptor_->fd.get(), SHUT_WR));
}

result<> stream::shutdown_receive() noexcept {
  if (!descriptor_) return fail(errc::closed);
  return detail::end_of_receiving(*descriptor_);
}

result<> stream::set_no_delay(bool at_once) noexcept {
  if (!descriptor_) return fail(errc::closed);
  return done(set_flag(descriptor_->fd.get(), IPPROTO_TCP, TCP_NODELAY, at_once));
}

result<endpoint> stream::local() const noexcept { return ask(descriptor_.get(), ::getsockname); }
result<endpoint> stream::remote() const noexcept {
  if (!descriptor_) return fail(errc::closed);
  return descriptor_->leads_to.address;
}

async<> stream::finish(std::size_t most) {
  if (const result<> sent = shutdown_send(); !sent) co_return fail(sent.error());
  std::array<std::byte, 4096> dropped;
  for (std::size_t heard = 0; heard < most;) {
    const std::size_t n = co_await !read_some(dropped);
    if (n == 0) break;
    heard += n;
  }
  co_return {};
}

result<listener> listener::bind(const endpoint& where, const listen_options& options) {
  socket_address address(where);
  file_descriptor socket(cordage::detail::open_stream_socket(address.family()));
  if (!socket) return fail(last_error());
  if (set_flag(socket.get(), SOL_SOCKET, SO_REUSEADDR, options.reuse_address) < 0) return fail(last_error());
  // Accepted connections inherit it, which saves a system call for each.
  if (set_flag(socket.get(), IPPROTO_TCP, TCP_NODELAY, options.no_delay) < 0) return fail(last_error());
  if (::bind(socket.get(), address.data(), address.size()) < 0) return fail(last_error());
  if (::listen(socket.get(), options.backlog) < 0) return fail(last_error());
  auto listening = std::make_unique<detail::descriptor>(std::move(socket));
  const auto local = ask(listening.get(), ::getsockname);
  if (!local) return fail(local.error());
  return listener(std::move(listening), *local);
}

namespace detail {

result<> shut_down(descriptor& connection) noexcept { return done(::shutdown(connection.fd.get(), SHUT_RDWR)); }
result<> end_of_receiving(descriptor& connection) noexcept { return done(::shutdown(connection.fd.get(), SHUT_RD)); }

result<stream> accept_operation::get() {
  if (io_.failure != error{}) return fail(io_.failure);
  const socket_address from(address_);
  file_descriptor accepted(std::exchange(io_.accepted, -1));
  return stream(std::make_unique<descriptor>(std::move(accepted), destination{from.to_endpoint()}));
}

result<listener> bind_text(std::string_view where) {
  const auto parsed = endpoint::parse(where);
  if (!parsed) return fail(parsed.error());
  return listener::bind(*parsed);
}

connect_operation::connect_operation(const result<endpoint>& to) noexcept
    : io_wait(io_operation(io_kind::connect, nullptr)) {
  if (to) {
    leads_to_.address = *to;
  } else {
    io_.failure = to.error();
  }
}

// Begins the attempt; true if it has ended already. Asked again, it is looked at again.
bool connect_operation::ready() noexcept {
  if (io_.failure != error{}) return true;
  return descriptor_ != nullptr ? attempt_if_ready(io_) : begin();
}

bool connect_operation::begin() noexcept {
  socket_address address(leads_to_.address);
  file_descriptor socket(cordage::detail::open_stream_socket(address.family()));
  if (!socket || set_flag(socket.get(), IPPROTO_TCP, TCP_NODELAY, true) < 0) {
    io_.failure = last_error();
    return true;
  }
  const int answer = ::connect(socket.get(), address.data(), address.size());
  // An interrupted attempt goes on in the background, like one that was not waited for.
  const bool under_way = answer < 0 && (errno == EINPROGRESS || errno == EINTR);
  if (answer < 0 && !under_way) {
    io_.failure = last_error();
    return true;
  }
  descriptor_ = std::make_unique<descriptor>(std::move(socket), leads_to_);
  io_.on = descriptor_.get();
  descriptor_->writable = !under_way;
  return !under_way;
}

result<stream> connect_operation::get() {
  if (io_.failure != error{}) return fail(io_.failure);
  return stream(std::move(descriptor_));
}

}  // namespace detail
}  // namespace cordage::tcp
