// The benchmark of the servers among the examples: how many requests they answer per second of CPU time, against servers
// that everybody knows.
//
// How servers are measured against each other stands in support/contest.hpp. A ratio is ours to theirs, so more than 1
// is better than theirs. Answers are checked: those in RESP to the last byte, those in HTTP in their length, their
// status and their body.
//
// Exit status: 0 all gates met, 1 a gate missed, 2 wrong usage, 3 could not measure.
#include <getopt.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/contest.hpp"
#include "support/limits.hpp"
#include "support/load.hpp"
#include "support/option_values.hpp"
#include "support/other_servers.hpp"
#include "support/placement.hpp"
#include "support/report.hpp"

namespace {

using bench::bounds;
using bench::contestant;
using bench::entrant;
using bench::number_between;
using bench::wanted;

const bounds against_nginx{.gate = 0.9, .goal = 1.5, .what = wanted::more};
const bounds against_asio{.gate = 1.2, .goal = 1.5, .what = wanted::more};
const bounds against_redis{.gate = 0.8, .goal = 1.3, .what = wanted::more};

constexpr std::uint64_t pipeline = 16;
constexpr int usual_connections = 64;

struct options {
  bench::contest_settings contest{.rounds = 51};
  int connections = usual_connections;
  std::string only;  // empty: everything
  bool self_check = false;
};

[[noreturn]] void show_usage_and_exit() {
  std::fputs(
      "usage: service_bench [options]\n"
      "  --only WHAT        http or resp\n"
      "  --rounds N         rounds, each with one sample of every server (51; at least 21)\n"
      "  --requests N       requests per sample, of a pipeline 16 times as many (10000)\n"
      "  --connections N    connections of the load generator (64)\n"
      "  --quick            31 rounds of 3000 requests, about half a minute; later options refine it\n"
      "  --self-check       the others once more in place of ours: every ratio has to come out as 1\n"
      "  --cpu N            the CPU for everything (0)\n"
      "  --seed N           the order of the samples\n",
      stderr);
  std::exit(bench::wrong_usage);
}

options parse(int argc, char** argv) {
  enum : int { only = 1, rounds, requests, connections, quick, self_check, cpu, seed };
  static constexpr option known[] = {
      {"only", required_argument, nullptr, only},         {"rounds", required_argument, nullptr, rounds},
      {"requests", required_argument, nullptr, requests}, {"connections", required_argument, nullptr, connections},
      {"quick", no_argument, nullptr, quick},             {"self-check", no_argument, nullptr, self_check},
      {"cpu", required_argument, nullptr, cpu},           {"seed", required_argument, nullptr, seed},
      {nullptr, 0, nullptr, 0}};
  options chosen;
  for (int found; (found = ::getopt_long(argc, argv, "", known, nullptr)) != -1;) {
    switch (found) {
      case only: chosen.only = optarg; break;
      case rounds: chosen.contest.rounds = number_between(optarg, 21, 100'000); break;
      case requests: chosen.contest.exchanges = number_between<std::uint64_t>(optarg, 1, 1'000'000'000); break;
      case connections: chosen.connections = number_between(optarg, 1, 4000); break;
      case quick: chosen.contest.rounds = 31, chosen.contest.exchanges = 3'000; break;
      case self_check: chosen.self_check = true; break;
      case cpu: chosen.contest.cpu = number_between(optarg, 0, 1023); break;
      case seed: chosen.contest.seed = number_between<std::uint64_t>(optarg, 0, INT64_MAX); break;
      default: show_usage_and_exit();
    }
  }
  if (optind != argc) show_usage_and_exit();
  if (chosen.only != "" && chosen.only != "http" && chosen.only != "resp")
    throw bench::bad_usage("--only is http or resp, not '" + chosen.only + "'");
  return chosen;
}

// What is asked of a server that has just been started, and what has to come back.
using question = bench::exchange (*)(const bench::endpoint& at);

constexpr std::string_view hello = "Hello world\n";

// How long an answer is, each server may choose with the headers it sends.
bench::exchange http_get(const bench::endpoint& at, const std::string& path) {
  const std::string request = "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const std::string status = "HTTP/1.1 200";
  const std::string answer = bench::ask_once(at, request, hello);
  if (!answer.starts_with(status)) throw std::runtime_error("a server answers " + request + "with " + answer);
  return {.request = request, .beginning = status, .ending = std::string(hello), .answer_bytes = answer.size()};
}

bench::exchange get_root(const bench::endpoint& at) { return http_get(at, "/"); }
bench::exchange get_file(const bench::endpoint& at) { return http_get(at, "/file"); }

const std::string resp_get = "*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n";
const std::string resp_set = "*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$3\r\nabc\r\n";
const std::string resp_ok = "+OK\r\n";
const std::string resp_value = "$3\r\nabc\r\n";

bench::exchange repeated(const std::string& request, const std::string& answer, std::uint64_t times) {
  bench::exchange all;
  all.answer_bytes = times * answer.size();
  all.messages = times;
  for (std::uint64_t i = 0; i < times; ++i) all.request += request, all.beginning += answer;
  return all;
}

bench::exchange resp_gets(const bench::endpoint& at, std::uint64_t times) {
  bench::ask_once(at, resp_set, resp_ok);
  return repeated(resp_get, resp_value, times);
}

bench::exchange get_one(const bench::endpoint& at) { return resp_gets(at, 1); }
bench::exchange get_pipelined(const bench::endpoint& at) { return resp_gets(at, pipeline); }
bench::exchange set_pipelined(const bench::endpoint&) { return repeated(resp_set, resp_ok, pipeline); }

// A server to compare with, and what is promised of ours against it.
struct rival {
  entrant server;
  bounds promised;
};

// What is asked in one way and measured in the same rounds.
struct match {
  std::string title;
  std::vector<rival> rivals;
  std::vector<entrant> ours;
};

// All matches, and a line for each program that is not there.
class programme {
 public:
  explicit programme(const options& chosen) : chosen_(chosen) {
    if (chosen.only != "resp") add_http();
    if (chosen.only != "http") add_resp();
  }

  const std::vector<match>& matches() const { return matches_; }
  const std::vector<std::string>& missing() const { return missing_; }

 private:
  entrant make(std::string name, bench::server_commands commands, question ask) const {
    return {std::move(name), std::move(commands), [ask, connections = chosen_.connections](const bench::endpoint& at) {
              return bench::load_generator(at, connections, ask(at));
            }};
  }

  void add_http() {
    match hello_world{.title = "HTTP, GET of 12 bytes", .rivals = {}, .ours = our("http_server", get_root)};
    if (const auto program = installed("nginx", "nginx")) {
      const bench::server_commands nginx = bench::nginx(*program, directory_, hello);
      hello_world.rivals.push_back({make("nginx", nginx, get_root), against_nginx});
      hello_world.rivals.push_back({make("nginx, a file", nginx, get_file), {}});
    }
    const std::string asio = bench::program_directory() + "/asio_http";
    if (built(asio, "libasio-dev and node-llhttp"))
      hello_world.rivals.push_back({make("asio", bench::always({asio, "0"}), get_root), against_asio});
    const std::string floor = bench::program_directory() + "/raw_answer";
    hello_world.rivals.push_back({make("what parses nothing", bench::always({floor, "0"}), get_root), {}});
    add(std::move(hello_world));
  }

  void add_resp() {
    const auto program = installed("redis-server", "redis-server");
    if (!program) return;
    const auto add_match = [&](std::string title, question ask, bounds promised) {
      entrant redis = make("redis", bench::redis(*program, directory_), ask);
      add({std::move(title), {{std::move(redis), promised}}, our("resp_server", ask)});
    };
    add_match("RESP, GET of 3 bytes, pipeline 16", get_pipelined, against_redis);
    add_match("RESP, SET of 3 bytes, pipeline 16", set_pipelined, {});
    add_match("RESP, GET of 3 bytes, one at a time", get_one, {});
  }

  std::vector<entrant> our(const std::string& name, question ask) {
    const std::string program = bench::program_directory() + "/../examples/" + name;
    std::vector<entrant> both;
    if (chosen_.self_check || !built(program, name == "http_server" ? "node-llhttp" : "")) return both;
    for (const char* style : {"task", "fiber"})
      both.push_back(make(style, bench::always({program, "--listen", "127.0.0.1:0", "--style", style}), ask));
    return both;
  }

  // In a self-check every rival stands in for us, and nothing is promised, as it is not for other loads than the usual.
  void add(match next) {
    for (rival& each : next.rivals) {
      if (chosen_.self_check || chosen_.connections != usual_connections) each.promised = {};
      if (!chosen_.self_check) continue;
      next.ours.push_back(each.server);
      next.ours.back().name += " again";
    }
    if (!next.rivals.empty() && !next.ours.empty()) matches_.push_back(std::move(next));
  }

  std::optional<std::string> installed(const std::string& name, const std::string& package) {
    const auto program = bench::find_program(name);
    if (!program) note_missing(name + " is not installed (the Debian package is " + package + ")");
    return program;
  }

  bool built(const std::string& path, const std::string& packages) {
    if (::access(path.c_str(), X_OK) == 0) return true;
    note_missing(path + " is not built" + (packages.empty() ? "" : " (it needs Debian's " + packages + ")"));
    return false;
  }

  void note_missing(std::string line) {
    if (std::ranges::find(missing_, line) == missing_.end()) missing_.push_back(std::move(line));
  }

  options chosen_;
  bench::temporary_directory directory_;
  std::vector<match> matches_;
  std::vector<std::string> missing_;
};

std::vector<entrant> everybody(const match& held) {
  std::vector<entrant> all;
  for (const rival& each : held.rivals) all.push_back(each.server);
  all.insert(all.end(), held.ours.begin(), held.ours.end());
  return all;
}

// Ours against each of the others.
void compare_rates(bench::report& report, const match& held, const std::deque<contestant>& all) {
  for (std::size_t peer = 0; peer < held.rivals.size(); ++peer) {
    report.section(held.title + ": requests per second of CPU time, peer " + all[peer].name());
    for (std::size_t i = held.rivals.size(); i < all.size(); ++i)
      bench::compare(report, all[i], all[peer], &contestant::per_cpu_second, held.rivals[peer].promised);
  }
  bench::remark_user_shares(report, all);
}

void compare_latencies(bench::report& report, const match& held, const std::deque<contestant>& all) {
  for (const auto& [title, samples] : {std::pair{"latency, median", &contestant::p50_us},
                                       std::pair{"latency, 99th percentile", &contestant::p99_us}}) {
    report.section(held.title + ": " + title + ", us, peer " + all[0].name());
    for (std::size_t i = held.rivals.size(); i < all.size(); ++i) bench::compare(report, all[i], all[0], samples);
  }
}

void count_calls(bench::report& report, const match& held, const options& chosen) {
  report.section(held.title + ": system calls per request");
  bench::where_tracing_is_permitted(report, [&] {
    for (const entrant& each : everybody(held)) {
      const bench::counted_calls counted = bench::count_calls(each, chosen.contest);
      report.value(each.name, counted.per_message, {});
      report.remark("", counted.which);
    }
  });
}

void hold(bench::report& report, const match& next, const options& chosen) {
  const std::deque<contestant> all = bench::hold_contest(everybody(next), chosen.contest);
  compare_rates(report, next, all);
  compare_latencies(report, next, all);
  count_calls(report, next, chosen);
}

int run(const options& chosen) {
  bench::pin_to_cpu(chosen.contest.cpu);
  bench::raise_descriptor_limit();
  const programme all(chosen);
  std::printf("service: %d connections, %d rounds of %llu requests, all on CPU %d, seed %llu\n", chosen.connections,
              chosen.contest.rounds, static_cast<unsigned long long>(chosen.contest.exchanges), chosen.contest.cpu,
              static_cast<unsigned long long>(chosen.contest.seed));
  for (const std::string& line : all.missing()) std::printf("left out: %s\n", line.c_str());
  std::printf("\n");
  std::fflush(stdout);
  if (all.matches().empty()) throw std::runtime_error("nothing is left to compare");
  bench::report report;
  for (const match& each : all.matches()) hold(report, each, chosen);
  report.print(stdout);
  return report.status();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(parse(argc, argv));
  } catch (const bench::bad_usage& what) {
    std::fprintf(stderr, "service_bench: %s\n", what.what());
    show_usage_and_exit();
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "service_bench: %s\n", failure.what());
    return bench::could_not_measure;
  }
}
