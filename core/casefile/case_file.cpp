// SPDX-License-Identifier: Apache-2.0
#include "core/casefile/case_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/base/durable_folders.hpp"
#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/casefile/case_file_impl.hpp"
#include "core/casefile/export_list.hpp"
#include "core/casefile/schema.hpp"
#include "core/casefile/self_test.hpp"

namespace impound {
namespace {

constexpr std::size_t kNonceBytes = 16;
/// A case that is being made; renamed when its first entry is durable.
constexpr const char* kUnfinishedDatabase = "case.db.partial";

bool is_case_id(std::string_view id) {
  return !id.empty() && id.size() <= 64 && id != "." && id != ".." &&
         std::ranges::all_of(id, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
         });
}

/// Beside a database; alone they are what an attempt left that was taken back.
constexpr std::array<std::string_view, 3> kDatabaseSides{
    "case.db-wal", "case.db-shm", "case.db-journal"};

/// @throws Error{bad_input} that names the case in the folder.
[[noreturn]] void refuse_second_case(const fs::path& folder,
                                     const Clock& clock) {
  std::string which;
  try {
    const CaseFile there(folder, CaseMode::read_only, clock);
    const CaseSummary summary = there.summary();
    which = fmt::format("{}, opened {}: go on in it", printable(summary.id),
                        summary.opened_at);
  } catch (const Error& error) {
    which = fmt::format("which cannot be read: {}", error.what());
  }
  throw Error(Errc::bad_input,
              fmt::format("{} holds a case already, {}; a new case needs a "
                          "folder of its own",
                          printable(folder.native()), which));
}

/// A folder may be made into a case if it holds nothing, or only what an
/// interrupted attempt of ours left [I11].
void clear_unfinished(const fs::path& folder, const Clock& clock) {
  const auto names = list_directory(folder);
  if (!names) {
    if (names.failure().is_missing()) return;
    throw Error(Errc::io, fmt::format("cannot read folder {}: {}",
                                      printable(folder.native()),
                                      names.failure().message()));
  }
  if (std::ranges::find(*names, kCaseDatabase) != names->end()) {
    refuse_second_case(folder, clock);
  }
  std::vector<std::string> leftovers;
  for (const std::string& name : *names) {
    if (name.starts_with(kUnfinishedDatabase) ||
        std::ranges::find(kDatabaseSides, name) != kDatabaseSides.end()) {
      leftovers.push_back(name);
      continue;
    }
    const auto inside = list_directory(folder / name);
    const bool ours =
        (name == "evidence" || name == "reports") && inside && inside->empty();
    if (!ours) {
      throw Error(Errc::bad_input,
                  fmt::format("{} is not empty: a new case needs a folder of "
                              "its own",
                              printable(folder.native())));
    }
  }
  std::error_code failure;
  for (const std::string& name : leftovers) fs::remove(folder / name, failure);
}

/// Removes what a failed attempt made, as far as that can be done: the folder
/// held nothing else, and clear_unfinished() sees to what stays.
void withdraw(const fs::path& folder) {
  std::error_code failure;
  fs::rename(folder / kCaseDatabase, folder / kUnfinishedDatabase, failure);
  // What cannot be taken back stays whole; refuse_second_case() says what it
  // is.
  if (stat_path(folder / kCaseDatabase, Links::refuse)) return;
  for (const char* const end : {"-wal", "-shm"}) {
    fs::remove(folder / (std::string(kCaseDatabase) + end), failure);
  }
  for (const char* const end : {"", "-wal", "-shm", "-journal"}) {
    fs::remove(folder / (std::string(kUnfinishedDatabase) + end), failure);
  }
  for (const char* const name : {"evidence", "reports"}) {
    fs::remove(folder / name, failure);  // not if something is in it
  }
}

EntryDraft genesis(const CaseOpening& opening, const Examiner& examiner,
                   const std::string& nonce, const Database& database) {
  EntryDraft draft;
  draft.action = "case.open";
  draft.purpose = "open the case";
  draft.detail = {
      {"title", opening.title},
      {"lead", opening.lead.empty() ? examiner.actor.name : opening.lead},
      {"org", opening.org},
      {"hold_reference", opening.hold_reference},
      {"nonce", nonce},
      {"self_test", run_self_test(database)}};
  if (!draft.detail["self_test"]["passed"].get<bool>()) {
    throw Error(Errc::integrity, "the self test failed, no case is opened: " +
                                     dump_line(draft.detail["self_test"]));
  }
  return draft;
}

/// Moves everything that was committed from the WAL into the file itself, so
/// that the file alone is the database. Closing does the same, and cannot say
/// that it failed.
void bring_up_to_date(const Database& database, const fs::path& file) {
  Statement result = database.prepare("PRAGMA wal_checkpoint(TRUNCATE)");
  if (!result.step() || result.integer(0) != 0) {
    throw Error(Errc::io, fmt::format("cannot bring {} up to date: another "
                                      "process reads it",
                                      printable(file.native())));
  }
}

void write_genesis(const fs::path& file, const CaseOpening& opening,
                   const Examiner& examiner, const Clock& clock) {
  const std::string nonce = to_hex(random_bytes(kNonceBytes));
  const Database database(file, Database::Mode::create);
  Transaction transaction(database, "the new case is locked");
  create_schema(database);
  const Recording recording =
      make_recording(clock, examiner, read_host_facts(), read_tool_facts());
  EntryDraft draft = genesis(opening, examiner, nonce, database);
  draft.detail["signer"] = SignerCard::of(examiner).to_json();
  draft.detail["signer"]["rights"] = Rights::all().text();
  draft.detail["signers"] = kVouched;
  draft.detail["approvals"] = opening.approvals;
  const Entry entry = make_entry({.case_id = opening.case_id,
                                  .nonce = nonce,
                                  .seq = 1,
                                  .prev = genesis_prev()},
                                 draft, recording, examiner.key);
  Statement insert =
      database.prepare("INSERT INTO custody VALUES(1, :line, :signature)");
  insert.bind(":line", entry.line).bind(":signature", entry.signature);
  insert.run();
  transaction.commit();
  // Only the file itself gets its final name.
  bring_up_to_date(database, file);
}

fs::path database_in(const fs::path& folder) {
  fs::path file = folder / kCaseDatabase;
  const auto stat = stat_path(file, Links::follow);
  if (!stat) {
    throw Error(Errc::io,
                fmt::format("no case in {}: {}: {}", printable(folder.native()),
                            kCaseDatabase, stat.failure().message()));
  }
  return file;
}

}  // namespace

CaseFile::Impl::Impl(fs::path case_folder, const fs::path& file,
                     CaseMode case_mode, const Clock& system_clock)
    : folder(std::move(case_folder)), mode(case_mode), clock(system_clock) {
  if (mode == CaseMode::write && is_export(folder)) {
    throw Error(Errc::bad_input,
                fmt::format("{} is an export: it is read and checked, never "
                            "written to; go on in the case itself",
                            printable(folder.native())));
  }
  database = std::make_unique<Database>(file, mode == CaseMode::write
                                                  ? Database::Mode::write
                                                  : Database::Mode::read_only);
  require_case_file(*database);
  if (mode == CaseMode::write) {
    // Version and objects of one state: another process may upgrade the file.
    database->execute("BEGIN");
    const auto departures = compare_schema(*database);
    database->execute("COMMIT");
    if (!departures.empty()) {
      throw Error(Errc::integrity,
                  fmt::format("{}: \"{}\" is not what this program made; "
                              "nothing is written to a changed case, see "
                              "impound custody verify",
                              printable(file.native()),
                              printable(departures.front().name)));
    }
  }
  Statement first = database->prepare(
      "SELECT json_extract(line,'$.case'), json_extract(line,'$.detail.nonce')"
      " FROM custody WHERE seq=1");
  if (!first.step() || first.is_null(0) || first.is_null(1)) {
    throw Error(Errc::malformed,
                fmt::format("{} is not an impound case: it has no first entry",
                            printable(file.native())));
  }
  id = first.text(0);
  nonce = first.text(1);
}

CaseFile::CaseFile(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
CaseFile::~CaseFile() = default;
CaseFile::CaseFile(CaseFile&&) noexcept = default;
CaseFile& CaseFile::operator=(CaseFile&&) noexcept = default;

CaseFile::CaseFile(const fs::path& folder, CaseMode mode, const Clock& clock)
    : impl_(std::make_unique<Impl>(folder, database_in(folder), mode, clock)) {}

CaseFile CaseFile::create(const fs::path& folder, const CaseOpening& opening,
                          const Examiner& examiner, const Clock& clock) {
  if (!is_case_id(opening.case_id)) {
    throw Error(Errc::bad_input,
                fmt::format("\"{}\" is no case id: 1 to 64 letters, digits, "
                            "dots, underscores and hyphens",
                            printable(opening.case_id)));
  }
  if (opening.approvals < 0) {
    throw Error(Errc::bad_input,
                fmt::format("{} approvals: expected 0 or more people who must "
                            "approve a containment",
                            opening.approvals));
  }
  clear_unfinished(folder, clock);
  create_folders_durably(folder);
  create_folders(folder / "evidence");
  create_folders(folder / "reports");
  const fs::path unfinished = folder / kUnfinishedDatabase;
  try {
    // Prompts and findings are nobody else's: no access for others.
    create_file(unfinished, 0660).reset();
    write_genesis(unfinished, opening, examiner, clock);
    rename_durably(unfinished, folder / kCaseDatabase);
    for (const char* const end : {"-wal", "-shm", "-journal"}) {
      remove_file(folder / (std::string(kUnfinishedDatabase) + end));
    }
    return {folder, CaseMode::write, clock};
  } catch (const Error&) {
    // A full disk shows itself after the rename as well, when the new case is
    // opened: a case that nobody was told of must not refuse the next attempt.
    withdraw(folder);
    throw;
  }
}

const std::string& CaseFile::id() const { return impl_->id; }
const fs::path& CaseFile::folder() const { return impl_->folder; }

std::vector<Entry> CaseFile::append(const std::vector<EntryDraft>& drafts,
                                    const Examiner& examiner,
                                    const std::vector<JournalRow>& journal) {
  return impl_->add({drafts, journal, nullptr, nullptr}, examiner);
}

std::vector<Entry> CaseFile::append(const std::vector<EntryDraft>& drafts,
                                    const Examiner& examiner,
                                    const JournalMaker& make) {
  return impl_->add({drafts, {}, make, nullptr}, examiner);
}

CaseFile::Reserved CaseFile::reserve_exhibit(
    EntryDraft begin, const Examiner& examiner,
    const std::function<void(const std::string& exhibit)>& claim) {
  Reserved reserved;
  Addition addition{{std::move(begin)}, {}, nullptr, nullptr};
  addition.prepare = [&](const ChainFold& fold, auto& drafts) {
    reserved.exhibit = fmt::format("E{:03}", fold.exhibits + 1);
    drafts.front().item = reserved.exhibit;
    if (claim) claim(reserved.exhibit);
  };
  reserved.entry = impl_->add(std::move(addition), examiner).front();
  return reserved;
}

CaseFile::ReservedRun CaseFile::reserve_run(EntryDraft start,
                                            const Examiner& examiner) {
  ReservedRun reserved;
  Addition addition{{std::move(start)}, {}, nullptr, nullptr};
  addition.prepare = [&](const ChainFold& fold, auto& drafts) {
    reserved.run = fmt::format("R{:03}", fold.runs + 1);
    drafts.front().run = reserved.run;
  };
  reserved.entry = impl_->add(std::move(addition), examiner).front();
  return reserved;
}

std::string CaseFile::sign_head(const Examiner& examiner) {
  return impl_->add_head(examiner, Impl::HeadEntry::append);
}

std::string CaseFile::sign_whole_chain(const Examiner& examiner) {
  return impl_->add_head(examiner, Impl::HeadEntry::none);
}

SignerRoll CaseFile::signers() const {
  // Only what is committed is here: nothing is written meanwhile.
  impl_->fold.catch_up(*impl_->database);
  return impl_->fold.roll;
}

void CaseFile::set_lock_wait(std::chrono::milliseconds wait) {
  impl_->database->set_busy_timeout(narrow<int>(wait.count()));
}

void CaseFile::copy_to(const fs::path& file) const {
  impl_->database->vacuum_into(file);
}

}  // namespace impound
