// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The door to SQLite: one open database, its statements, its transactions.
/// Hardened for files that come from somebody else.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/handle.hpp"
#include "core/base/held_locks.hpp"

struct sqlite3;
struct sqlite3_stmt;
extern "C" int sqlite3_close_v2(sqlite3*);
extern "C" int sqlite3_finalize(sqlite3_stmt*);

namespace impound {

class Database;

/// One compiled statement. Bind by name, step, read columns from 0.
/// The database outlives it.
class Statement {
 public:
  /// @throws Error{bad_input} if the statement has no such parameter.
  Statement& bind(const char* name, std::int64_t value);
  Statement& bind(const char* name, std::string_view value);

  /// @return true while there is a row to read.
  /// @throws as Database::execute() does.
  [[nodiscard]] bool step();
  /// Runs a statement that yields no rows.
  void run();
  /// Makes it ready for another step(), bindings kept.
  void reset();

  [[nodiscard]] std::int64_t integer(int column) const;
  /// Text of the column, empty for NULL; lives until the next step().
  [[nodiscard]] std::string_view text(int column) const;
  [[nodiscard]] bool is_null(int column) const;
  [[nodiscard]] std::vector<std::string> column_names() const;

 private:
  friend class Database;
  Statement(const Database& database, sqlite3_stmt* raw)
      : database_(&database), handle_(raw) {}

  const Database* database_;
  Handle<sqlite3_stmt, sqlite3_finalize> handle_;
};

/// An open database file. Not shared between threads, not movable: statements
/// point at it.
///
/// Every mode: DEFENSIVE on, TRUSTED_SCHEMA off, double-quoted strings off,
/// foreign keys on, cell sizes checked, extensions off. Writing modes: WAL with
/// synchronous=FULL, so that a commit that returned is durable.
class Database {
 public:
  enum class Mode : std::uint8_t {
    read_only,
    immutable,  ///< the file cannot change: no locks, no -wal, no -shm
    write,      ///< must exist
    create,     ///< must be absent or of length 0
  };

  /// @throws Error{io} with SQLite's own words if the file cannot be opened,
  ///         Error{malformed} if it is no database.
  Database(const std::filesystem::path& path, Mode mode);
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// How long a lock of another process is waited for.
  void set_busy_timeout(int milliseconds);

  [[nodiscard]] Statement prepare(std::string_view sql) const;

  /// One or more statements without parameters.
  /// @throws Error{io} (the operating system refused, a lock was not got, the
  ///         disk is full), Error{malformed} (damaged file), Error{integrity}
  ///         (a constraint or trigger refused), each with SQLite's words.
  void execute(std::string_view sql) const;

  /// First column of the first row; 0 or empty if there is none.
  [[nodiscard]] std::int64_t integer_of(std::string_view sql) const;
  [[nodiscard]] std::string text_of(std::string_view sql) const;

  [[nodiscard]] std::int64_t application_id() const;
  [[nodiscard]] std::int64_t user_version() const;
  void stamp(std::int32_t application_id, std::int32_t user_version) const;

  /// Begins a writing transaction, or false if another process kept the lock
  /// for the whole busy timeout.
  [[nodiscard]] bool try_begin_immediate() const;

  /// Writes a defragmented, consistent copy that holds no trace of the WAL.
  /// @throws Error{io} if `file` exists or cannot be written.
  void vacuum_into(const std::filesystem::path& file) const;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  friend class Statement;
  [[noreturn]] void fail(std::string_view act, int code) const;
  [[nodiscard]] int begin_immediate() const;

  std::filesystem::path path_;
  /// Of a writing mode. Ends after the handle is closed.
  std::optional<LockedFiles> locked_;
  Handle<sqlite3, sqlite3_close_v2> handle_;
};

/// Rolls back unless commit() was called.
class Transaction {
 public:
  /// @throws Error{io} with `locked` in front if another process kept the lock.
  Transaction(const Database& database, std::string_view locked);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  void commit();

 private:
  const Database& database_;
  bool open_ = true;
};

}  // namespace impound
