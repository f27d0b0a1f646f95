// What the examples' main functions share: options in, clear refusals out.
//
//   struct { std::string listen = "127.0.0.1:7009"; std::chrono::milliseconds idle{30s}; } asked;
//   int main(int argc, char** argv) {
//     return support::run_program("http_server", usage, [&] {
//       support::take_options(argc, argv, {{"listen", support::into(asked.listen)}, {"idle-timeout", support::into(asked.idle)}});
//       …
//       return 0;
//     });
//   }
#pragma once

#include <getopt.h>

#include <charconv>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <functional>
#include <initializer_list>
#include <limits>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <cordage/tcp.hpp>

namespace support {

// Something about the command line is wrong: what() says what it should be.
class usage_error : public std::runtime_error {
  using runtime_error::runtime_error;
};
struct help_wanted {};

struct option_rule {
  const char* name;                             // without its dashes
  std::function<void(std::string_view)> take;   // throws usage_error, whose message goes on after the option's name
};

inline std::string quoted(std::string_view text) { return '"' + std::string(text) + '"'; }

// Takes --name VALUE and --name=VALUE for each rule, and --help; what is left are words. Throws usage_error, help_wanted.
inline std::span<char*> take_options(int argc, char** argv, std::initializer_list<option_rule> rules) {
  std::vector<option> known;
  for (const option_rule& rule : rules) known.push_back({rule.name, required_argument, nullptr, 0});
  known.push_back({"help", no_argument, nullptr, 0});
  known.push_back({});
  opterr = 0;
  int which = 0;
  for (int answer; (answer = getopt_long(argc, argv, ":", known.data(), &which)) != -1;) {
    if (answer == ':') throw usage_error(std::string(argv[optind - 1]) + " requires a value");
    if (answer != 0) throw usage_error("there is no option " + quoted(argv[optind - 1]));
    const auto index = static_cast<std::size_t>(which);
    if (index == rules.size()) throw help_wanted();
    try {
      rules.begin()[index].take(optarg);
    } catch (const usage_error& wrong) {
      throw usage_error(std::string("--") + rules.begin()[index].name + ' ' + wrong.what() + ", not " + quoted(optarg));
    }
  }
  return {argv + optind, static_cast<std::size_t>(argc - optind)};
}

// The same for a program that takes options only.
inline void take_only_options(int argc, char** argv, std::initializer_list<option_rule> rules) {
  const auto words = take_options(argc, argv, rules);
  if (!words.empty()) throw usage_error("unexpected argument " + quoted(words.front()));
}

// A number and what stands behind it.
inline std::pair<std::int64_t, std::string_view> number_and_rest(std::string_view text) {
  std::int64_t value = 0;
  const auto [at, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc{}) return {0, "no number"};
  return {value, text.substr(static_cast<std::size_t>(at - text.data()))};
}

template <std::integral Number>
auto into(Number& value, Number least = 1, Number most = std::numeric_limits<Number>::max()) {
  return [&value, least, most](std::string_view text) {
    const auto [number, rest] = number_and_rest(text);
    if (!rest.empty() || std::cmp_less(number, least) || std::cmp_greater(number, most))
      throw usage_error("takes a number from " + std::to_string(least) + " to " + std::to_string(most));
    value = static_cast<Number>(number);
  };
}

// 500ms, 30s, 2m: at least 1ms, at most 1000000 of each.
inline std::chrono::milliseconds duration(std::string_view text) {
  const auto [value, unit] = number_and_rest(text);
  const std::int64_t milliseconds = unit == "ms" ? 1 : unit == "s" ? 1000 : unit == "m" ? 60'000 : 0;
  if (milliseconds == 0 || value < 1 || value > 1'000'000) throw usage_error("takes a time from 1ms to 1000000m, as 500ms, 30s or 2m");
  return std::chrono::milliseconds(value * milliseconds);
}
inline auto into(std::chrono::milliseconds& value) {
  return [&value](std::string_view text) { value = duration(text); };
}

inline auto into(std::string& value) {
  return [&value](std::string_view text) { value = text; };
}

// task or fiber.
enum class style { task, fiber };
inline auto into(style& value) {
  return [&value](std::string_view text) {
    if (text != "task" && text != "fiber") throw usage_error("is task or fiber");
    value = text == "task" ? style::task : style::fiber;
  };
}

inline cordage::tcp::listener listen(const std::string& where) {
  const auto parsed = cordage::endpoint::parse(where);
  if (!parsed) throw usage_error("--listen takes ADDRESS:PORT in numbers, as 127.0.0.1:7000 or [::1]:7000, not " + quoted(where));
  auto listener = cordage::tcp::listener::bind(*parsed);
  if (!listener) throw usage_error("cannot listen on " + where + ": " + listener.error().message());
  return std::move(*listener);
}

// The exit status of main: what the program returns; 2 for a command line that is wrong, 1 for any other exception.
template <class Program>
int run_program(const char* name, const char* usage, Program&& program) {
  try {
    const int status = std::forward<Program>(program)();
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) throw std::runtime_error("cannot write all of the output");
    return status;
  } catch (const help_wanted&) {
    std::fputs(usage, stdout);
    return 0;
  } catch (const usage_error& wrong) {
    std::fprintf(stderr, "%s: %s\n%s", name, wrong.what(), usage);
    return 2;
  } catch (const std::exception& failed) {
    std::fprintf(stderr, "%s: %s\n", name, failed.what());
    return 1;
  }
}

}  // namespace support
