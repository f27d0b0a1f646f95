// examples/sqlite_on_fibers: waits inside of SQLite's callbacks, against a database on disk.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "child_process.hpp"

namespace {

using namespace support;

class sqlite_on_fibers : public testing::Test {
 protected:
  sqlite_on_fibers() { std::filesystem::create_directory(directory_); }
  ~sqlite_on_fibers() override { std::filesystem::remove_all(directory_); }

  ending run(std::vector<std::string> options) {
    std::vector<std::string> command{CORDAGE_EXAMPLES_DIR "/sqlite_on_fibers", "--database", database_};
    command.insert(command.end(), options.begin(), options.end());
    child_process program(command);
    return program.wait();
  }

  const std::filesystem::path directory_ =
      std::filesystem::temp_directory_path() / ("sqlite_on_fibers_test." + std::to_string(::getpid()));
  const std::string database_ = directory_ / "rows.db";
};

TEST_F(sqlite_on_fibers, writers_wait_for_each_other_inside_of_the_library_and_lose_no_row) {
  const ending how = run({"--writers", "8", "--rows", "10", "--deadline", "10ms"});
  EXPECT_EQ(how.exit_code, 0) << how;
  EXPECT_EQ(how.output,
            "the writers have waited inside of SQLite for each other\na query without end: timed out\n"
            "80 rows of 8 writers; integrity: ok\n");
  EXPECT_EQ(how.errors, "");
}

TEST_F(sqlite_on_fibers, one_writer_waits_for_nobody) {
  const ending how = run({"--writers", "1", "--rows", "10", "--deadline", "10ms"});
  EXPECT_TRUE(how.output.starts_with("nobody has waited")) << how;
}

// Else the first of these tests would show nothing.
TEST_F(sqlite_on_fibers, without_a_busy_handler_that_waits_they_fail) {
  const ending how = run({"--when-locked", "fail"});
  EXPECT_EQ(how.exit_code, 1);
  EXPECT_EQ(how.errors, "sqlite_on_fibers: BEGIN IMMEDIATE: database is locked\n");
}

TEST_F(sqlite_on_fibers, says_what_is_wrong_with_a_database) {
  std::ofstream(database_) << std::string(8192, 'x');
  ending how = run({});
  EXPECT_EQ(how.exit_code, 1);
  EXPECT_EQ(how.errors, "sqlite_on_fibers: DROP TABLE IF EXISTS rows: file is not a database\n");
  how = run({"--database", directory_ / "nowhere" / "rows.db"});
  EXPECT_EQ(how.exit_code, 1);
  EXPECT_TRUE(how.errors.ends_with(": unable to open database file\n")) << how.errors;
}

TEST_F(sqlite_on_fibers, refuses_a_wrong_command_line) {
  const ending how = run({"--writers", "none"});
  EXPECT_EQ(how.exit_code, 2);
  EXPECT_TRUE(how.errors.starts_with("sqlite_on_fibers: --writers takes a number from 1")) << how.errors;
}

}  // namespace
