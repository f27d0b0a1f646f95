// A chat server: who connects gives a name, and each line is sent to all others. Try it with `nc 127.0.0.1 7008`.
//
// Nobody is held up by who reads slowly: a broadcast keeps the newest messages, and a member that is further behind is
// told and dropped. SIGINT or SIGTERM drains the server: it accepts nobody, and each member leaves when the lines that had
// arrived from it are said. A second signal ends it at once. SIGUSR1 makes it say, on standard error, what each member
// waits for.
#include <algorithm>
#include <cctype>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <cordage/cordage.hpp>

#include "support/command_line.hpp"
#include "support/serve_until.hpp"

namespace {

using namespace std::chrono_literals;

constexpr std::size_t longest_line = 1000;
constexpr std::size_t longest_name = 32;

struct options {
  std::string listen = "127.0.0.1:7008";
  std::size_t backlog = 256;                // so many messages a member may be behind
  std::chrono::milliseconds patience = 5s;  // for those who leave to take what was said before
};

// [room]
struct message {
  std::uint64_t from;                       // the number of a member, 0 for the server
  std::string text;
};
using shared_message = std::shared_ptr<const message>;

struct room {
  explicit room(const options& asked) : how(asked), news(asked.backlog) {}

  shared_message say(std::uint64_t from, std::string text) {
    auto said = std::make_shared<const message>(from, std::move(text));
    news.send(said);                        // never waits, whoever is slow
    return said;
  }

  const options& how;
  cordage::broadcast<shared_message> news;
  std::set<std::string, std::less<>> names;
  std::uint64_t connections = 0;
  std::uint64_t lines = 0;
};
// [/room]

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

// What a peer sends could steer the terminals of others.
std::string printable(std::string line) {
  std::ranges::replace_if(line, [](unsigned char c) { return c < ' ' || c == 0x7f; }, '?');
  return line;
}

bool is_name(std::string_view text) {
  const auto belongs_in_names = [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_' || c >= 0x80; };
  return !text.empty() && text.size() <= longest_name && std::ranges::all_of(text, belongs_in_names);
}

class member {
 public:
  member(room& in, cordage::tcp::stream peer) : room_(in), peer_(std::move(peer)) {}
  member(const member&) = delete;
  ~member() { leave("has left"); }

  cordage::task<> stay();

 private:
  cordage::async<> talk();
  cordage::async<std::string> next_line();
  cordage::async<> choose_name();
  cordage::async<> hear();
  cordage::async<> tell();
  cordage::async<> fall_behind();
  cordage::async<> part(std::error_code why);
  void enter(const std::string& name);
  void leave(const std::string& how);

  room& room_;
  cordage::tcp::stream peer_;
  const std::uint64_t number_ = ++room_.connections;
  cordage::buffered_reader<cordage::tcp::stream> lines_{peer_, longest_line};
  cordage::broadcast<shared_message>::receiver news_ = room_.news.subscribe();
  std::string name_;                        // empty while it is not in the room
  std::string unsent_;
  shared_message last_words_;               // that it has left, once it has
};

// [member]
cordage::task<> member::stay() {
  const cordage::result<> ended = co_await talk();            // always by some error
  (void)co_await cordage::with_timeout(room_.how.patience, part(ended.error()));
}

cordage::async<> member::talk() {
  co_await !choose_name();
  co_return co_await cordage::expect<0>(cordage::when_any(hear(), tell()));    // the first to end ends the other
}

cordage::async<std::string> member::next_line() {
  const auto line = co_await !lines_.read_line();
  if (!line) co_return std::unexpected(cordage::errc::end_of_stream);
  co_return printable(std::string(*line));
}

// From the peer to all others.
cordage::async<> member::hear() {
  for (;;) {
    const std::string line = co_await !next_line();
    ++room_.lines;
    room_.say(number_, name_ + ": " + line + '\n');
    co_await cordage::yield_now();          // however much it says: everybody can take each line before the next
  }
}

// From all others to the peer, up to its own last words.
cordage::async<> member::tell() {
  for (;;) {
    while (!unsent_.empty()) {
      const std::size_t n = co_await !cordage::when_any(peer_.write_some(bytes_of(unsent_)), fall_behind());
      unsent_.erase(0, n);
    }
    const shared_message next = co_await !news_.receive();    // errc::lagged if it has missed some
    if (next == last_words_) co_return {};
    if (next->from != number_) unsent_ = next->text;
  }
}

// Who waits for room to write does not receive, and so would never learn that it lags. This does, by a receiver of its own.
cordage::async<> member::fall_behind() {
  auto from_now_on = room_.news.subscribe();
  for (std::size_t missed = 0; missed < room_.how.backlog; ++missed) co_await !from_now_on.receive();
  co_return std::unexpected(cordage::errc::lagged);
}
// [/member]

cordage::async<> member::choose_name() {
  std::string_view question = "* what is your name?\n";
  for (;;) {
    co_await !peer_.write_all(bytes_of(question));
    const std::string name = co_await !next_line();
    if (!is_name(name)) {
      question = "* a name is 1 to 32 letters, digits, - and _; what is yours?\n";
    } else if (room_.names.contains(name)) {
      question = "* somebody here has that name; what is yours?\n";
    } else {
      enter(name);
      co_return {};
    }
  }
}

void member::enter(const std::string& name) {
  unsent_ = "* welcome, " + name + "; here are:";
  for (const std::string& other : room_.names) unsent_ += ' ' + other;
  unsent_ += room_.names.empty() ? " nobody else\n" : "\n";
  room_.names.insert(name_ = name);
  news_ = room_.news.subscribe();
  room_.say(number_, "* " + name_ + " has joined\n");
}

void member::leave(const std::string& how) {
  if (name_.empty()) return;
  room_.names.erase(name_);
  last_words_ = room_.say(number_, "* " + std::exchange(name_, {}) + ' ' + how + '\n');
}

// Tells the others, and the peer as far as it can still be told.
cordage::async<> member::part(std::error_code why) {
  std::string goodbye;
  if (why == cordage::errc::lagged) {
    leave("was dropped: it reads too slowly");
    goodbye = "* you read too slowly and have missed messages; goodbye\n";
  } else {
    if (why == cordage::errc::too_long) {
      leave("was dropped: its line is too long");
      goodbye = "* a line has at most " + std::to_string(longest_line) + " bytes; goodbye\n";
    }
    leave("has left");
    if (last_words_ != nullptr) co_await !tell();             // what was said before
  }
  unsent_ += goodbye;
  co_await !peer_.write_all(bytes_of(unsent_));
  co_await !peer_.finish();
  co_return {};
}

constexpr const char* usage =
    "usage: chat_server [--help] [--listen ADDRESS:PORT] [--backlog N] [--patience TIME]\n"
    "  --listen ADDRESS:PORT  where to listen, in numbers; port 0 for any (127.0.0.1:7008)\n"
    "  --backlog N            who is so many messages behind is dropped (256)\n"
    "  --patience TIME        how long who leaves, or is dropped, may take to read the rest, as 500ms or 10s (5s)\n"
    "SIGINT and SIGTERM drain it; SIGUSR1 writes to standard error what each of its strands waits for.\n";

options parse(int argc, char** argv) {
  options asked;
  support::take_only_options(argc, argv, {{"listen", support::into(asked.listen)},
                                          {"backlog", support::into<std::size_t>(asked.backlog, 1, 1'000'000)},
                                          {"patience", support::into(asked.patience)}});
  return asked;
}

// [serve]
cordage::task<> until_signal(support::end_signal& end, room& here) {
  co_await end.wait();
  here.say(0, "* the server is shutting down\n");
}

cordage::task<> serve(cordage::tcp::listener listener, room& here, support::end_signal& end) {
  auto welcome = [&here](cordage::tcp::stream peer) -> cordage::task<> {
    member guest(here, std::move(peer));
    co_await guest.stay();
  };
  return support::serve_until(until_signal(end, here), std::move(listener), welcome, {.drain_for = here.how.patience});
}
// [/serve]

}  // namespace

int main(int argc, char** argv) {
  return support::run_program("chat_server", usage, [&] {
    const options asked = parse(argc, argv);
    auto listener = support::listen(asked.listen);
    room here(asked);
    cordage::runtime runtime({.dump_signal = SIGUSR1});
    support::end_signal end;
    std::printf("listening on %s (backlog %zu)\n", to_string(listener.local()).c_str(), asked.backlog);
    std::fflush(stdout);
    runtime.run(serve(std::move(listener), here, end));
    std::printf("served %llu connections, %llu lines\n", static_cast<unsigned long long>(here.connections),
                static_cast<unsigned long long>(here.lines));
    return 0;
  });
}
