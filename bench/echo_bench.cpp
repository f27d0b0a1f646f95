// The echo benchmark: what one echoed message costs the server, against the same server written in C on raw epoll.
//
// How servers are measured against each other stands in support/contest.hpp.
//
// Exit status: 0 all gates met, 1 a gate missed, 2 wrong usage, 3 could not measure.
#include <getopt.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <exception>
#include <string>
#include <utility>
#include <vector>

#include "support/contest.hpp"
#include "support/limits.hpp"
#include "support/load.hpp"
#include "support/option_values.hpp"
#include "support/placement.hpp"
#include "support/report.hpp"

namespace {

using bench::bounds;
using bench::contestant;
using bench::number_between;

// What is promised: CPU time relative to raw_level, and system calls per message, both for the standard shape.
constexpr bench::load_shape standard_shape{.connections = 64, .bytes = 64};
const bounds task_cpu{.gate = 1.05, .goal = 0.98};
const bounds fiber_cpu{.gate = 1.06, .goal = 0.99};
const bounds calls_per_message{.gate = 2.1, .goal = 2.05};

struct options {
  bench::contest_settings contest;
  bench::load_shape shape = standard_shape;
  std::string server;  // empty: beside this program
  std::string peer = "level";
  std::string style = "both";

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
      case pairs: chosen.contest.rounds = number_between(optarg, 21, 100'000); break;
      case messages: chosen.contest.exchanges = number_between<std::uint64_t>(optarg, 1, 1'000'000'000); break;
      case connections: chosen.shape.connections = number_between(optarg, 1, 100'000); break;
      case bytes: chosen.shape.bytes = number_between<std::size_t>(optarg, 1, 1 << 26); break;
      case quick: chosen.contest.rounds = 31, chosen.contest.exchanges = 3'000; break;
      case server: chosen.server = optarg; break;
      case peer: chosen.peer = optarg; break;
      case style: chosen.style = optarg; break;
      case cpu: chosen.contest.cpu = number_between(optarg, 0, 1023); break;
      case seed: chosen.contest.seed = number_between<std::uint64_t>(optarg, 0, INT64_MAX); break;
      default: show_usage_and_exit();
    }
  }
  if (optind != argc) show_usage_and_exit();
  if (chosen.style != "task" && chosen.style != "fiber" && chosen.style != "both") show_usage_and_exit();
  return chosen;
}

// A server, and what is promised of it.
struct promising {
  bench::entrant server;
  bounds cpu;
  bounds calls;
};

// The first is the reference that all others are compared with.
std::vector<promising> entrants(const options& chosen) {
  const std::string here = bench::program_directory();
  const std::string server = chosen.server.empty() ? here + "/../examples/echo_server" : chosen.server;
  const auto echoes = [shape = chosen.shape](const bench::endpoint& at) { return bench::load_generator(at, shape); };
  std::vector<promising> all;
  if (chosen.peer != "level" && chosen.peer != "edge") {
    const std::string name = chosen.peer.substr(chosen.peer.rfind('/') + 1);
    all.push_back({{name, bench::always({chosen.peer, "0"}), echoes}, {}, {}});
  }
  all.push_back({{"raw_level", bench::always({here + "/raw_level", "0"}), echoes}, {}, {}});
  all.push_back({{"raw_edge", bench::always({here + "/raw_edge", "0"}), echoes}, {}, {}});
  if (chosen.peer == "edge") std::swap(all[0], all[1]);
  for (const auto& [style, limits] : {std::pair{"task", task_cpu}, std::pair{"fiber", fiber_cpu}}) {
    if (chosen.style != "both" && chosen.style != style) continue;
    promising ours{{style, bench::always({server, "--port", "0", "--style", style}), echoes}, {}, {}};
    if (chosen.is_standard_shape() && chosen.peer == "level") ours.cpu = limits;
    if (chosen.is_standard_shape()) ours.calls = calls_per_message;
    all.push_back(std::move(ours));
  }
  return all;
}

std::vector<bench::entrant> plain(const std::vector<promising>& who) {
  std::vector<bench::entrant> all;
  for (const promising& each : who) all.push_back(each.server);
  return all;
}

// The first is the one that all others are compared with; what is promised concerns their CPU time.
void compare_all(bench::report& report, const std::string& title, const std::vector<promising>& who,
                 const std::deque<contestant>& all, bench::samples_of samples) {
  report.section(title);
  for (std::size_t i = 1; i < all.size(); ++i)
    bench::compare(report, all[i], all[0], samples, samples == &contestant::cpu_ns ? who[i].cpu : bounds{});
}

void compare_hardware(bench::report& report, const std::vector<promising>& who, const std::deque<contestant>& all) {
  const std::string modes = bench::name_of(all[0].counters.modes());
  if (all[0].cycles.empty()) {
    report.section("cycles and instructions per message");
    return report.remark("", modes);
  }
  compare_all(report, "cycles per message, " + modes, who, all, &contestant::cycles);
  compare_all(report, "instructions per message, " + modes, who, all, &contestant::instructions);
}

void measure_time(bench::report& report, const std::vector<promising>& who, const options& chosen) {
  const std::deque<contestant> all = bench::hold_contest(plain(who), chosen.contest);
  compare_all(report, "CPU time of the server per message, ns", who, all, &contestant::cpu_ns);
  bench::remark_user_shares(report, all);
  compare_all(report, "wall time per message, server and client, ns", who, all, &contestant::wall_ns);
  compare_all(report, "latency, median, us", who, all, &contestant::p50_us);
  compare_all(report, "latency, 99th percentile, us", who, all, &contestant::p99_us);
  compare_hardware(report, who, all);
}

void measure_calls(bench::report& report, const std::vector<promising>& who, const options& chosen) {
  report.section("system calls per message");
  bench::where_tracing_is_permitted(report, [&] {
    const bench::counted_calls reference = bench::count_calls(who[0].server, chosen.contest);
    report.remark(who[0].server.name, reference.which);
    for (std::size_t i = 1; i < who.size(); ++i) {
      const bench::counted_calls ours = bench::count_calls(who[i].server, chosen.contest);
      report.value(who[i].server.name, ours.per_message, reference.per_message, who[i].calls);
      report.remark("", ours.which);
    }
  });
}

int run(const options& chosen) {
  bench::pin_to_cpu(chosen.contest.cpu);
  bench::raise_descriptor_limit();
  const std::vector<promising> who = entrants(chosen);
  std::printf("echo: %d connections, %zu bytes, %d rounds of %llu messages, all on CPU %d, peer %s, seed %llu\n\n",
              chosen.shape.connections, chosen.shape.bytes, chosen.contest.rounds,
              static_cast<unsigned long long>(chosen.contest.exchanges), chosen.contest.cpu, who[0].server.name.c_str(),
              static_cast<unsigned long long>(chosen.contest.seed));
  std::fflush(stdout);
  bench::report report;
  measure_time(report, who, chosen);
  measure_calls(report, who, chosen);
  report.print(stdout);
  return report.status();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(parse(argc, argv));
  } catch (const bench::bad_usage& what) {
    std::fprintf(stderr, "echo_bench: %s\n", what.what());
    show_usage_and_exit();
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "echo_bench: %s\n", failure.what());
    return bench::could_not_measure;
  }
}
