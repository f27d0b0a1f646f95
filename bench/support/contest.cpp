#include "support/contest.hpp"

#include <array>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <system_error>

#include "support/system_calls.hpp"

namespace bench {

contestant::contestant(const entrant& who, int cpu)
    : name_(who.name),
      server_(start_server<server_process>(who.commands, cpu)),
      load_(who.load(server_.address())),
      at_start_(server_.split()) {
  counters = hardware_counters::of_process(server_.pid());
}

void contestant::sample(std::uint64_t exchanges) {
  // The other servers have had the caches since our last turn.
  load_.run(exchanges / 10 + 2 * load_.connections());
  const auto counted_before = counters.read();
  const auto cpu_before = server_.cpu_time();
  const load_report report = load_.run(exchanges);
  const auto cpu = server_.cpu_time() - cpu_before;
  const auto counted = counters.read();

  const auto ran = static_cast<double>(report.messages);
  cpu_ns.push_back(static_cast<double>(cpu.count()) / ran);
  per_cpu_second.push_back(1e9 / cpu_ns.back());
  wall_ns.push_back(static_cast<double>(report.wall.count()) / ran);
  p50_us.push_back(static_cast<double>(report.p50.count()) / 1000);
  p99_us.push_back(static_cast<double>(report.p99.count()) / 1000);
  if (!counted_before || !counted) return;
  cycles.push_back((*counted - *counted_before).cycles / ran);
  instructions.push_back((*counted - *counted_before).instructions / ran);
}

std::string contestant::user_share() const {
  const cpu_split now = server_.split();
  const double user = static_cast<double>((now.user - at_start_.user).count());
  const double system = static_cast<double>((now.system - at_start_.system).count());
  std::array<char, 32> text;
  std::snprintf(text.data(), text.size(), "%.1f%%", 100 * user / (user + system));
  return text.data();
}

namespace {

// What goes wrong is told with the name of the server that it went wrong with.
void naming(const std::string& server, const std::function<void()>& attempt) {
  try {
    attempt();
  } catch (const std::exception& failure) {
    throw std::runtime_error(server + ": " + failure.what());
  }
}

}  // namespace

std::deque<contestant> hold_contest(std::span<const entrant> who, const contest_settings& settings) {
  std::deque<contestant> all;
  for (const entrant& each : who) naming(each.name, [&] { all.emplace_back(each, settings.cpu); });
  shuffled_rounds(settings.rounds, all.size(), settings.seed, [&](std::size_t which) {
    naming(who[which].name, [&] { all[which].sample(settings.exchanges); });
  });
  return all;
}

void compare(report& out, const contestant& ours, const contestant& peer, samples_of samples, bounds limits) {
  if ((ours.*samples).size() == (peer.*samples).size()) out.compare(ours.name(), ours.*samples, peer.*samples, limits);
}

void remark_user_shares(report& out, const std::deque<contestant>& all) {
  std::string shares;
  for (const contestant& each : all) shares += (shares.empty() ? "" : ", ") + each.name() + " " + each.user_share();
  out.remark("in user mode", shares);
}

counted_calls count_calls(const entrant& who, const contest_settings& settings) {
  traced_server server = start_server<traced_server>(who.commands, settings.cpu);
  load_generator load = who.load(server.address());
  load.run(2 * load.connections());
  const system_call_counts before = server.mark();
  const std::uint64_t messages = load.run(settings.exchanges).messages;
  const system_call_counts during = server.mark() - before;
  return {static_cast<double>(during.total()) / static_cast<double>(messages), during.per_message(messages)};
}

void where_tracing_is_permitted(report& out, const std::function<void()>& count) {
  try {
    count();
  } catch (const std::system_error& refused) {
    // Anything else is a failure of a server.
    if (refused.code() != std::errc::operation_not_permitted && refused.code() != std::errc::function_not_supported)
      throw;
    out.remark("", std::string("not counted here: ") + refused.what());
  }
}

}  // namespace bench
