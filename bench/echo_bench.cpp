// The echo benchmark: what one echoed message costs the server, against the same server written in C on raw epoll.
//
// All servers run at once, idle except for the one whose turn it is, pinned to one CPU together with this client: on
// one CPU the server is never measured while the client disturbs it from a neighbouring core, and its CPU clock stands
// still whenever we read it. The kernel's work for loopback is done in the sender's time, so the server pays for the
// way to the client and the client for the way to the server.
//
// Exit status: 0 all gates met, 1 a gate missed, 2 wrong usage, 3 could not measure.
#include <getopt.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <exception>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "support/counters.hpp"
#include "support/limits.hpp"
#include "support/load.hpp"
#include "support/placement.hpp"
#include "support/report.hpp"
#include "support/rounds.hpp"
#include "support/server_process.hpp"
#include "support/statistics.hpp"
#include "support/system_calls.hpp"

namespace {

using bench::bounds;

// What is promised: CPU time relative to raw_level, and system calls per message, both for the standard shape.
constexpr bench::load_shape standard_shape{.connections = 64, .bytes = 64};
const bounds task_cpu{.gate = 1.05, .goal = 0.98};
const bounds fiber_cpu{.gate = 1.06, .goal = 0.99};
const bounds calls_per_message{.gate = 2.1, .goal = 2.05};

struct options {
  int rounds = 151;
  std::uint64_t messages = 10'000;
  bench::load_shape shape = standard_shape;
  int cpu = 0;
  std::string server;  // empty: beside this program
  std::string peer = "level";
  std::string style = "both";
  std::uint64_t seed = bench::fresh_seed();

  // Bounds are stated for one shape only; any other is measured and reported without a verdict.
  bool is_standard_shape() const {
    return shape.connections == standard_shape.connections && shape.bytes == standard_shape.bytes;
  }
};

[[noreturn]] void show_usage_and_exit() {
  std::fputs(
      "usage: echo_bench [options]\n"
      "  --pairs N          rounds, each with one sample of every server (151; at least 21)\n"
      "  --messages N       messages per sample (10000)\n"
      "  --connections N    connections of the load generator (64)\n"
      "  --bytes N          bytes per message (64)\n"
      "  --quick            31 rounds of 3000 messages, about five seconds; later options refine it\n"
      "  --server PATH      our server, started with --port 0 --style task|fiber\n"
      "  --peer WHAT        what to compare with: level (the default), edge, or the path of a server\n"
      "  --style WHICH      task, fiber or both\n"
      "  --cpu N            the CPU for everything (0)\n"
      "  --seed N           the order of the samples\n",
      stderr);
  std::exit(bench::wrong_usage);
}

template <class Number>
Number number_between(const char* text, Number least, Number most) {
  Number value{};
  const char* end = text + std::strlen(text);
  const auto [stopped_at, error] = std::from_chars(text, end, value);
  if (error != std::errc() || stopped_at != end || value < least || value > most) {
    std::fprintf(stderr, "echo_bench: %s is not a number between %lld and %lld\n", text,
                 static_cast<long long>(least), static_cast<long long>(most));
    show_usage_and_exit();
  }
  return value;
}

options parse(int argc, char** argv) {
  enum : int { pairs = 1, messages, connections, bytes, quick, server, peer, style, cpu, seed };
  static constexpr option known[] = {
      {"pairs", required_argument, nullptr, pairs},     {"messages", required_argument, nullptr, messages},
      {"connections", required_argument, nullptr, connections}, {"bytes", required_argument, nullptr, bytes},
      {"quick", no_argument, nullptr, quick},           {"server", required_argument, nullptr, server},
      {"peer", required_argument, nullptr, peer},       {"style", required_argument, nullptr, style},
      {"cpu", required_argument, nullptr, cpu},         {"seed", required_argument, nullptr, seed},
      {nullptr, 0, nullptr, 0}};
  options chosen;
  for (int found; (found = ::getopt_long(argc, argv, "", known, nullptr)) != -1;) {
    switch (found) {
      case pairs: chosen.rounds = number_between(optarg, 21, 100'000); break;
      case messages: chosen.messages = number_between<std::uint64_t>(optarg, 1, 1'000'000'000); break;
      case connections: chosen.shape.connections = number_between(optarg, 1, 100'000); break;
      case bytes: chosen.shape.bytes = number_between<std::size_t>(optarg, 1, 1 << 26); break;
      case quick: chosen.rounds = 31, chosen.messages = 3'000; break;
      case server: chosen.server = optarg; break;
      case peer: chosen.peer = optarg; break;
      case style: chosen.style = optarg; break;
      case cpu: chosen.cpu = number_between(optarg, 0, 1023); break;
      case seed: chosen.seed = number_between<std::uint64_t>(optarg, 0, INT64_MAX); break;
      default: show_usage_and_exit();
    }
  }
  if (optind != argc) show_usage_and_exit();
  if (chosen.style != "task" && chosen.style != "fiber" && chosen.style != "both") show_usage_and_exit();
  return chosen;
}

// A server's name in the report, how to start it, and what is promised of it.
struct entrant {
  std::string name;
  bench::command_line command;
  bounds cpu;
  bounds calls;
};

// The first is the reference that all others are compared with.
std::vector<entrant> entrants(const options& chosen) {
  const std::string here = bench::program_directory();
  const std::string server = chosen.server.empty() ? here + "/../examples/echo_server" : chosen.server;
  std::vector<entrant> all;
  if (chosen.peer != "level" && chosen.peer != "edge")
    all.push_back({chosen.peer.substr(chosen.peer.rfind('/') + 1), {chosen.peer, "0"}, {}, {}});
  all.push_back({"raw_level", {here + "/raw_level", "0"}, {}, {}});
  all.push_back({"raw_edge", {here + "/raw_edge", "0"}, {}, {}});
  if (chosen.peer == "edge") std::swap(all[0], all[1]);
  for (const auto& [style, limits] : {std::pair{"task", task_cpu}, std::pair{"fiber", fiber_cpu}}) {
    if (chosen.style != "both" && chosen.style != style) continue;
    entrant ours{style, {server, "--port", "0", "--style", style}, {}, {}};
    if (chosen.is_standard_shape() && chosen.peer == "level") ours.cpu = limits;
    if (chosen.is_standard_shape()) ours.calls = calls_per_message;
    all.push_back(std::move(ours));
  }
  return all;
}

// A running server with its load and one element per round of everything that is measured.
class contestant {
 public:
  contestant(const entrant& who, const options& chosen)
      : server_(who.command, chosen.cpu), load_(server_.address(), chosen.shape), at_start_(server_.split()) {
    counters = bench::hardware_counters::of_process(server_.pid());
  }

  void sample(const options& chosen) {
    // The other servers have had the caches since our last turn.
    load_.run(chosen.messages / 10 + 2 * static_cast<std::uint64_t>(chosen.shape.connections));
    const auto counted_before = counters.read();
    const auto cpu_before = server_.cpu_time();
    const bench::load_report report = load_.run(chosen.messages);
    const auto cpu = server_.cpu_time() - cpu_before;
    const auto counted = counters.read();

    const auto messages = static_cast<double>(report.messages);
    cpu_ns.push_back(static_cast<double>(cpu.count()) / messages);
    wall_ns.push_back(static_cast<double>(report.wall.count()) / messages);
    p50_us.push_back(static_cast<double>(report.p50.count()) / 1000);
    p99_us.push_back(static_cast<double>(report.p99.count()) / 1000);
    if (!counted_before || !counted) return;
    cycles.push_back((*counted - *counted_before).cycles / messages);
    instructions.push_back((*counted - *counted_before).instructions / messages);
  }

  // The part of the server's CPU time that was spent in user mode: "2.5%".
  std::string user_share() const {
    const bench::cpu_split now = server_.split();
    const double user = static_cast<double>((now.user - at_start_.user).count());
    const double system = static_cast<double>((now.system - at_start_.system).count());
    std::array<char, 32> text;
    std::snprintf(text.data(), text.size(), "%.1f%%", 100 * user / (user + system));
    return text.data();
  }

  std::vector<double> cpu_ns, wall_ns, p50_us, p99_us, cycles, instructions;
  bench::hardware_counters counters;

 private:
  bench::server_process server_;
  bench::load_generator load_;
  bench::cpu_split at_start_;
};

using samples_of = std::vector<double> contestant::*;

void compare_all(bench::report& report, const std::string& title, const std::vector<entrant>& who,
                 const std::deque<contestant>& all, samples_of samples) {
  report.section(title);
  for (std::size_t i = 1; i < all.size(); ++i) {
    if ((all[i].*samples).size() != (all[0].*samples).size()) continue;  // its counters were not there every time
    report.compare(who[i].name, all[i].*samples, all[0].*samples,
                   samples == &contestant::cpu_ns ? who[i].cpu : bounds{});
  }
}

void compare_hardware(bench::report& report, const std::vector<entrant>& who, const std::deque<contestant>& all) {
  const std::string modes = bench::name_of(all[0].counters.modes());
  if (all[0].cycles.empty()) {
    report.section("cycles and instructions per message");
    return report.remark("", modes);
  }
  compare_all(report, "cycles per message, " + modes, who, all, &contestant::cycles);
  compare_all(report, "instructions per message, " + modes, who, all, &contestant::instructions);
}

void measure_time(bench::report& report, const std::vector<entrant>& who, const options& chosen) {
  std::deque<contestant> all;  // a contestant does not move
  for (const entrant& each : who) all.emplace_back(each, chosen);
  bench::shuffled_rounds(chosen.rounds, all.size(), chosen.seed,
                         [&](std::size_t which) { all[which].sample(chosen); });

  compare_all(report, "CPU time of the server per message, ns", who, all, &contestant::cpu_ns);
  std::string user_shares;
  for (std::size_t i = 0; i < all.size(); ++i)
    user_shares += (i > 0 ? ", " : "") + who[i].name + " " + all[i].user_share();
  report.remark("in user mode", user_shares);
  compare_all(report, "wall time per message, server and client, ns", who, all, &contestant::wall_ns);
  compare_all(report, "latency, median, us", who, all, &contestant::p50_us);
  compare_all(report, "latency, 99th percentile, us", who, all, &contestant::p99_us);
  compare_hardware(report, who, all);
}

struct counted_calls {
  double per_message = 0;
  std::string which;
};

counted_calls count_calls(const entrant& who, const options& chosen) {
  bench::traced_server server(who.command, chosen.cpu);
  bench::load_generator load(server.address(), chosen.shape);
  load.run(2 * static_cast<std::uint64_t>(chosen.shape.connections));
  const bench::system_call_counts before = server.mark();
  load.run(chosen.messages);
  const bench::system_call_counts during = server.mark() - before;
  return {static_cast<double>(during.total()) / static_cast<double>(chosen.messages),
          during.per_message(chosen.messages)};
}

void measure_calls(bench::report& report, const std::vector<entrant>& who, const options& chosen) {
  report.section("system calls per message");
  try {
    const counted_calls reference = count_calls(who[0], chosen);
    report.remark(who[0].name, reference.which);
    for (std::size_t i = 1; i < who.size(); ++i) {
      const counted_calls ours = count_calls(who[i], chosen);
      report.value(who[i].name, ours.per_message, reference.per_message, who[i].calls);
      report.remark("", ours.which);
    }
  } catch (const std::system_error& refused) {
    // Containers may forbid ptrace; anything else is a failure of a server.
    if (refused.code() != std::errc::operation_not_permitted && refused.code() != std::errc::function_not_supported)
      throw;
    report.remark("", std::string("not counted here: ") + refused.what());
  }
}

int run(const options& chosen) {
  bench::pin_to_cpu(chosen.cpu);
  bench::raise_descriptor_limit();
  const std::vector<entrant> who = entrants(chosen);
  std::printf("echo: %d connections, %zu bytes, %d rounds of %llu messages, all on CPU %d, peer %s, seed %llu\n\n",
              chosen.shape.connections, chosen.shape.bytes, chosen.rounds,
              static_cast<unsigned long long>(chosen.messages), chosen.cpu, who[0].name.c_str(),
              static_cast<unsigned long long>(chosen.seed));
  std::fflush(stdout);
  bench::report report;
  measure_time(report, who, chosen);
  measure_calls(report, who, chosen);
  report.print(stdout);
  return report.status();
}

}  // namespace

int main(int argc, char** argv) {
  const options chosen = parse(argc, argv);
  try {
    return run(chosen);
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "echo_bench: %s\n", failure.what());
    return bench::could_not_measure;
  }
}
