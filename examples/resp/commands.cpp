#include "commands.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace resp {
namespace {

using std::chrono::milliseconds;

struct call {
  std::span<const std::string_view> words;
  store& keys;
  replies& out;
};

// Commands and options are in capitals or not; `other` is in capitals.
bool is(std::string_view word, std::string_view other) {
  const auto capital = [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; };
  return std::ranges::equal(word, other, {}, capital);
}

std::string in_small_letters(std::string_view name) {
  std::string small(name);
  for (char& c : small) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return small;
}

// What a reply says of a client's words.
std::string quoted(std::string_view word) { return '\'' + std::string(word.substr(0, 128)) + '\''; }

void ping(const call& c) {
  if (c.words.size() == 1) return c.out.simple("PONG");
  c.out.bulk(c.words[1]);
}

void echo(const call& c) { c.out.bulk(c.words[1]); }

void get(const call& c) {
  const store::entry* const found = c.keys.find(c.words[1]);
  if (found == nullptr) return c.out.null();
  c.out.bulk(found->value);
}

std::optional<std::int64_t> to_number(std::string_view word, replies& out) {
  std::int64_t number = 0;
  const auto [end, code] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (code == std::errc{} && end == word.data() + word.size()) return number;
  out.error("ERR value is not an integer or out of range");
  return std::nullopt;
}

// So long from now, if that is not longer than anybody lives.
std::optional<store::time_point> to_deadline(std::string_view word, milliseconds unit, const char* command, replies& out) {
  constexpr milliseconds longest = std::chrono::years(100);
  const auto number = to_number(word, out);
  if (!number) return std::nullopt;
  if (*number <= longest / unit && *number >= -(longest / unit)) return cordage::now() + *number * unit;
  out.error(std::string("ERR invalid expire time in ") + command + " command");
  return std::nullopt;
}

void set(const call& c) {
  store::time_point deadline = store::never;
  if (c.words.size() > 3) {
    const bool in_seconds = is(c.words[3], "EX");
    if (c.words.size() != 5 || (!in_seconds && !is(c.words[3], "PX"))) return c.out.error("ERR syntax error");
    const auto asked = to_deadline(c.words[4], milliseconds(in_seconds ? 1000 : 1), "'set'", c.out);
    if (!asked) return;
    if (*asked <= cordage::now()) return c.out.error("ERR invalid expire time in 'set' command");
    deadline = *asked;
  }
  c.keys.set(c.words[1], c.words[2], deadline);
  c.out.simple("OK");
}

void expire_in(const call& c, milliseconds unit, const char* command) {
  const auto deadline = to_deadline(c.words[2], unit, command, c.out);
  if (deadline) c.out.number(c.keys.set_deadline(c.words[1], *deadline) ? 1 : 0);
}
void expire(const call& c) { expire_in(c, milliseconds(1000), "'expire'"); }
void pexpire(const call& c) { expire_in(c, milliseconds(1), "'pexpire'"); }

void persist(const call& c) {
  const store::entry* const found = c.keys.find(c.words[1]);
  const bool expires = found != nullptr && found->deadline != store::never;
  if (expires) c.keys.set_deadline(c.words[1], store::never);
  c.out.number(expires ? 1 : 0);
}

// -2 where there is no such key, -1 where it does not expire.
std::int64_t time_left(const call& c) {
  const store::entry* const found = c.keys.find(c.words[1]);
  if (found == nullptr) return -2;
  if (found->deadline == store::never) return -1;
  return std::chrono::ceil<milliseconds>(found->deadline - cordage::now()).count();
}
void pttl(const call& c) { c.out.number(time_left(c)); }
void ttl(const call& c) {
  const std::int64_t left = time_left(c);
  c.out.number(left < 0 ? left : (left + 500) / 1000);
}

void del(const call& c) {
  c.out.number(std::ranges::count_if(c.words.subspan(1), [&](std::string_view key) { return c.keys.erase(key); }));
}

void exists(const call& c) {
  c.out.number(std::ranges::count_if(c.words.subspan(1), [&](std::string_view key) { return c.keys.find(key) != nullptr; }));
}

void dbsize(const call& c) { c.out.number(static_cast<std::int64_t>(c.keys.size())); }

void flushall(const call& c) {
  c.keys.clear();
  c.out.simple("OK");
}

void quit(const call& c) { c.out.simple("OK"); }

// The rest is what clients ask before they begin.

// They take it that there are no descriptions.
void command(const call& c) { c.out.array(0); }

void config(const call& c) {
  if (!is(c.words[1], "GET")) return c.out.error("ERR unknown subcommand " + quoted(c.words[1]));
  const bool save = is(c.words[2], "SAVE");
  if (!save && !is(c.words[2], "APPENDONLY")) return c.out.array(0);
  c.out.array(2);
  c.out.bulk(save ? "save" : "appendonly");
  c.out.bulk(save ? "" : "no");
}

void client(const call& c) {
  if (is(c.words[1], "SETNAME") || is(c.words[1], "SETINFO")) return c.out.simple("OK");
  c.out.error("ERR unknown subcommand " + quoted(c.words[1]));
}

struct known_command {
  std::string_view name;
  std::size_t least, most;  // words, with its name
  void (*run)(const call&);
};

constexpr std::size_t any = static_cast<std::size_t>(-1);

constexpr std::array known_commands{
    known_command{"GET", 2, 2, get},           known_command{"SET", 3, any, set},
    known_command{"DEL", 2, any, del},         known_command{"PING", 1, 2, ping},
    known_command{"ECHO", 2, 2, echo},         known_command{"EXISTS", 2, any, exists},
    known_command{"EXPIRE", 3, 3, expire},     known_command{"PEXPIRE", 3, 3, pexpire},
    known_command{"PERSIST", 2, 2, persist},   known_command{"TTL", 2, 2, ttl},
    known_command{"PTTL", 2, 2, pttl},         known_command{"DBSIZE", 1, 1, dbsize},
    known_command{"FLUSHALL", 1, 2, flushall}, known_command{"QUIT", 1, any, quit},
    known_command{"COMMAND", 1, any, command}, known_command{"CONFIG", 3, 3, config},
    known_command{"CLIENT", 2, any, client},
};

}  // namespace

bool execute(std::span<const std::string_view> words, store& keys, replies& out) {
  const auto known = std::ranges::find_if(known_commands, [&](const known_command& each) { return is(words[0], each.name); });
  if (known == known_commands.end()) {
    out.error("ERR unknown command " + quoted(words[0]));
    return true;
  }
  if (words.size() < known->least || words.size() > known->most) {
    out.error("ERR wrong number of arguments for " + quoted(in_small_letters(known->name)) + " command");
    return true;
  }
  known->run({words, keys, out});
  return known->run != quit;
}

}  // namespace resp
