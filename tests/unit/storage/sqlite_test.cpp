// SPDX-License-Identifier: Apache-2.0
#include "core/storage/sqlite.hpp"

#include <functional>

#include "core/base/error.hpp"
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
