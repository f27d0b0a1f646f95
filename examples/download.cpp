// download HOST:PORT PATH…: fetches several paths of a server and counts what arrives, in four ways.
//
// The idea is that of chapter 9.4 of Programming in Lua, "Non-Preemptive Multithreading": one after another, waiting for
// each; then by a dispatcher of coroutines, which is busy all the time; then by one that sleeps while nothing has arrived.
// The fourth way is what this library is for: strands on its event loop. Only that one can also ask several mirrors.
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <expected>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <cordage/cordage.hpp>

#include "support/command_line.hpp"

namespace {

using namespace std::chrono_literals;
using time_point = std::chrono::steady_clock::time_point;
using received = cordage::result<std::size_t>;  // so many bytes, headers included; or what failed

struct way;

struct options {
  const way* how = nullptr;
  std::optional<support::style> style;
  std::chrono::milliseconds timeout = 30s;   // for each download
  std::vector<cordage::endpoint> servers;    // one, or several that have the same
  std::vector<std::string> paths;
};

constexpr std::size_t piece = 16384;         // as many bytes are read at a time

std::string request_for(const cordage::endpoint& server, const std::string& path) {
  return "GET " + path + " HTTP/1.0\r\nHost: " + to_string(server) + "\r\n\r\n";
}

// A socket of the system's, for the ways that do not use the library's.
class plain_socket {
 public:
  plain_socket(const cordage::endpoint& to, bool blocks) : fd(::socket(family_of(to), SOCK_STREAM, 0)) {
    if (fd < 0) throw std::system_error(errno, std::system_category());
    if (!blocks) ::fcntl(fd, F_SETFL, O_NONBLOCK);
    if (family_of(to) == AF_INET) {
      address_.v4.sin_family = AF_INET;
      address_.v4.sin_port = htons(to.port());
      std::memcpy(&address_.v4.sin_addr, to.address().data(), sizeof address_.v4.sin_addr);
      length_ = sizeof address_.v4;
    } else {
      address_.v6.sin6_family = AF_INET6;
      address_.v6.sin6_port = htons(to.port());
      address_.v6.sin6_scope_id = to.scope();
      std::memcpy(&address_.v6.sin6_addr, to.address().data(), sizeof address_.v6.sin6_addr);
    }
  }
  plain_socket(const plain_socket&) = delete;
  ~plain_socket() { ::close(fd); }

  int connect() const { return ::connect(fd, &address_.any, length_); }

  const int fd;

 private:
  static int family_of(const cordage::endpoint& to) {
    return to.family() == cordage::address_family::ipv4 ? AF_INET : AF_INET6;
  }

  union {
    sockaddr_in6 v6;
    sockaddr_in v4;
    sockaddr any;
  } address_{};
  socklen_t length_ = sizeof address_.v6;
};

// [download]
// What a call of the system's does that has to wait for the socket is up to the way: it blocks, or it takes turns.
template <class Waits>
std::size_t download(const cordage::endpoint& server, const std::string& path, const Waits& done) {
  const plain_socket peer(server, Waits::blocks);
  done(peer.fd, POLLOUT, [&] { return peer.connect(); });
  const std::string request = request_for(server, path);
  for (std::string_view rest = request; !rest.empty();)
    rest.remove_prefix(done(peer.fd, POLLOUT, [&] { return ::send(peer.fd, rest.data(), rest.size(), MSG_NOSIGNAL); }));
  std::size_t bytes = 0;
  std::array<char, piece> buffer;
  while (const auto n = done(peer.fd, POLLIN, [&] { return ::recv(peer.fd, buffer.data(), buffer.size(), 0); })) bytes += n;
  return bytes;
}
// [/download]

// Of a call of the system's that has failed, or comes too late.
[[noreturn]] void fail(std::error_code why) { throw std::system_error(why); }
[[noreturn]] void fail_with_errno() { fail({errno, std::system_category()}); }

std::chrono::nanoseconds left_until(time_point deadline) {
  const auto left = deadline - std::chrono::steady_clock::now();
  if (left <= 0ns) fail(cordage::errc::timed_out);
  return left;
}

template <class Waits>
received attempt(const cordage::endpoint& server, const std::string& path, const Waits& waits) {
  try {
    return download(server, path, waits);
  } catch (const std::system_error& failed) {
    return std::unexpected(failed.code());
  }
}

// [blocking]
struct waits_by_blocking {
  static constexpr bool blocks = true;
  time_point deadline;

  template <class Call>
  std::size_t operator()(int fd, short, Call call) const {
    for (;;) {
      const auto left = std::chrono::ceil<std::chrono::microseconds>(left_until(deadline)).count();
      const timeval longest{.tv_sec = left / 1'000'000, .tv_usec = static_cast<suseconds_t>(left % 1'000'000)};
      for (const int side : {SO_RCVTIMEO, SO_SNDTIMEO}) ::setsockopt(fd, SOL_SOCKET, side, &longest, sizeof longest);
      if (const auto n = call(); n >= 0) return static_cast<std::size_t>(n);
      if (errno == EAGAIN || errno == EINPROGRESS) fail(cordage::errc::timed_out);   // the latter of connect
      if (errno != EINTR) fail_with_errno();
    }
  }
};

std::vector<received> one_after_another(const options& asked) {
  std::vector<received> all;
  for (const std::string& path : asked.paths) {
    const waits_by_blocking waits{std::chrono::steady_clock::now() + asked.timeout};
    all.push_back(attempt(asked.servers.front(), path, waits));
  }
  return all;
}
// [/blocking]

// [turns]
struct waits_by_turns {
  static constexpr bool blocks = false;
  time_point deadline;

  template <class Call>
  std::size_t operator()(int fd, short events, Call call) const {
    for (;;) {
      (void)left_until(deadline);
      if (const auto n = call(); n >= 0) return static_cast<std::size_t>(n);
      if (errno != EAGAIN && errno != EINPROGRESS && errno != EALREADY && errno != EINTR) fail_with_errno();
      cordage::this_coroutine::yield(pollfd{.fd = fd, .events = events, .revents = 0});
    }
  }
};

using downloads = std::vector<cordage::coroutine<pollfd>>;   // each yields what it waits for, until it has ended

// Goes on with each of them as far as it gets. What they wait for then; nothing when all have ended.
std::vector<pollfd> resume_all(downloads& all) {
  std::vector<pollfd> waits;
  for (auto each = all.begin(); each != all.end();) {
    if (const auto wait = each->resume()) {
      waits.push_back(*wait);
      ++each;
    } else {
      each = all.erase(each);
    }
  }
  return waits;
}

void dispatch_busily(downloads& all, time_point) {
  while (!resume_all(all).empty()) {
  }
}

void dispatch_by_poll(downloads& all, time_point deadline) {
  for (auto waits = resume_all(all); !waits.empty(); waits = resume_all(all)) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    ::poll(waits.data(), waits.size(), static_cast<int>(std::clamp<std::int64_t>(left, 0, std::numeric_limits<int>::max())));
  }
}

template <void (*dispatch)(downloads&, time_point)>
std::vector<received> in_turns(const options& asked) {
  const waits_by_turns waits{std::chrono::steady_clock::now() + asked.timeout};
  std::vector<received> results(asked.paths.size());
  downloads all;
  for (std::size_t i = 0; i < results.size(); ++i)
    all.emplace_back([&, i] { results[i] = attempt(asked.servers.front(), asked.paths[i], waits); });
  dispatch(all, waits.deadline);
  return results;
}
// [/turns]

// [task]
cordage::async<std::size_t> download_task(const cordage::endpoint& server, const std::string& path) {
  auto peer = co_await !cordage::tcp::connect(server);
  const std::string request = request_for(server, path);
  co_await !peer.write_all(std::as_bytes(std::span(request)));
  std::size_t bytes = 0;
  std::array<std::byte, piece> buffer;
  while (const std::size_t n = co_await !peer.read_some(buffer)) bytes += n;
  co_return bytes;
}
// [/task]

// [fiber]
received download_fiber(const cordage::endpoint& server, const std::string& path) {
  auto peer = cordage::await(!cordage::tcp::connect(server));
  const std::string request = request_for(server, path);
  cordage::await(!peer.write_all(std::as_bytes(std::span(request))));
  std::size_t bytes = 0;
  std::array<std::byte, piece> buffer;
  while (const std::size_t n = cordage::await(!peer.read_some(buffer))) bytes += n;
  return bytes;
}
// [/fiber]

// [mirrors]
struct answer {
  cordage::tcp::stream from;
  std::size_t bytes;                         // that have arrived already
};

cordage::async<answer> first_bytes(const cordage::endpoint& mirror, const std::string& path) {
  auto peer = co_await !cordage::tcp::connect(mirror);
  const std::string request = request_for(mirror, path);
  co_await !peer.write_all(std::as_bytes(std::span(request)));
  std::array<std::byte, piece> buffer;
  const std::size_t n = co_await !peer.read_some(buffer);
  if (n == 0) co_return std::unexpected(cordage::errc::end_of_stream);
  co_return answer(std::move(peer), n);
}

// One that fails must not win while others may still answer: it waits to be stopped. The last one ends the race.
cordage::async<answer> unless_it_fails(const cordage::endpoint& mirror, const std::string& path, std::size_t& in_the_race) {
  auto answered = co_await first_bytes(mirror, path);
  if (!answered && --in_the_race > 0) co_await cordage::stopped();
  co_return answered;
}

cordage::async<std::size_t> download_from_any(const std::vector<cordage::endpoint>& mirrors, const std::string& path) {
  std::size_t in_the_race = mirrors.size();
  std::vector<cordage::async<answer>> all;
  for (const cordage::endpoint& mirror : mirrors) all.push_back(unless_it_fails(mirror, path, in_the_race));
  auto answers = co_await cordage::when_any(std::move(all));    // the others are stopped, their connections closed
  const auto first = std::ranges::find_if(answers, [](const auto& each) { return each.has_value(); });
  cordage::result<answer>& best = **first;
  if (!best) co_return std::unexpected(best.error());           // the last to fail
  std::array<std::byte, piece> buffer;
  while (const std::size_t n = co_await !best->from.read_some(buffer)) best->bytes += n;
  co_return best->bytes;
}
// [/mirrors]

// [strands]
cordage::async<std::size_t> fetch_task(const options& asked, const std::string& path) {
  const bool races = asked.servers.size() > 1;
  return races ? download_from_any(asked.servers, path) : download_task(asked.servers.front(), path);
}
received fetch_fiber(const options& asked, const std::string& path) {
  if (asked.servers.size() > 1) return cordage::await(download_from_any(asked.servers, path));
  return download_fiber(asked.servers.front(), path);
}

template <class Download>
cordage::async<std::size_t> in_time(std::chrono::milliseconds timeout, Download download) {
  co_return co_await cordage::with_timeout(timeout, std::move(download));
}

cordage::task<std::vector<received>> all_at_once(const options& asked) {
  std::vector<cordage::async<std::size_t>> all;
  for (const std::string& path : asked.paths) {
    if (asked.style == support::style::fiber) {
      all.push_back(in_time(asked.timeout, cordage::fiber{fetch_fiber, std::cref(asked), std::cref(path)}));
    } else {
      all.push_back(in_time(asked.timeout, fetch_task(asked, path)));
    }
  }
  co_return co_await cordage::when_all(std::move(all));
}

std::vector<received> on_strands(const options& asked) { return cordage::run(all_at_once(asked)); }
// [/strands]

struct way {
  const char* name;
  std::vector<received> (*download_all)(const options&);
};
constexpr std::array ways{way{"strands", on_strands}, way{"select", in_turns<dispatch_by_poll>},
                          way{"dispatcher", in_turns<dispatch_busily>}, way{"blocking", one_after_another}};
constexpr const way& strands = ways.front();

std::string reason(const received& failed) {
  if (failed || failed.error() == cordage::errc::end_of_stream) return "the connection was closed without an answer";
  return failed.error().message();
}

// The exit status.
int report(const options& asked, std::span<const received> results) {
  std::size_t total = 0;
  int status = 0;
  for (std::size_t i = 0; i < results.size(); ++i) {
    const char* const path = asked.paths[i].c_str();
    if (results[i].value_or(0) > 0) {
      total += *results[i];
      std::printf("%s  %zu bytes\n", path, *results[i]);
    } else {
      std::fprintf(stderr, "%s: %s\n", path, reason(results[i]).c_str());
      status = 1;
    }
  }
  std::printf("total  %zu bytes received, headers included\n", total);
  return status;
}

constexpr const char* usage =
    "usage: download [--help] [--way WAY] [--style task|fiber] [--timeout TIME] [--mirror HOST:PORT]... HOST:PORT PATH...\n"
    "  HOST:PORT           the server, in numbers, as 127.0.0.1:80 or [::1]:80\n"
    "  PATH                what to ask it for, as /index.html\n"
    "  --way WAY           blocking: one after another; dispatcher: coroutines in turn, always busy; select: the same, but\n"
    "                      asleep while nothing arrives; strands: on the event loop (strands)\n"
    "  --style S           what the strands are: task or fiber (task)\n"
    "  --timeout TIME      how long each download may take, as 500ms, 30s or 2m (30s)\n"
    "  --mirror HOST:PORT  another server that has the same, for --way strands; each path is read from the first to answer\n";

constexpr const char* in_numbers = "is an address in numbers, as 127.0.0.1:80 or [::1]:80 (names are not looked up)";

void take_way(const way*& into, std::string_view name) {
  const auto found = std::ranges::find(ways, name, [](const way& each) { return std::string_view(each.name); });
  if (found == ways.end()) throw support::usage_error("is blocking, dispatcher, select or strands");
  into = &*found;
}

void take_server(std::vector<cordage::endpoint>& into, std::string_view text) {
  const auto parsed = cordage::endpoint::parse(text);
  if (!parsed) throw support::usage_error(in_numbers);
  into.push_back(*parsed);
}

bool is_path(std::string_view text) {
  return text.starts_with('/') && std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

options parse(int argc, char** argv) {
  options asked;
  asked.how = &strands;
  support::style style{};
  const auto words = support::take_options(
      argc, argv,
      {{"way", [&](std::string_view text) { take_way(asked.how, text); }},
       {"style", [&](std::string_view text) { support::into(style)(text), asked.style = style; }},
       {"timeout", support::into(asked.timeout)},
       {"mirror", [&](std::string_view text) { take_server(asked.servers, text); }}});
  if (words.size() < 2) throw support::usage_error("give it a server and what to ask for: HOST:PORT PATH...");
  const auto server = cordage::endpoint::parse(words[0]);
  if (!server) throw support::usage_error(std::string("HOST:PORT ") + in_numbers + ", not " + support::quoted(words[0]));
  asked.servers.insert(asked.servers.begin(), *server);
  for (const std::string_view path : words.subspan(1)) {
    if (!is_path(path))
      throw support::usage_error("a PATH begins with / and has no spaces, as /a%20b.html, not " + support::quoted(path));
    asked.paths.emplace_back(path);
  }
  const bool on_strands = asked.how == &strands;
  if (asked.servers.size() > 1 && !on_strands) throw support::usage_error("--mirror is for --way strands only");
  if (asked.style && !on_strands) throw support::usage_error("--style is for --way strands only");
  return asked;
}

}  // namespace

int main(int argc, char** argv) {
  return support::run_program("download", usage, [&] {
    const options asked = parse(argc, argv);
    const auto begun = std::chrono::steady_clock::now();
    const std::clock_t spent_before = std::clock();
    const int status = report(asked, asked.how->download_all(asked));
    const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begun;
    const double processor = static_cast<double>(std::clock() - spent_before) / CLOCKS_PER_SEC;
    std::printf("by %s: %.3f s, and %.3f s of processor time\n", asked.how->name, wall.count(), processor);
    return status;
  });
}
