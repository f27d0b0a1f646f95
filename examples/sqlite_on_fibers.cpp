// sqlite_on_fibers: SQLite, a library of C that knows nothing of us, waits inside of its own callbacks.
//
// Several fibers write to one database. Who finds it locked is asked by SQLite's busy handler whether to try again: the handler
// awaits, in the middle of SQLite's functions, and the others go on. A query without end is interrupted by its deadline, since
// the progress handler lets others have their turn.
#include <sqlite3.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <cordage/cordage.hpp>

#include "support/command_line.hpp"

namespace {

using namespace std::chrono_literals;

struct options {
  std::string database;
  std::size_t writers = 4;
  std::size_t rows = 50;
  std::chrono::milliseconds deadline = 100ms;
  std::string when_locked = "wait";
};

constexpr const char* usage =
    "usage: sqlite_on_fibers [--help] --database FILE [--writers N] [--rows N] [--deadline TIME] [--when-locked wait|fail]\n"
    "  --database FILE   made if there is none; the table `rows` in it is made anew\n"
    "  --writers N       fibers that write at the same time (4)\n"
    "  --rows N          rows of each, one transaction for each row (50)\n"
    "  --deadline TIME   how long the query without end may run, as 100ms (100ms)\n"
    "  --when-locked W   wait: the busy handler awaits; fail: without one, as a comparison (wait)\n";

// What SQLite calls from inside of its functions, on whichever fiber called these. A stop would unwind the fiber, and SQLite's
// functions with it, which nobody has written for that. So each wait is shielded, and the callback says what a stop is to be.
// [callbacks]
struct patience {
  cordage::stop_token stop = cordage::await(cordage::this_strand::stop_token());
  std::uint64_t waits = 0;
};

int wait_for_others(void* context, int attempts) noexcept {
  auto& fiber = *static_cast<patience*>(context);
  ++fiber.waits;
  cordage::await(cordage::shield(cordage::sleep_for(std::min(attempts + 1, 10) * 1ms)));
  return !fiber.stop.stop_requested();                            // 0 is SQLITE_BUSY
}

int let_others_go_on(void* context) noexcept {
  cordage::await(cordage::shield(cordage::yield_now()));
  return static_cast<patience*>(context)->stop.stop_requested();  // 1 is SQLITE_INTERRUPT
}
// [/callbacks]

// One fiber's connection. SQLite's locks are of threads, and all our fibers are on one: they would not keep two fibers from
// using the same connection, so each has its own.
class connection {
 public:
  explicit connection(const options& how) {
    sqlite3* opened = nullptr;
    const int status = sqlite3_open(how.database.c_str(), &opened);
    handle_.reset(opened);                                        // there is one also where it failed
    if (status != SQLITE_OK) fail("opening " + how.database);
    if (how.when_locked == "wait") sqlite3_busy_handler(opened, wait_for_others, &patience_);
    sqlite3_progress_handler(opened, 1000, let_others_go_on, &patience_);
  }

  // Gives the first column of the first row, if there is one.
  // [run]
  std::string run(const std::string& sql) {
    sqlite3_stmt* made = nullptr;
    if (sqlite3_prepare_v2(handle_.get(), sql.c_str(), -1, &made, nullptr) != SQLITE_OK) fail(sql);
    const std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> statement(made, sqlite3_finalize);
    const int status = sqlite3_step(made);                        // may suspend the fiber, in a callback
    if (status == SQLITE_INTERRUPT) cordage::await(cordage::stopped());
    if (status != SQLITE_ROW && status != SQLITE_DONE) fail(sql);
    const unsigned char* const text = status == SQLITE_ROW ? sqlite3_column_text(made, 0) : nullptr;
    return text == nullptr ? std::string() : reinterpret_cast<const char*>(text);
  }
  // [/run]

  // How often it found the database locked.
  std::uint64_t waits() const { return patience_.waits; }

 private:
  [[noreturn]] void fail(const std::string& what) { throw std::runtime_error(what + ": " + sqlite3_errmsg(handle_.get())); }

  patience patience_;
  std::unique_ptr<sqlite3, decltype(&sqlite3_close)> handle_{nullptr, sqlite3_close};
};

// [write]
std::uint64_t write_rows(const options& how, std::size_t writer) {
  connection database(how);
  for (std::size_t i = 0; i < how.rows; ++i) {
    database.run("BEGIN IMMEDIATE");
    database.run("INSERT INTO rows VALUES (" + std::to_string(writer) + ", " + std::to_string(i) + ")");
    cordage::await(cordage::yield_now());                         // the others come, and find it locked
    database.run("COMMIT");
  }
  return database.waits();
}
// [/write]

// [query]
std::string count_for_ever(const options& how) {
  connection database(how);
  return database.run("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n");
}
// [/query]

std::string prepare(const options& how) {
  connection database(how);
  database.run("DROP TABLE IF EXISTS rows");
  return database.run("CREATE TABLE rows (writer INTEGER, number INTEGER, PRIMARY KEY (writer, number))");
}

std::string what_there_is(const options& how) {
  connection database(how);
  return database.run("SELECT count(*) FROM rows") + " rows of " + database.run("SELECT count(DISTINCT writer) FROM rows") +
         " writers; integrity: " + database.run("PRAGMA integrity_check");
}

// SQLite is written for the stacks of threads. Reserving more than it needs costs nothing until it is touched.
template <class F, class... Args>
auto on_large_stack(F function, Args... arguments) {
  return cordage::fiber(cordage::fiber_options{.stack_size = 256 * 1024}, function, arguments...);
}

// [all]
cordage::task<std::uint64_t> write_at_the_same_time(const options& how) {
  std::vector<cordage::fiber<std::uint64_t>> writers;
  for (std::size_t i = 0; i < how.writers; ++i) writers.push_back(on_large_stack(write_rows, std::cref(how), i));
  std::uint64_t waits = 0;
  for (const std::uint64_t each : co_await cordage::when_all(std::move(writers))) waits += each;
  co_return waits;
}

cordage::task<> write_and_query(const options& how) {
  co_await on_large_stack(prepare, std::cref(how));
  const std::uint64_t waits = co_await write_at_the_same_time(how);
  std::printf("%s inside of SQLite for each other\n", waits > 0 ? "the writers have waited" : "nobody has waited");
  const auto counted = co_await cordage::with_timeout(how.deadline, on_large_stack(count_for_ever, std::cref(how)));
  std::printf("a query without end: %s\n", counted ? "has ended" : counted.error().message().c_str());
  const std::string left = co_await on_large_stack(what_there_is, std::cref(how));
  std::puts(left.c_str());
}
// [/all]

}  // namespace

int main(int argc, char** argv) {
  return support::run_program("sqlite_on_fibers", usage, [&] {
    options how;
    support::take_only_options(argc, argv, {{"database", support::into(how.database)}, {"writers", support::into<std::size_t>(how.writers, 1, 500)},
                                            {"rows", support::into(how.rows)}, {"deadline", support::into(how.deadline)},
                                            {"when-locked", support::into(how.when_locked)}});
    if (how.database.empty()) throw support::usage_error("--database FILE is required");
    if (how.when_locked != "wait" && how.when_locked != "fail")
      throw support::usage_error("--when-locked is wait or fail, not " + support::quoted(how.when_locked));
    cordage::run(write_and_query(how));
    return 0;
  });
}
