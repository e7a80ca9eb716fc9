// SPDX-License-Identifier: Apache-2.0
#include "core/storage/sqlite.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <functional>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

namespace impound::test {
namespace {

Errc code_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    return error.code();
  }
  FAIL("nothing was thrown");
  return Errc::io;
}

TEST_CASE("Rows come back as they were bound, whatever the file is called",
          "[storage]") {
  const TempDir folder;
  const auto path = folder.path() / "a?mode=memory&b#c%20d é.db";
  {
    const Database db(path, Database::Mode::create);
    db.execute("CREATE TABLE t(n INTEGER PRIMARY KEY, s TEXT NOT NULL) STRICT");
    Statement insert = db.prepare("INSERT INTO t VALUES(:n, :s)");
    insert.bind(":n", 7).bind(":s", std::string_view("x\0y", 3)).run();
    insert.reset();
    insert.bind(":n", 8).bind(":s", std::string_view()).run();
    db.stamp(42, 3);
    CHECK(db.text_of("PRAGMA synchronous") == "2");
  }
  CHECK(std::filesystem::exists(path));
  const Database db(path, Database::Mode::read_only);
  CHECK(db.application_id() == 42);
  CHECK(db.user_version() == 3);
  Statement rows = db.prepare("SELECT n, s, NULL FROM t ORDER BY n");
  REQUIRE(rows.step());
  CHECK(rows.integer(0) == 7);
  CHECK(rows.text(1) == std::string_view("x\0y", 3));
  CHECK(rows.is_null(2));
  REQUIRE(rows.step());
  CHECK_FALSE(rows.is_null(1));
  CHECK_FALSE(rows.step());
  CHECK(code_of([&] { db.execute("DELETE FROM t"); }) == Errc::io);
}

/// The kind of lock that another process would find in the way of writing
/// this byte range of a file: F_UNLCK if none.
short lock_in_the_way(int fd, off_t start, off_t length) {
  struct flock ask {};
  ask.l_type = F_WRLCK;
  ask.l_whence = SEEK_SET;
  ask.l_start = start;
  ask.l_len = length;
  REQUIRE(::fcntl(fd, F_OFD_GETLK, &ask) == 0);
  return ask.l_type;
}

TEST_CASE("Nothing that is read gives up the locks of an open database",
          "[storage]") {
  const TempDir folder;
  const auto path = folder.path() / "a.db";
  std::filesystem::path shm = path;
  shm += "-shm";
  // Not closed before the end: that is what would give up the locks.
  int database_fd = -1;
  int shm_fd = -1;
  {
    const Database db(path, Database::Mode::create);
    db.execute("CREATE TABLE t(n INTEGER) STRICT; INSERT INTO t VALUES(1)");
    database_fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    shm_fd = ::open(shm.c_str(), O_RDWR | O_CLOEXEC);
    const auto is_held = [&] {
      // sqlite3, os_unix.c: SHARED_FIRST and its 510 bytes; UNIX_SHM_DMS.
      return lock_in_the_way(database_fd, 0x40000002, 510) == F_RDLCK &&
             lock_in_the_way(shm_fd, 128, 1) == F_RDLCK;
    };
    REQUIRE(is_held());
    std::filesystem::create_hard_link(path, folder.path() / "second");
    std::filesystem::create_symlink(path, folder.path() / "link");
    for (const std::filesystem::path& name :
         {path, shm, std::filesystem::path(path.native() + "-wal"),
          folder.path() / "second", folder.path() / "link",
          std::filesystem::path("/proc/self/fd") /
              std::to_string(database_fd)}) {
      INFO(name);
      const auto opened = open_read(name, Links::follow);
      CHECK_FALSE(opened);
      CHECK(opened.failure().message().find("locks") != std::string::npos);
      CHECK(is_held());
    }
    CHECK_THROWS_AS(open_source(path), Error);
    CHECK(is_held());
    // Another file, though, is read.
    CHECK(open_read(folder.write("b", "x")));
  }
  CHECK(open_read(path));
  const Database db(path, Database::Mode::read_only);
  CHECK(open_read(path));  // who only reads has nothing to lose
  ::close(database_fd);
  ::close(shm_fd);
}

TEST_CASE("A transaction that is not committed never happened", "[storage]") {
  const TempDir folder;
  const Database db(folder.path() / "a.db", Database::Mode::create);
  db.execute("CREATE TABLE t(n INTEGER) STRICT");
  {
    const Transaction act(db, "locked");
    db.execute("INSERT INTO t VALUES(1)");
  }
  CHECK(db.integer_of("SELECT count(*) FROM t") == 0);
  Transaction act(db, "locked");
  db.execute("INSERT INTO t VALUES(1)");
  Database other(folder.path() / "a.db", Database::Mode::write);
  other.set_busy_timeout(10);
  CHECK_FALSE(other.try_begin_immediate());
  CHECK_THROWS_WITH(Transaction(other, "the case is locked"),
                    Catch::StartsWith("the case is locked: "));
  act.commit();
  CHECK(other.integer_of("SELECT count(*) FROM t") == 1);
}

TEST_CASE("What is no database is malformed, what is absent is io",
          "[storage][hostile]") {
  const TempDir folder;
  const auto text = folder.write("text.db", std::string(5000, 'x'));
  CHECK(code_of([&] { Database(text, Database::Mode::read_only); }) ==
        Errc::malformed);
  CHECK(code_of([&] {
          Database(folder.path() / "none.db", Database::Mode::write);
        }) == Errc::io);
  const Database db(folder.path() / "a.db", Database::Mode::create);
  CHECK_THROWS_AS(db.prepare("SELECT \"no such column\""), Error);
  db.execute(
      "CREATE TABLE t(n INTEGER UNIQUE) STRICT; INSERT INTO t VALUES(1)");
  CHECK(code_of([&] { db.execute("INSERT INTO t VALUES(1)"); }) ==
        Errc::integrity);
  // DEFENSIVE: nobody edits the schema behind SQLite's back.
  CHECK_THROWS_AS(
      db.execute("PRAGMA writable_schema=ON; DELETE FROM sqlite_schema"),
      Error);
}

TEST_CASE(
    "A pipe in the place of a database or of its log is refused, not waited "
    "for",
    "[storage]") {
  const TempDir folder;
  const auto path = folder.path() / "case.db";
  for (const char* end : {"", "-wal", "-shm", "-journal"}) {
    INFO("case.db" << end);
    if (*end != '\0')
      Database(path, Database::Mode::create).execute("SELECT 1");
    const std::filesystem::path pipe = path.native() + end;
    std::filesystem::remove(pipe);
    REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
    for (const auto mode :
         {Database::Mode::read_only, Database::Mode::immutable,
          Database::Mode::write, Database::Mode::create}) {
      CHECK(code_of([&] { const Database db(path, mode); }) == Errc::malformed);
    }
    std::filesystem::remove(pipe);
  }
}

TEST_CASE("A copy by VACUUM INTO is one file and is never overwritten",
          "[storage]") {
  const TempDir folder;
  const Database db(folder.path() / "a.db", Database::Mode::create);
  db.execute("CREATE TABLE t(n INTEGER) STRICT; INSERT INTO t VALUES(5)");
  const auto copy = folder.path() / "it's a copy.db";
  db.vacuum_into(copy);
  CHECK(
      Database(copy, Database::Mode::immutable).integer_of("SELECT n FROM t") ==
      5);
  CHECK_FALSE(std::filesystem::exists(copy.string() + "-wal"));
  CHECK_THROWS_AS(db.vacuum_into(copy), Error);
}

}  // namespace
}  // namespace impound::test
