// The snippets of docs/guide.md, in the order of the guide. The program runs them all and prints what they give.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <cordage/cordage.hpp>

namespace {

using namespace std::chrono_literals;

// [tasks]
cordage::task<int> add(int a, int b) {
  co_await cordage::sleep_for(1ms);      // other strands run meanwhile
  co_return a + b;
}

cordage::task<> print_sum() {
  const int sum = co_await add(2, 3);
  std::printf("2 + 3 = %d\n", sum);
}
// [/tasks]

// [generators]
cordage::generator<int> powers_of_two(int below) {
  for (int power = 1; power < below; power *= 2) co_yield power;
}

cordage::async_generator<int> slowly(cordage::generator<int> numbers) {
  for (const int number : numbers) {
    co_await cordage::sleep_for(1ms);
    co_yield number;
  }
}

cordage::task<> print_powers() {
  for (const int power : powers_of_two(20)) std::printf("%d ", power);
  co_await cordage::for_each(slowly(powers_of_two(20)), [](int power) {
    std::printf("%d ", power);
    return power < 8;                    // false ends it
  });
  std::printf("\n");
}
// [/generators]

// [fibers]
int add_slowly(int a, int b) {           // an ordinary function, called from ordinary functions
  cordage::await(cordage::sleep_for(1ms));
  return a + b;
}

int sum_of_squares(int n) {
  return n == 0 ? 0 : add_slowly(n * n, sum_of_squares(n - 1));
}
// [/fibers]

// [both]
cordage::task<> both_ways() {
  cordage::fiber squares{sum_of_squares, 3};
  std::printf("a task waits for a fiber: %d\n", co_await squares);
}

void other_way_round() {
  std::printf("a fiber waits for a task: %d\n", cordage::await(add(4, 5)));
}
// [/both]

// [errors]
cordage::async<std::string> greeting(cordage::endpoint server) {
  auto stream = co_await !cordage::tcp::connect(server);          // an error completes this async with it
  std::array<std::byte, 64> buffer;
  const auto n = co_await !stream.read_some(buffer);
  co_return std::string(reinterpret_cast<const char*>(buffer.data()), n);
}

cordage::task<> print_greeting(cordage::endpoint server) {
  const cordage::result<std::string> text = co_await greeting(server);
  std::printf("%s\n", text ? text->c_str() : text.error().message().c_str());
}
// [/errors]

// [client]
cordage::async<std::string> ask(std::string_view server, std::string_view question) {
  auto stream = co_await !cordage::tcp::connect(server);          // "127.0.0.1:7007": numbers, no names
  co_await !stream.write_all(std::as_bytes(std::span(question)));
  std::string answer(4096, ' ');
  const auto n = co_await !stream.read_some(std::as_writable_bytes(std::span(answer)));
  answer.resize(n);
  co_return answer;
}
// [/client]

// [spawn]
cordage::task<> in_the_background() {
  auto sum = cordage::spawn(add, 6, 7);                           // a task: stackless
  auto squares = cordage::spawn(sum_of_squares, 4);               // anything else: on a fiber
  const cordage::result<int> first = co_await sum;                // an error is errc::stopped, exceptions are thrown
  const cordage::result<int> second = co_await squares;
  std::printf("spawned: %d, %d\n", first.value(), second.value());
}
// [/spawn]

// [scope]
cordage::task<> first_failure_stops_the_rest() {
  try {
    co_await cordage::with_scope([&](cordage::scope& children) -> cordage::task<> {
      children.spawn(cordage::sleep_for(24h));
      children.spawn([] { throw std::runtime_error("a child failed"); });
      co_await cordage::sleep_for(24h);
    });
  } catch (const std::runtime_error& e) {
    std::printf("%s, and all have ended\n", e.what());
  }
}
// [/scope]

// [stop]
struct says_goodbye {
  ~says_goodbye() { std::printf("cleaned up\n"); }
};

cordage::task<> stopped() {
  auto waiting = cordage::spawn([]() -> cordage::task<> {
    const says_goodbye on_the_way_out;
    co_await cordage::sleep_for(24h);
    std::printf("never printed\n");
  });
  co_await cordage::yield_now();
  waiting.request_stop();
  const cordage::result<> ended = co_await waiting;
  std::printf("ended by a stop: %s\n", ended == std::unexpected(cordage::errc::stopped) ? "yes" : "no");
}
// [/stop]

// [together]
cordage::async<int> price_at(int shop, std::chrono::milliseconds answers_after) {
  co_await cordage::sleep_for(answers_after);
  if (shop == 13) co_return std::unexpected(cordage::errc::closed);
  co_return 100 + shop;
}

cordage::async<> several_at_once() {
  const auto [a, b] = co_await !cordage::when_all(price_at(1, 2ms), price_at(2, 1ms));    // both; the first error of any
  std::printf("%d and %d\n", a, b);

  const auto [first, second] = co_await cordage::when_any(price_at(1, 1h), price_at(2, 1ms));
  std::printf("the first to answer: %s\n", first ? "one" : "two");                         // the other one was stopped

  std::vector<cordage::async<int>> all;
  for (int shop = 10; shop < 20; ++shop) all.push_back(price_at(shop, 1ms));
  int answers = 0;
  for (const cordage::result<int>& price : co_await cordage::when_all(std::move(all))) answers += price.has_value();
  std::printf("%d of 10 answered\n", answers);
  co_return {};
}
// [/together]

// [limits]
cordage::task<> no_longer_than() {
  const cordage::result<int> price = co_await cordage::with_timeout(5ms, price_at(1, 1h));
  if (price == std::unexpected(cordage::errc::timed_out)) std::printf("too late\n");

  const cordage::result<int> same = co_await cordage::expect<0>(cordage::when_any(price_at(1, 1h), cordage::timeout(5ms)));
  std::printf("%s\n", same.error().message().c_str());
}
// [/limits]

// [finally]
cordage::task<> transfer() {
  std::printf("transfer begun\n");
  co_await cordage::sleep_for(24h);
}

cordage::task<> in_any_case() {
  auto roll_back = []() -> cordage::task<> {
    co_await cordage::sleep_for(1ms);                             // may wait: it is shielded
    std::printf("rolled back\n");
  };
  auto work = [&]() -> cordage::task<> { co_await cordage::finally(transfer(), roll_back); };
  auto strand = cordage::spawn(work);
  co_await cordage::yield_now();
  strand.request_stop();
  (void)co_await strand;

  auto stopped = [&]() -> cordage::task<> {
    co_await cordage::shield(cordage::sleep_for(1ms));            // to its end, whatever is asked meanwhile
    const cordage::result<> ended = co_await cordage::as_result(transfer());
    std::printf("transfer: %s\n", ended.error().message().c_str());   // and the code goes on, until it waits again
  };
  auto other = cordage::spawn(stopped);
  co_await cordage::sleep_for(10ms);
  other.request_stop();
  (void)co_await other;
}
// [/finally]

// [source]
cordage::task<> stopped_from_elsewhere() {
  cordage::stop_source source;
  std::thread somebody([source] { source.request_stop(); });      // any thread, a signal handler, a callback
  const auto ended = co_await cordage::as_result(cordage::with_stop(source.token(), transfer()));
  std::printf("%s\n", ended == std::unexpected(cordage::errc::stopped) ? "stopped" : "done");
  somebody.join();
}
// [/source]

// [local]
cordage::strand_local<std::string> request_id{"none"};

cordage::task<> log(const char* what) {
  const std::string& id = co_await request_id.get();
  std::printf("[%s] %s\n", id.c_str(), what);
}

cordage::task<> serve_request(std::string id) {
  co_await request_id.set(id);
  co_await cordage::when_all(log("looks up"), log("renders"));    // children inherit it, and what they spawn
}
// [/local]

// [isolated]
cordage::task<> one_failure_is_nobody_elses() {
  co_await cordage::with_scope([&](cordage::scope& children) -> cordage::task<> {
    children.spawn_isolated([](const cordage::failure& failed) { std::printf("left alone: %s\n", failed.message().c_str()); },
                            [] { throw std::runtime_error("a child failed"); });
    co_await cordage::sleep_for(1ms);
    std::printf("the others go on\n");
  });
}
// [/isolated]

// [max_concurrency]
cordage::task<> a_few_at_a_time() {
  int running = 0, most = 0;
  auto fetch = [&](int /*page*/) -> cordage::task<> {
    most = std::max(most, ++running);
    co_await cordage::sleep_for(1ms);
    --running;
  };
  auto fetch_all = [&](cordage::scope& children) -> cordage::task<> {
    for (int page = 0; page < 20; ++page) {
      co_await children.room();                                   // without it all are made at once, and wait to begin
      children.spawn(fetch, page);
    }
  };
  co_await cordage::with_scope(cordage::scope_options{.max_concurrency = 4}, fetch_all);
  std::printf("fetched, %d at a time\n", most);
}
// [/max_concurrency]

// [serve]
cordage::task<> greet(cordage::tcp::stream peer) {
  co_await !peer.write_all(std::as_bytes(std::span(std::string_view("hello"))));
}

cordage::task<> serve_one_greeting() {
  auto listener = cordage::tcp::listener::bind(*cordage::endpoint::parse("127.0.0.1:0")).value();
  const cordage::endpoint where = listener.local();
  auto server = cordage::spawn(cordage::tcp::serve(std::move(listener), greet, {.drain_for = 2s}));
  co_await print_greeting(where);
  server.request_stop();                                          // drains, then ends as stopped
  (void)co_await server;
}
// [/serve]

cordage::task<> ask_an_echo() {
  auto listener = cordage::tcp::listener::bind(*cordage::endpoint::parse("127.0.0.1:0")).value();
  const std::string where = to_string(listener.local());
  // [on_error]
  auto echo = [](cordage::tcp::stream peer) {                     // on a fiber, since it returns no task
    std::array<std::byte, 4096> buffer;
    while (auto n = cordage::await(!peer.read_some(buffer))) cordage::await(!peer.write_all(std::span(buffer).first(n)));
  };
  auto report = [](const cordage::failure& failed) { std::printf("a connection failed: %s\n", failed.message().c_str()); };
  auto server = cordage::spawn(cordage::tcp::serve(std::move(listener), echo, {.max_connections = 1000}, report));
  // [/on_error]
  std::printf("echoed: %s\n", (co_await ask(where, "how are you")).value().c_str());
  server.request_stop();
  (void)co_await server;
}

// [virtual_clock]
cordage::task<> remind_every_day(int& reminders) {
  const auto end = cordage::now() + 365 * 24h;                    // not steady_clock::now(), which goes on as ever
  while (cordage::now() < end) {
    co_await cordage::sleep_for(24h);
    ++reminders;
  }
}

void a_year_in_a_moment() {
  cordage::virtual_clock clock;
  int reminders = 0;
  cordage::run(remind_every_day(reminders), {.clock = &clock});
  const auto days = (clock.now() - std::chrono::steady_clock::time_point()) / 24h;
  std::printf("%d reminders in %d days\n", reminders, static_cast<int>(days));
}
// [/virtual_clock]

// [promise]
cordage::task<> told_by_a_thread() {
  cordage::promise<int> asked;
  cordage::future<int> answer = asked.get_future();
  std::thread provider([asked = std::move(asked)]() mutable { asked.set_value(42); });
  const int value = co_await !answer;                             // other strands run meanwhile
  std::printf("a thread says %d\n", value);
  provider.join();
}
// [/promise]

// [dump]
cordage::task<> refresh(const char* what) {
  std::printf("refreshing %s\n", what);
  co_await cordage::sleep_for(24h);
}

cordage::task<> show_what_runs() {
  auto prices = cordage::spawn({.name = "prices"}, refresh, "prices");
  auto names = cordage::spawn({.name = "names"}, refresh, "names");
  co_await cordage::yield_now();                                  // they begin
  std::printf("%s", cordage::dump().c_str());                     // or dump(cordage::dump_format::json)
  prices.request_stop();
  names.request_stop();
}
// [/dump]

// [channel]
cordage::task<> talk() {
  cordage::channel<std::string> lines(16);                        // as many may be under way
  auto produce = [&]() -> cordage::task<> {
    for (const char* line : {"one", "two", "three"}) co_await !lines.send(line);
    lines.close();
  };
  auto consume = [&] {                                            // on a fiber
    while (auto line = cordage::await(lines.receive())) std::printf("%s ", line->c_str());
    std::printf("and no more\n");
  };
  co_await cordage::when_all(produce(), cordage::fiber{consume});
}
// [/channel]

// [take_back]
cordage::task<> hand_over_or_keep(cordage::channel<std::string>& lines, std::string line) {
  auto sending = lines.send(std::move(line));                     // has a name, so it can be asked, and awaited, again
  const cordage::result<> sent = co_await cordage::with_timeout(5ms, sending);
  if (!sent) std::printf("kept: %s\n", sending.take_back()->c_str());
}
// [/take_back]

// [select]
cordage::task<> whichever_comes_first(cordage::channel<int>& orders, cordage::manual_reset_event& closing_time) {
  for (;;) {
    auto [order, closing, nobody] =
        co_await cordage::select(orders.receive(), closing_time.wait(), cordage::sleep_for(1h));
    if (order) std::printf("order %d\n", order->value());
    if (closing || nobody) co_return;
  }
}
// [/select]

cordage::task<> selecting() {
  cordage::channel<int> orders(4);
  cordage::manual_reset_event closing_time;
  auto customers = [&]() -> cordage::task<> {
    co_await !orders.send(1);
    co_await !orders.send(2);
    while (orders.size() != 0) co_await cordage::yield_now();
    closing_time.set();
  };
  co_await cordage::when_all(whichever_comes_first(orders, closing_time), customers());
}

// [mutex]
cordage::task<> append(cordage::mutex& alone, std::string& text, std::string_view word) {
  auto held = co_await alone.lock();                              // in a fiber: await(alone.lock())
  text += word;
  co_await cordage::yield_now();                                  // may wait while it holds it
  text += ' ';
}

cordage::task<> in_turn() {
  cordage::mutex alone;
  std::string text;
  co_await cordage::when_all(append(alone, text, "first"), append(alone, text, "second"));
  std::printf("%s\n", text.c_str());
}
// [/mutex]

// [guarded]
cordage::task<> fill(cordage::guarded<int>& level) {
  for (int i = 0; i < 3; ++i) {
    auto held = co_await level.lock();
    ++*held;
  }                                                               // unlocked: who waits for what is true now has it
}

cordage::task<> wait_until_full(cordage::guarded<int>& level) {
  auto held = co_await level.wait_until([](int now) { return now == 3; });
  std::printf("full at %d\n", *held);
}

cordage::task<> fill_and_wait() {
  cordage::guarded level(0);
  co_await cordage::when_all(wait_until_full(level), fill(level));
}
// [/guarded]

// [broadcast]
cordage::task<> listen(cordage::broadcast<std::string>::receiver news) {
  for (;;) {
    const cordage::result<std::string> next = co_await news.receive();
    if (next) std::printf("%s\n", next->c_str());
    if (!next && next.error() == cordage::errc::lagged) std::printf("missed %d\n", static_cast<int>(news.missed()));
    if (!next && next.error() == cordage::errc::closed) co_return;
  }
}

cordage::task<> spread_the_news() {
  cordage::broadcast<std::string> news(2);                        // keeps the two newest
  auto listener = cordage::spawn(listen, news.subscribe());
  for (const char* each : {"old", "recent", "new"}) news.send(each);   // never waits
  news.close();
  (void)co_await listener;
}
// [/broadcast]

// [deadlock]
void find_the_deadlock() {
  cordage::mutex left, right;
  auto take = [](cordage::mutex& first, cordage::mutex& second) -> cordage::task<> {
    auto one = co_await first.lock();
    co_await cordage::yield_now();
    auto other = co_await second.lock();
  };
  cordage::runtime runtime({.fail_on_deadlock = true});
  runtime.spawn({.name = "alice"}, take, std::ref(left), std::ref(right));
  runtime.spawn({.name = "bob"}, take, std::ref(right), std::ref(left));
  try {
    runtime.run(cordage::yield_now());
  } catch (const cordage::deadlock_error& e) {
    std::printf("%s", e.what());
  }
}
// [/deadlock]

cordage::task<> everything() {
  co_await print_sum();
  co_await print_powers();
  co_await told_by_a_thread();
  co_await both_ways();
  co_await cordage::fiber{other_way_round};
  co_await in_the_background();
  co_await first_failure_stops_the_rest();
  co_await one_failure_is_nobody_elses();
  co_await a_few_at_a_time();
  co_await stopped();
  (void)co_await several_at_once();
  co_await no_longer_than();
  co_await in_any_case();
  co_await stopped_from_elsewhere();
  co_await serve_request("4711");
  co_await talk();
  cordage::channel<std::string> nobody_receives;
  co_await hand_over_or_keep(nobody_receives, "a line");
  co_await selecting();
  co_await in_turn();
  co_await fill_and_wait();
  co_await spread_the_news();
  co_await show_what_runs();
  co_await ask_an_echo();
  co_await serve_one_greeting();
}

}  // namespace

int main() try {
  a_year_in_a_moment();
  find_the_deadlock();
  cordage::run(everything());
  return 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "guide: %s\n", e.what());
  return 1;
}
