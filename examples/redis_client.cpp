// redis_client: commands, one on each line of standard input, for a redis server, by way of hiredis: a library of C that knows
// callbacks, in an event loop that it does not know.
//
// All commands share one connection and are under way at the same time. One that takes longer than its time is no longer
// waited for; the connection stays usable, and its answer, when it comes, goes nowhere.
#include <hiredis/async.h>
#include <hiredis/hiredis.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <new>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <cordage/cordage.hpp>

#include "support/command_line.hpp"

namespace {

using namespace std::chrono_literals;

constexpr std::size_t most_under_way = 64;
constexpr std::size_t longest_line = 65536;

struct options {
  std::string server = "127.0.0.1:6379";
  std::chrono::milliseconds timeout = 10s;
  support::style style = support::style::task;
};

constexpr const char* usage =
    "usage: redis_client [--help] [--server ADDRESS:PORT] [--timeout TIME] [--style task|fiber] < COMMANDS\n"
    "  --server ADDRESS:PORT  in numbers (127.0.0.1:6379)\n"
    "  --timeout TIME         how long each command may take, as 500ms or 10s (10s)\n"
    "  --style S              what waits for each answer: a task or a fiber (task)\n"
    "Each line of standard input is a command, its words separated by blanks. The exit status is 1 if any was not answered.\n";

using words = std::vector<std::string>;

// An answer as text; hiredis frees its own when the callback returns.
std::string text_of(const redisReply& answer) {
  const std::string_view text(answer.str, answer.str == nullptr ? 0 : answer.len);
  switch (answer.type) {
    case REDIS_REPLY_STRING: return support::quoted(text);
    case REDIS_REPLY_INTEGER: return std::to_string(answer.integer);
    case REDIS_REPLY_NIL: return "nothing";
    case REDIS_REPLY_ERROR: return "error: " + std::string(text);
    case REDIS_REPLY_ARRAY: break;
    default: return std::string(text);
  }
  std::string all;
  for (std::size_t i = 0; i < answer.elements; ++i) all += (i == 0 ? "" : ", ") + text_of(*answer.element[i]);
  return '[' + all + ']';
}

// A connection: hiredis' part is its context, which frees itself when the connection is lost; ours is to tell it when its
// socket is ready. Commands are of strands on the thread that drives it.
class redis {
 public:
  redis(const std::string& address, int port) : context_(redisAsyncConnect(address.c_str(), port)) {
    if (context_ == nullptr) throw std::bad_alloc();
    if (context_->err != 0) {
      lost_ = context_->errstr;
      redisAsyncFree(std::exchange(context_, nullptr));
      throw std::runtime_error(lost_);
    }
    attach();
  }
  redis(const redis&) = delete;
  ~redis() {
    if (context_ != nullptr) redisAsyncFree(context_);           // answers every command with an error
  }

  // [command]
  // Of a command that has one answer: a suspension is taken back once.
  auto command(const words& what) {
    auto ask = [this, &what](cordage::suspension<std::string> waiter) {
      std::vector<const char*> texts;
      std::vector<std::size_t> lengths;
      for (const std::string& word : what) {
        texts.push_back(word.data());
        lengths.push_back(word.size());
      }
      if (context_ == nullptr) return;                            // dropped, the suspension ends the wait
      void* const asked = waiter.release();
      if (redisAsyncCommandArgv(context_, answered, asked, static_cast<int>(what.size()), texts.data(), lengths.data()) != REDIS_OK)
        cordage::suspension<std::string>::from(asked).resume(std::unexpected(make_error_code(std::errc::not_supported)));
    };
    return cordage::suspend<std::string>(ask);
  }
  static void answered(redisAsyncContext*, void* answer, void* asked) noexcept {
    auto waiter = cordage::suspension<std::string>::from(asked);
    if (answer != nullptr) waiter.resume(text_of(*static_cast<redisReply*>(answer)));   // false where nobody waits any more
  }                                                               // without an answer the suspension is dropped
  // [/command]

  // [drive]
  // Tells hiredis what it waits for, until the connection is lost or the strand is stopped.
  cordage::task<> drive() { co_await cordage::when_any(read_what_comes(), write_what_waits()); }

  const std::string& why_it_was_lost() const { return lost_; }

 private:
  cordage::task<> read_what_comes() {
    while (context_ != nullptr) {
      co_await !socket_->readable();
      if (context_ != nullptr) redisAsyncHandleRead(context_);
    }
  }
  cordage::task<> write_what_waits() {
    while (context_ != nullptr) {
      co_await has_to_write_.wait();
      co_await !socket_->writable();
      if (context_ != nullptr) redisAsyncHandleWrite(context_);
    }
  }

  void attach() {
    context_->data = this;
    context_->ev.data = this;
    context_->ev.addWrite = [](void* self) { static_cast<redis*>(self)->has_to_write_.set(); };
    context_->ev.delWrite = [](void* self) { static_cast<redis*>(self)->has_to_write_.reset(); };
    context_->ev.cleanup = [](void* self) { static_cast<redis*>(self)->context_ = nullptr; };
    redisAsyncSetConnectCallback(context_, tell_loss);            // asks to write: that is how it learns that it is connected
    redisAsyncSetDisconnectCallback(context_, tell_loss);
    socket_.emplace(context_->c.fd);
  }
  // [/drive]

  static void tell_loss(const redisAsyncContext* of, int status) {
    if (status != REDIS_OK) static_cast<redis*>(of->data)->lost_ = of->errstr;
  }

  redisAsyncContext* context_;
  std::optional<cordage::watched_descriptor> socket_;
  cordage::manual_reset_event has_to_write_;
  std::string lost_;
};

struct session {
  redis& server;
  const options& how;
  int unanswered = 0;

  void tell(const words& what, const cordage::result<std::string>& answer) {
    std::string line;
    for (const std::string& word : what) line += (line.empty() ? "" : " ") + word;
    std::printf("%s: %s\n", line.c_str(), answer ? answer->c_str() : reason(answer.error()).c_str());
    std::fflush(stdout);
    if (!answer) ++unanswered;
  }
  void refuse(const std::string& why) {
    std::printf("%s\n", why.c_str());
    std::fflush(stdout);
    ++unanswered;
  }
  std::string reason(std::error_code why) const {
    if (why != cordage::errc::broken_promise) return why.message();
    return "not connected" + (server.why_it_was_lost().empty() ? "" : ": " + server.why_it_was_lost());
  }
};

// [styles]
cordage::task<> ask_in_task(session& in, words what) {
  const auto answer = co_await cordage::with_timeout(in.how.timeout, in.server.command(what));
  in.tell(what, answer);
}

void ask_on_fiber(session& in, words what) {
  const auto answer = cordage::await(cordage::with_timeout(in.how.timeout, in.server.command(what)));
  in.tell(what, answer);
}
// [/styles]

words words_of(std::string_view line) {
  std::istringstream in{std::string(line)};
  words all;
  for (std::string word; in >> word;) all.push_back(word);
  return all;
}

// hiredis calls back again and again for these.
bool has_many_answers(std::string name) {
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name == "monitor" || name.ends_with("subscribe");
}

// [session]
cordage::task<> ask_all(session& in, cordage::standard_input& input) {
  cordage::buffered_reader lines(input, longest_line);
  co_await cordage::with_scope({.max_concurrency = most_under_way}, [&](cordage::scope& under_way) -> cordage::task<> {
    for (;;) {
      const auto line = co_await lines.read_line();
      if (line == std::unexpected(cordage::errc::too_long)) {
        in.refuse("a line has at most " + std::to_string(longest_line) + " bytes");
        continue;
      }
      if (!line) throw std::system_error(line.error(), "reading standard input");
      if (!*line) co_return;
      words what = words_of(**line);
      if (what.empty()) continue;
      if (has_many_answers(what.front())) {
        in.refuse(what.front() + " has more than one answer, and is not sent");
        continue;
      }
      co_await under_way.room();
      if (in.how.style == support::style::task) under_way.spawn(ask_in_task, std::ref(in), std::move(what));
      else under_way.spawn(ask_on_fiber, std::ref(in), std::move(what));
    }
  });
}

cordage::task<int> run_session(const options& how, const cordage::endpoint& where, cordage::standard_input& input) {
  std::string address = how.server.substr(0, how.server.rfind(':'));
  if (address.starts_with('[')) address = address.substr(1, address.size() - 2);
  redis server(address, where.port());
  session all{server, how};
  co_await cordage::with_scope([&](cordage::scope& background) -> cordage::task<> {
    auto drives = background.spawn(&redis::drive, &server);
    co_await ask_all(all, input);
    drives.request_stop();
  });
  co_return all.unanswered == 0 ? 0 : 1;
}
// [/session]

}  // namespace

int main(int argc, char** argv) {
  return support::run_program("redis_client", usage, [&] {
    options how;
    support::take_only_options(argc, argv, {{"server", support::into(how.server)}, {"timeout", support::into(how.timeout)},
                                            {"style", support::into(how.style)}});
    const auto where = cordage::endpoint::parse(how.server);
    if (!where) throw support::usage_error("--server takes ADDRESS:PORT in numbers, as 127.0.0.1:6379, not " + support::quoted(how.server));
    cordage::standard_input input;
    return cordage::run(run_session(how, *where, input));
  });
}
