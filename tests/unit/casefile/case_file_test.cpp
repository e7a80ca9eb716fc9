// SPDX-License-Identifier: Apache-2.0
#include "core/casefile/case_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <functional>

#include "core/base/error.hpp"
#include "core/casefile/entry_line.hpp"
#include "core/casefile/run_journal.hpp"
#include "core/casefile/schema.hpp"
#include "core/crypto/piece_digest.hpp"
#include "core/storage/sqlite.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/casefile/examiner.hpp"

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

std::vector<std::string> keys_of(const Json& json) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : json.items()) keys.push_back(key);
  return keys;
}

TEST_CASE("A new case opens with a genesis entry that says who and what",
          "[casefile]") {
  const Scene scene;
  CHECK(scene.file.id() == "IR-2026-001");
  CHECK(std::filesystem::is_directory(scene.folder / "evidence"));
  const auto entries = scene.file.entries();
  REQUIRE(entries.size() == 1);
  const Json& json = entries[0].json;
  CHECK(json["action"] == "case.open");
  CHECK(json["prev"] == std::string(64, '0'));
  CHECK(json["ts"] == "2026-11-23T00:00:00.000000Z");
  CHECK(json["detail"]["lead"] == "Eve Example");
  CHECK(json["detail"]["self_test"]["passed"] == true);
  // The SHA-256 that seals bundles may be our own: it is tested and named.
  CHECK(json["detail"]["self_test"]["sha256_kernel"] == PieceDigest::kernel());
  CHECK_THAT(json["detail"]["self_test"]["tests"][1]["name"].get<std::string>(),
             Catch::Contains("that seals bundles (" +
                             std::string(PieceDigest::kernel())));
  CHECK(json["tool"]["sha256"].get<std::string>().size() == 64);
  const std::string fingerprint =
      scene.eve.key.public_key().fingerprint().hex();
  CHECK(json["actor"]["auth"] == "os uid 1000 (eve), key " + fingerprint);
  CHECK(PublicKey::from_pem(
            json["detail"]["signer"]["public_key"].get<std::string>(), "pem") ==
        scene.eve.key.public_key());
  CHECK(json["detail"]["hold_reference"] == "HOLD-7");
  CHECK(json["detail"]["approvals"] == 1);
  CHECK(std::prev(json["detail"].end()).key() == "approvals");
}

TEST_CASE("Lines have the keys of SCHEMA.md in their order, linked and signed",
          "[casefile]") {
  Scene scene;
  for (int i = 0; i < 5; ++i) {
    scene.clock.advance(1'000'000'000);
    (void)scene.file.append({note_draft("note " + std::to_string(i))},
                            scene.eve);
  }
  const PublicKey key = scene.eve.key.public_key();
  std::string prev(64, '0');
  std::int64_t seq = 0;
  for (const Entry& entry : scene.file.entries()) {
    const auto keys = keys_of(entry.json);
    CHECK(std::vector<std::string>(kEntryKeys.begin(), kEntryKeys.end()) ==
          keys);
    CHECK(entry.json["seq"] == ++seq);
    CHECK(entry.json["prev"] == prev);
    CHECK(
        key.verify(as_bytes(entry.line + "\n"), from_base64(entry.signature)));
    prev = sha256(entry.line + "\n").hex();
  }
  CHECK(seq == 6);
  CHECK(scene.file.head() == prev);
}

TEST_CASE("The same acts at the same time give the same bytes [I9]",
          "[casefile]") {
  Scene scene;
  const auto twin = scene.temp.path() / "twin";
  std::filesystem::create_directories(twin);
  scene.file.copy_to(twin / "case.db");
  CaseFile other(twin, CaseMode::write, scene.clock);
  (void)scene.file.append({note_draft("a"), note_draft("b")}, scene.eve);
  (void)other.append({note_draft("a"), note_draft("b")}, scene.eve);
  CHECK(scene.file.head() == other.head());
  CHECK(scene.file.entries().back().signature ==
        other.entries().back().signature);
}

TEST_CASE("What a draft lacks is refused by name, and nothing is written",
          "[casefile]") {
  Scene scene;
  const auto refused = [&](EntryDraft draft, const std::string& why) {
    CHECK_THROWS_WITH(
        scene.file.append({note_draft("first"), std::move(draft)}, scene.eve),
        Catch::Contains(why));
  };
  EntryDraft draft = note_draft("x");
  draft.action = "note.nonsense";
  refused(draft, "no action");
  draft = note_draft("x");
  draft.detail.erase("text");
  refused(draft, "text");
  draft = note_draft("x");
  draft.action = "transfer.release";
  refused(draft, "purpose");
  draft.purpose = "hand over";
  refused(draft, "released_by");
  draft = note_draft("x");
  draft.at = scene.clock.now() - 61'000'000'000;
  refused(draft, "late");
  draft.at = scene.clock.now() + 120'000'000'000;
  refused(draft, "now is");
  draft = note_draft("x");
  draft.item = "../etc";
  refused(draft, "E001/17");
  draft = note_draft(std::string(9'000'000, 'x'));
  refused(draft, "too long");
  CHECK(scene.file.entry_count() == 1);

  draft = note_draft("x");
  draft.at = scene.clock.now() - 61'000'000'000;
  draft.late_reason = "the network was down";
  (void)scene.file.append({draft}, scene.eve);
  CHECK(scene.file.entries().back().json["late_reason"] ==
        "the network was down");
}

TEST_CASE("Hostile text cannot break a line or hide its link",
          "[casefile]"
          "[hostile]") {
  Scene scene;
  EntryDraft draft = note_draft("line\nbreak \xff \",\"prev\":\"" +
                                std::string(64, 'a') + "\"");
  draft.detail["prev"] = std::string(64, 'b');
  draft.detail["deep"] = {{"list", {{{"prev", std::string(64, 'c')}}}}};
  const Entry entry = scene.file.append({draft}, scene.eve).front();
  CHECK(entry.line.find('\n') == std::string::npos);
  CHECK(entry.line.find("\"prev\":") == entry.line.rfind("\"prev\":"));
  CHECK(entry.json["detail"]["prev_"] == std::string(64, 'b'));
  CHECK(scene.file.entries().back().json["detail"]["deep"]["list"][0].contains(
      "prev_"));
}

TEST_CASE("The chain refuses UPDATE, DELETE and gaps", "[casefile]") {
  Scene scene;
  (void)scene.file.append({note_draft("a")}, scene.eve);
  const Database db(scene.folder / "case.db", Database::Mode::write);
  for (const char* sql :
       {"UPDATE custody SET line='x' WHERE seq=1",
        "DELETE FROM custody WHERE seq=2", "DELETE FROM custody",
        "INSERT INTO custody VALUES(9,'x','y')",
        "INSERT INTO custody(line, signature) VALUES('x','y')",
        "INSERT OR REPLACE INTO custody VALUES(1,'x','y')"}) {
    CAPTURE(sql);
    CHECK(code_of([&] { db.execute(sql); }) == Errc::integrity);
  }
  CHECK(scene.file.entry_count() == 2);
}

TEST_CASE("A case asks in its first entry that its signers are vouched for",
          "[casefile]") {
  const Scene scene;
  const Json detail = scene.file.entries().front().json["detail"];
  CHECK(detail["signers"] == "vouched");
  CHECK(detail["signer"]["rights"] == "introduce,approve,release,act");
  CHECK(scene.file.signers().asks_for_vouching());
}

TEST_CASE("A new examiner is introduced by an entry of their own",
          "[casefile]") {
  Scene scene;
  const Examiner mallory = make_examiner("Mallory");
  (void)scene.file.append({note_draft("a")}, mallory);
  (void)scene.file.append({note_draft("b")}, mallory);
  const auto entries = scene.file.entries();
  REQUIRE(entries.size() == 4);
  CHECK(entries[1].json["detail"]["kind"] == "signer.introduce");
  CHECK(mallory.key.public_key().verify(as_bytes(entries[1].line + "\n"),
                                        from_base64(entries[1].signature)));
  CHECK(entries[2].json["detail"]["text"] == "a");
}

TEST_CASE("Ids are reserved from the chain, inside the transaction",
          "[casefile]") {
  Scene scene;
  EntryDraft begin;
  begin.action = "acquire.begin";
  begin.detail = {{"title", "weights"}, {"collectors", Json::array()}};
  CHECK(scene.file.reserve_exhibit(begin, scene.eve).exhibit == "E001");
  CaseFile other(scene.folder, CaseMode::write, scene.clock);
  CHECK(other.reserve_exhibit(begin, scene.eve).exhibit == "E002");
  CHECK(scene.file.reserve_exhibit(begin, scene.eve).exhibit == "E003");
  EntryDraft start;
  start.action = "playbook.start";
  start.detail = {{"playbook", "p"},       {"version", "1"},
                  {"playbook_sha256", ""}, {"parameters", Json::object()},
                  {"permissions", ""},     {"plan_sha256", ""}};
  CHECK(scene.file.reserve_run(start, scene.eve).run == "R001");
  CHECK(other.reserve_run(start, scene.eve).run == "R002");
  CHECK(scene.file.exhibits().size() == 3);
  CHECK(scene.file.exhibit("E002")->state == "begun");
  CHECK_FALSE(scene.file.exhibit("E009"));
}

TEST_CASE("Heads are signed by count, by time and by act", "[casefile]") {
  Scene scene;
  CHECK(scene.file.checkpoint_note().empty());
  for (int i = 0; i < 98; ++i) {
    (void)scene.file.append({note_draft("n")}, scene.eve);
  }
  CHECK(scene.file.checkpoint_note().empty());
  (void)scene.file.append({note_draft("the hundredth entry")}, scene.eve);
  CHECK(scene.file.entry_count() == 101);
  CHECK(scene.file.entries(101).front().json["action"] == "head.sign");
  CHECK(scene.file.checkpoint_note().starts_with(
      "Example-Org/IR-2026-001\n100\n"));

  scene.clock.advance(599'000'000'000);
  (void)scene.file.append({note_draft("n")}, scene.eve);
  CHECK(scene.file.entry_count() == 102);
  scene.clock.advance(1'000'000'000);
  (void)scene.file.append({note_draft("ten minutes")}, scene.eve);
  CHECK(scene.file.entry_count() == 104);

  EntryDraft request;
  request.action = "approval.request";
  request.detail = {{"plan_sha256", "0"},
                    {"class", "isolate"},
                    {"reason", "r"},
                    {"expires_at", ""}};
  (void)scene.file.append({request}, scene.eve);
  CHECK(scene.file.entry_count() == 106);
  const std::string note = scene.file.sign_head(scene.eve);
  CHECK(note.starts_with("Example-Org/IR-2026-001\n106\n"));
  CHECK(scene.file.entry_count() == 107);
  CHECK(scene.file.sign_whole_chain(scene.eve).starts_with(
      "Example-Org/IR-2026-001\n107\n"));
  CHECK(scene.file.entry_count() == 107);
  CHECK(scene.file.inclusion_proof(50).starts_with("c2sp.org/tlog-proof@v1\n"));
  CHECK_THROWS_AS(scene.file.inclusion_proof(108), Error);
}

TEST_CASE("An acquisition that came to no seal is a gap, however it ended",
          "[casefile]") {
  Scene scene;
  EntryDraft begin;
  begin.action = "acquire.begin";
  begin.detail = {{"title", "weights"}, {"collectors", {"model-files"}}};
  const auto killed = scene.file.reserve_exhibit(begin, scene.eve);
  const auto failed = scene.file.reserve_exhibit(begin, scene.eve);
  EntryDraft end;
  end.action = "acquire.end";
  end.item = failed.exhibit;
  end.outcome = Outcome::failed;
  end.detail = {{"items", 0},
                {"gaps", 0},
                {"counts", Json::object()},
                {"reason", "the disk is full"}};
  (void)scene.file.append({end}, scene.eve);
  const auto gaps = scene.file.gaps();
  REQUIRE(gaps.size() == 2);
  CHECK(gaps[0].at("item") == killed.exhibit);
  CHECK(gaps[0].at("kind") == "unsealed");
  CHECK(gaps[0].at("outcome") == "incomplete");
  CHECK(gaps[0].at("reason") == "begun; no end is recorded");
  CHECK(gaps[1].at("item") == failed.exhibit);
  CHECK(gaps[1].at("outcome") == "failed");
  CHECK(gaps[1].at("reason") == "the disk is full");
  CHECK(scene.file.summary().gaps == 2);
}

TEST_CASE("Two processes append in turn and the chain stays whole",
          "[casefile]") {
  constexpr int kEach = 200;
  Scene scene;
  const std::string pem = scene.eve.key.pem("");
  const auto work = [&](const std::string& who) {
    const SystemClock clock;
    Examiner examiner{scene.eve.actor,
                      SigningKey::from_pem(pem, "key", nullptr)};
    CaseFile file(scene.folder, CaseMode::write, clock);
    for (int i = 0; i < kEach; ++i) {
      (void)file.append({note_draft(who)}, examiner);
    }
  };
  // The child never returns into Catch: it ends by _exit with its result.
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      work("child");
    } catch (const std::exception&) {
      ::_exit(1);
    }
    ::_exit(0);
  }
  REQUIRE(child > 0);
  work("parent");
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  int notes = 0;
  std::string prev(64, '0');
  for (const Entry& entry : scene.file.entries()) {
    REQUIRE(entry.json["prev"] == prev);
    prev = link_of(entry.line);
    if (entry.json["action"] == "note") ++notes;
  }
  CHECK(notes == 2 * kEach);
  // VERIFY_LATER
}

TEST_CASE("What is no case, a newer case or a changed case says so",
          "[casefile][hostile]") {
  Scene scene;
  const auto open = [&](const std::filesystem::path& folder, CaseMode mode) {
    return code_of([&] { CaseFile(folder, mode, scene.clock); });
  };
  CHECK(open(scene.temp.path() / "none", CaseMode::write) == Errc::io);
  (void)scene.temp.write("text/case.db", std::string(9000, 'x'));
  CHECK(open(scene.temp.path() / "text", CaseMode::read_only) ==
        Errc::malformed);
  {
    std::filesystem::create_directories(scene.temp.path() / "other");
    const Database db(scene.temp.path() / "other/case.db",
                      Database::Mode::create);
    db.execute("CREATE TABLE t(n INTEGER) STRICT");
  }
  CHECK(open(scene.temp.path() / "other", CaseMode::write) == Errc::malformed);
  const Database db(scene.folder / "case.db", Database::Mode::write);
  db.execute("DROP TRIGGER custody_no_delete");
  CHECK(open(scene.folder, CaseMode::write) == Errc::integrity);
  CHECK_NOTHROW(CaseFile(scene.folder, CaseMode::read_only, scene.clock));
  db.execute(fmt::format("PRAGMA user_version={}", newest_schema() + 1));
  CHECK(open(scene.folder, CaseMode::read_only) == Errc::unsupported);

  CHECK(code_of([&] {
          (void)CaseFile::create(scene.folder, opening(), scene.eve,
                                 scene.clock);
        }) == Errc::bad_input);
  for (const char* id : {"", "..", "a/b", "a b", "caf\xc3\xa9"}) {
    CHECK(code_of([&] {
            (void)CaseFile::create(scene.temp.path() / "new", opening(id),
                                   scene.eve, scene.clock);
          }) == Errc::bad_input);
  }
}

TEST_CASE("An interrupted creation does not stand in the way [I11]",
          "[casefile]") {
  const TempDir temp;
  const FixedClock clock;
  (void)temp.write("c/case.db.partial", "torn");
  (void)temp.write("c/case.db.partial-wal", "torn");
  std::filesystem::create_directories(temp.path() / "c/evidence");
  CHECK_NOTHROW((void)CaseFile::create(temp.path() / "c", opening(),
                                       make_examiner(), clock));
}

TEST_CASE("What an attempt left that was taken back is no case [I11]",
          "[casefile]") {
  const TempDir temp;
  const FixedClock clock;
  (void)temp.write("c/case.db-wal", "torn");
  (void)temp.write("c/case.db-shm", "torn");
  CHECK_NOTHROW((void)CaseFile::create(temp.path() / "c", opening(),
                                       make_examiner(), clock));
}

TEST_CASE("A second case in a folder is refused by the name of the first",
          "[casefile]") {
  const Scene scene;
  try {
    (void)CaseFile::create(scene.folder, opening("IR-2"), scene.eve,
                           scene.clock);
    FAIL("nothing was thrown");
  } catch (const Error& error) {
    CHECK(error.code() == Errc::bad_input);
    CHECK(std::string(error.what()).find("holds a case already, IR-2026-001") !=
          std::string::npos);
  }
}

TEST_CASE("A locked case says who holds it up, after waiting", "[casefile]") {
  Scene scene;
  const Database other(scene.folder / "case.db", Database::Mode::write);
  const Transaction transaction(other, "x");
  scene.file.set_lock_wait(std::chrono::milliseconds(50));
  CHECK_THROWS_WITH(scene.file.append({note_draft("a")}, scene.eve),
                    Catch::StartsWith("the case is locked by another process"));
}

TEST_CASE("A closed case takes notes and transfers, and nothing else",
          "[casefile]") {
  Scene scene;
  EntryDraft close;
  close.action = "case.close";
  close.detail = {{"open_items", Json::array()}};
  (void)scene.file.append({close}, scene.eve);
  CHECK(
      scene.file.checkpoint_note().starts_with("Example-Org/IR-2026-001\n2\n"));
  CHECK_NOTHROW((void)scene.file.append({note_draft("later")}, scene.eve));
  EntryDraft finding = note_draft("x");
  finding.detail = {{"kind", "finding"},  {"verdict", "likely"},
                    {"severity", "high"}, {"title", "t"},
                    {"detail", "d"},      {"items", Json::array()}};
  CHECK_THROWS_WITH(scene.file.append({finding}, scene.eve),
                    Catch::Contains("closed"));
  CHECK_THROWS_WITH(scene.file.append({close}, scene.eve),
                    Catch::Contains("closed"));
  CHECK_FALSE(scene.file.summary().closed_at.empty());
}

TEST_CASE("A journal row is begun, answered once, and kept", "[casefile]") {
  Scene scene;
  JournalRow row{
      .run = "R001", .n = 1, .call_sha256 = "h", .call = "{}", .answer = ""};
  (void)scene.file.append({}, scene.eve, {row});
  CHECK(scene.file.journal("R001").front().answer.empty());
  row.answer = "{\"ok\":true}";
  (void)scene.file.append({note_draft("done")}, scene.eve, {row});
  CHECK(scene.file.journal("R001").front().answer == row.answer);
  row.answer = "{\"ok\":false}";
  CHECK(code_of([&] {
          (void)scene.file.append({note_draft("again")}, scene.eve, {row});
        }) == Errc::integrity);
  CHECK(scene.file.entry_count() == 3);  // the note, and the one of the row
  CHECK(scene.file.journal("R002").empty());
}

JournalRow answered_row(std::int64_t n) {
  return {.run = "R001",
          .n = n,
          .call_sha256 = "h" + std::to_string(n),
          .call = R"({"function":"note","step":"act","arguments":{}})",
          .answer = R"({"n":)" + std::to_string(n) + "}"};
}

EntryDraft start_draft() {
  EntryDraft start = note_draft("start");
  start.action = "playbook.start";
  start.run = "R001";
  start.detail = {{"playbook", "p"},
                  {"version", "1"},
                  {"playbook_sha256", "0"},
                  {"parameters", Json::object()},
                  {"permissions", Json::object()},
                  {"plan_sha256", "0"}};
  return start;
}

/// A run with three answered calls; `sql` is what somebody does to the journal.
std::string refusal_after(const std::string& sql) {
  Scene scene;
  (void)scene.file.append({start_draft()}, scene.eve);
  for (std::int64_t n = 1; n <= 3; ++n) {
    (void)scene.file.append({}, scene.eve, {answered_row(n)});
  }
  CHECK(checked_journal(scene.file, "R001").rows.size() == 3);
  {
    const Database raw(scene.folder / "case.db", Database::Mode::write);
    raw.execute("DROP TRIGGER journal_no_delete");
    raw.execute("DROP TRIGGER journal_answer_once");
    raw.execute(sql);
  }
  try {
    (void)checked_journal(scene.file, "R001");
  } catch (const Error& error) {
    CHECK(error.code() == Errc::integrity);
    return error.what();
  }
  return "";
}

TEST_CASE("A journal row that the chain does not name is never replayed",
          "[casefile]") {
  using Catch::Contains;
  CHECK_THAT(
      refusal_after("INSERT INTO journal VALUES('R001',4,'h','{}','{}')"),
      Contains("row 4 of the journal of R001 has no entry"));
  CHECK_THAT(refusal_after("UPDATE journal SET answer='{\"n\":9}' WHERE n=2"),
             Contains("row 2 of the journal of R001 is not the one"));
  CHECK_THAT(refusal_after("UPDATE journal SET call='{}' WHERE n=3"),
             Contains("row 3 of the journal of R001 is not the one"));
  CHECK_THAT(refusal_after("UPDATE journal SET call_sha256='h' WHERE n=1"),
             Contains("row 1 of the journal of R001 is not the one"));
  CHECK_THAT(refusal_after("DELETE FROM journal WHERE n=2"),
             Contains("row 2 of the journal of R001 is gone"));
  CHECK_THAT(refusal_after("DELETE FROM journal WHERE n=3"),
             Contains("what was done is not done twice"));
  CHECK_THAT(
      refusal_after("UPDATE journal SET n=n+10; "
                    "UPDATE journal SET n=CASE n WHEN 11 THEN 2 WHEN 12 THEN 1 "
                    "ELSE 3 END"),
      Contains("row 1 of the journal of R001 is not the one"));
  CHECK_THAT(refusal_after("UPDATE journal SET run='R002' WHERE n=3"),
             Contains("row 3 of the journal of R001 is gone"));
}

TEST_CASE("A journal row counts only if who runs the run signed for it",
          "[casefile]") {
  Scene scene;
  const Examiner other{.actor = scene.eve.actor, .key = SigningKey::generate()};
  (void)scene.file.append({start_draft()}, scene.eve);
  (void)scene.file.append({}, other, {answered_row(1)});
  CHECK_THROWS_WITH(checked_journal(scene.file, "R001"),
                    Catch::Contains("neither started nor resumed the run"));
}

TEST_CASE(
    "What a retry made an attempt is not replayed, and its number not used",
    "[casefile]") {
  Scene scene;
  (void)scene.file.append({start_draft()}, scene.eve);
  for (std::int64_t n = 1; n <= 3; ++n) {
    (void)scene.file.append({}, scene.eve, {answered_row(n)});
  }
  EntryDraft retry = note_draft("again");
  retry.run = "R001";
  retry.detail = {{"kind", "retry"}, {"text", "again"}, {"call", 2}};
  (void)scene.file.append({retry}, scene.eve);
  const RunJournal journal = checked_journal(scene.file, "R001");
  REQUIRE(journal.rows.size() == 1);
  CHECK(journal.rows[0].n == 1);
  CHECK(journal.retried == 3);
}

TEST_CASE("Only what would come out the same again is an answer",
          "[casefile]") {
  for (const Errc code :
       {Errc::bad_input, Errc::malformed, Errc::limit, Errc::unsupported}) {
    CHECK(is_answer(Error(code, "")));
  }
  // A file that is not there is an answer; a disk that fails is not.
  for (const int lasting : {ENOENT, ENOTDIR, ESRCH, EACCES, EPERM, EISDIR,
                            ELOOP, ENAMETOOLONG, ENOTSUP}) {
    CHECK(is_answer(Error(Errc::io, "", lasting)));
  }
  for (const int passing :
       {0, EIO, ENOSPC, EDQUOT, EMFILE, ENFILE, ENOMEM, EINTR, EAGAIN, EROFS}) {
    CHECK_FALSE(is_answer(Error(Errc::io, "", passing)));
  }
  CHECK_FALSE(is_answer(Error(Errc::integrity, "")));
  CHECK_FALSE(is_answer(Error(Errc::integrity, "", ENOENT)));
}

}  // namespace
}  // namespace impound::test
