// SPDX-License-Identifier: Apache-2.0
#include "core/storage/sqlite.hpp"

#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <system_error>

#include "core/base/bytes.hpp"
#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/text.hpp"

namespace impound {
namespace {

/// SQLite takes a name of its own syntax; every byte that means something in a
/// URI is escaped.
std::string uri_of(const std::filesystem::path& path, std::string_view query) {
  std::string uri = "file:";
  for (const char c : path.native()) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       (c >= '0' && c <= '9') || c == '/' || c == '.' ||
                       c == '-' || c == '_';
    uri += plain ? std::string(1, c)
                 : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  uri += query;
  return uri;
}

Errc reason_of(int code) {
  switch (code & 0xff) {  // primary result code
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
      return Errc::malformed;
    case SQLITE_CONSTRAINT:
      return Errc::integrity;
    case SQLITE_TOOBIG:
      return Errc::limit;
    case SQLITE_RANGE:
    case SQLITE_MISUSE:
      return Errc::bad_input;
    default:
      return Errc::io;
  }
}

bool is_lock(int code) {
  const int primary = code & 0xff;
  return primary == SQLITE_BUSY || primary == SQLITE_LOCKED;
}

/// On a write-protected folder SQLite cannot make the files that readers of a
/// WAL database share; without a WAL there is nothing to share.
bool cannot_change(const std::filesystem::path& path) {
  std::filesystem::path folder = path.parent_path();
  if (folder.empty()) folder = ".";
  if (::access(folder.c_str(), W_OK) == 0) return false;
  std::filesystem::path wal = path;
  wal += "-wal";
  std::error_code absent;
  const auto size = std::filesystem::file_size(wal, absent);
  return absent || size == 0;
}

/// SQLite opens what is there: of a pipe it would wait for a writer, for ever.
void refuse_other_kinds(const std::filesystem::path& path) {
  for (const char* end : {"", "-wal", "-shm", "-journal"}) {
    const std::filesystem::path file = path.native() + end;
    const auto stat = stat_path(file, Links::follow);
    if (stat && stat->kind != FileKind::regular) {
      throw Error(Errc::malformed,
                  fmt::format("{} is a {}, expected a regular file",
                              printable(file.native()), to_string(stat->kind)));
    }
  }
}

/// What the operating system said where SQLite only says that it failed. Not of
/// a file that could not be opened: SQLite tries that in several ways, and the
/// last one need not be the one that tells. It goes on with what it may only
/// read, whatever the cause was, and says so when something is written.
std::string system_words(sqlite3* handle, int code) {
  if ((code & 0xff) == SQLITE_READONLY) {
    return "; it, or the -wal beside it, could only be opened read-only";
  }
  if (handle == nullptr || (code & 0xff) != SQLITE_IOERR) return "";
  const int number = sqlite3_system_errno(handle);
  return number == 0
             ? ""
             : "; " +
                   std::error_code(number, std::generic_category()).message();
}

void set_option(sqlite3* handle, int option, int value) {
  // Options that this SQLite does not know are refused with an error; the
  // minimum version in cmake/Dependencies.cmake knows all of them.
  int now = 0;
  if (sqlite3_db_config(handle, option, value, &now) != SQLITE_OK ||
      now != value) {
    throw Error(Errc::unsupported, "this SQLite lacks a safety option (" +
                                       std::to_string(option) + ")");
  }
}

}  // namespace

Database::Database(const std::filesystem::path& path, Mode mode) : path_(path) {
  if (mode == Mode::read_only && cannot_change(path)) mode = Mode::immutable;
  int flags = SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  std::string_view query = "?mode=rw";
  switch (mode) {
    case Mode::read_only:
      query = "?mode=ro";
      flags |= SQLITE_OPEN_READONLY;
      break;
    case Mode::immutable:
      query = "?mode=ro&immutable=1";
      flags |= SQLITE_OPEN_READONLY;
      break;
    case Mode::write:
      flags |= SQLITE_OPEN_READWRITE;
      break;
    case Mode::create:
      query = "?mode=rwc";
      flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
      break;
  }
  refuse_other_kinds(path);
  if (mode == Mode::write || mode == Mode::create) {
    locked_.emplace(std::vector<std::filesystem::path>{
        path, path.native() + "-wal", path.native() + "-shm"});
  }
  sqlite3* raw = nullptr;
  const int code =
      sqlite3_open_v2(uri_of(path, query).c_str(), &raw, flags, nullptr);
  handle_.reset(raw);  // set even on failure, and to be closed
  if (code != SQLITE_OK) fail("cannot open", code);

  set_option(raw, SQLITE_DBCONFIG_DEFENSIVE, 1);
  set_option(raw, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0);
  set_option(raw, SQLITE_DBCONFIG_DQS_DML, 0);
  set_option(raw, SQLITE_DBCONFIG_DQS_DDL, 0);
  set_option(raw, SQLITE_DBCONFIG_ENABLE_FKEY, 1);
  set_option(raw, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0);
  set_busy_timeout(30'000);
  // The first read of the header: a file that is no database is found here.
  execute("PRAGMA cell_size_check=ON; PRAGMA schema_version");
  if (mode == Mode::create || mode == Mode::write) {
    // SQLite falls back to reading where it may not write.
    if (sqlite3_db_readonly(raw, "main") != 0) {
      throw Error(Errc::io, fmt::format("cannot write to {}: it could only be "
                                        "opened read-only",
                                        printable(path_.native())));
    }
    const std::string journal = text_of("PRAGMA journal_mode=WAL");
    if (journal != "wal") {
      throw Error(Errc::io, fmt::format("{}: SQLite keeps a {} journal here, "
                                        "expected wal",
                                        printable(path_.native()), journal));
    }
    execute("PRAGMA synchronous=FULL");
  }
}

void Database::set_busy_timeout(int milliseconds) {
  if (sqlite3_busy_timeout(handle_.get(), milliseconds) != SQLITE_OK) {
    fail("cannot set the busy timeout of", SQLITE_MISUSE);
  }
}

void Database::fail(std::string_view act, int code) const {
  const char* words =
      handle_ == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(handle_.get());
  // What a statement stumbles on in a row is the file's fault, not the disk's.
  const bool is_row =
      (code & 0xff) == SQLITE_ERROR &&
      std::string_view(words).find("malformed JSON") != std::string_view::npos;
  throw Error(
      is_row ? Errc::malformed : reason_of(code),
      fmt::format("{} {}: {} (SQLite {}{})", act, printable(path_.native()),
                  words, code, system_words(handle_.get(), code)));
}

Statement Database::prepare(std::string_view sql) const {
  sqlite3_stmt* raw = nullptr;
  const int code = sqlite3_prepare_v2(handle_.get(), sql.data(),
                                      narrow<int>(sql.size()), &raw, nullptr);
  if (code != SQLITE_OK) fail("cannot ask", code);
  return {*this, raw};
}

void Database::execute(std::string_view sql) const {
  const int code = sqlite3_exec(handle_.get(), std::string(sql).c_str(),
                                nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail("cannot use", code);
}

std::int64_t Database::integer_of(std::string_view sql) const {
  Statement statement = prepare(sql);
  return statement.step() ? statement.integer(0) : 0;
}

std::string Database::text_of(std::string_view sql) const {
  Statement statement = prepare(sql);
  return statement.step() ? std::string(statement.text(0)) : std::string();
}

std::int64_t Database::application_id() const {
  return integer_of("PRAGMA application_id");
}

std::int64_t Database::user_version() const {
  return integer_of("PRAGMA user_version");
}

void Database::stamp(std::int32_t application_id,
                     std::int32_t user_version) const {
  execute(fmt::format("PRAGMA application_id={}; PRAGMA user_version={}",
                      application_id, user_version));
}

int Database::begin_immediate() const {
  return sqlite3_exec(handle_.get(), "BEGIN IMMEDIATE", nullptr, nullptr,
                      nullptr);
}

bool Database::try_begin_immediate() const {
  const int code = begin_immediate();
  if (is_lock(code)) return false;
  if (code != SQLITE_OK) fail("cannot write to", code);
  return true;
}

void Database::vacuum_into(const std::filesystem::path& file) const {
  Statement statement = prepare("VACUUM INTO :file");
  statement.bind(":file", std::string_view(file.native()));
  statement.run();
}

Statement& Statement::bind(const char* name, std::int64_t value) {
  const int index = sqlite3_bind_parameter_index(handle_.get(), name);
  const int code = sqlite3_bind_int64(handle_.get(), index, value);
  if (code != SQLITE_OK) database_->fail("cannot bind for", code);
  return *this;
}

Statement& Statement::bind(const char* name, std::string_view value) {
  const int index = sqlite3_bind_parameter_index(handle_.get(), name);
  // A null pointer would bind NULL where the empty text is meant.
  const char* text = value.data() == nullptr ? "" : value.data();
  const int code = sqlite3_bind_text64(handle_.get(), index, text, value.size(),
                                       SQLITE_TRANSIENT, SQLITE_UTF8);
  if (code != SQLITE_OK) database_->fail("cannot bind for", code);
  return *this;
}

bool Statement::step() {
  const int code = sqlite3_step(handle_.get());
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) {
    database_->fail(sqlite3_stmt_readonly(handle_.get()) != 0
                        ? "cannot read"
                        : "cannot write to",
                    code);
  }
  return false;
}

void Statement::run() {
  while (step()) {
  }
}

void Statement::reset() {
  // Repeats the error that step() already reported.
  static_cast<void>(sqlite3_reset(handle_.get()));
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(handle_.get(), column);
}

std::string_view Statement::text(int column) const {
  const auto* text = sqlite3_column_text(handle_.get(), column);
  if (text == nullptr) return {};
  return {
      reinterpret_cast<const char*>(text),
      static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column))};
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(handle_.get(), column) == SQLITE_NULL;
}

std::vector<std::string> Statement::column_names() const {
  std::vector<std::string> names;
  const int count = sqlite3_column_count(handle_.get());
  for (int i = 0; i < count; ++i) {
    const char* name = sqlite3_column_name(handle_.get(), i);
    names.emplace_back(name == nullptr ? "" : name);
  }
  return names;
}

Transaction::Transaction(const Database& database, std::string_view locked)
    : database_(database) {
  if (!database_.try_begin_immediate()) {
    throw Error(Errc::io, fmt::format("{}: {}", locked,
                                      printable(database_.path().native())));
  }
}

Transaction::~Transaction() {
  if (!open_) return;
  try {
    database_.execute("ROLLBACK");
  } catch (const Error&) {
    // SQLite rolls back itself on the errors that end a transaction; closing
    // the database does the rest.
  }
}

void Transaction::commit() {
  database_.execute("COMMIT");
  open_ = false;
}

}  // namespace impound
