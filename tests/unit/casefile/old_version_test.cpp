// SPDX-License-Identifier: Apache-2.0
/// A case that version 1 of the program wrote (tests/compat/format1) is read,
/// verified and written on. Every statement names what measured it [I13]: the
/// words of the record included.

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/casefile/entry_line.hpp"
#include "core/casefile/line_check.hpp"
#include "core/casefile/schema.hpp"
#include "core/storage/sqlite.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/casefile/examiner.hpp"

namespace impound::test {
namespace {

/// The old case in a folder of its own.
struct OldCase {
  explicit OldCase(const std::string& format = "format1") {
    fs::create_directories(folder / "evidence");
    const Database database(folder / "case.db", Database::Mode::create);
    database.execute(read_text_file(
        fs::path(IMPOUND_SOURCE_DIR) / "tests/compat" / format / "case.sql",
        1 << 20));
  }

  [[nodiscard]] std::int64_t version() const {
    return Database(folder / "case.db", Database::Mode::read_only)
        .user_version();
  }
  [[nodiscard]] std::vector<SchemaDeparture> departures() const {
    return compare_schema(
        Database(folder / "case.db", Database::Mode::read_only));
  }

  TempDir temp;
  FixedClock clock;
  fs::path folder = temp.path() / "case";
};

std::vector<std::string> states(const CaseFile& file) {
  std::vector<std::string> states;
  for (const ContainmentRow& row : file.containments()) {
    states.emplace_back(to_string(row.state));
  }
  return states;
}

TEST_CASE("A case of version 1 is read and verified, and is not changed by it",
          "[casefile]") {
  const OldCase old;
  REQUIRE(old.version() == 1);
  const CustodyReport report = verify_custody(old.folder, "");
  INFO(dump_pretty(report.to_json()));
  CHECK(report.ok());
  const CaseFile file(old.folder, CaseMode::read_only, old.clock);
  // A release that was not proved was recorded as ok then: it is no release.
  CHECK(states(file) ==
        std::vector<std::string>{"released", "release_failed", "contained"});
  CHECK(file.exhibits().size() == 1);
  CHECK(file.findings().size() == 1);
  CHECK(file.gaps().size() == 1);
  CHECK(old.version() == 1);
}

TEST_CASE("The first entry that is written upgrades a case and says so, once",
          "[casefile]") {
  OldCase old;
  const Examiner eve = make_examiner();
  {
    CaseFile file(old.folder, CaseMode::write, old.clock);
    CHECK(old.version() == 1);  // opening alone changes nothing
    const std::int64_t before = file.entry_count();
    (void)file.append({note_draft("one more")}, eve);
    const auto entries = file.entries(before + 1);
    REQUIRE(entries.size() >= 3);
    CHECK(entries[0].json["detail"]["kind"] == "signer.introduce");
    CHECK(entries[1].json["detail"]["kind"] == "schema.upgrade");
    CHECK(entries[1].json["detail"]["from"] == 1);
    CHECK(entries[1].json["detail"]["to"] == newest_schema());
    CHECK(entries[1].json["v"] == kLineVersion);
    CHECK(file.entries(before).front().json["v"] == 1);
    (void)file.append({note_draft("and another")}, eve);
    CHECK(file.entries().back().json["detail"]["text"] == "and another");
  }
  CHECK(old.version() == newest_schema());
  CHECK(old.departures().empty());
  const CustodyReport report = verify_custody(old.folder, "");
  INFO(dump_pretty(report.to_json()));
  CHECK(report.ok());
}

TEST_CASE(
    "A case of version 2, whose signers introduced themselves, verifies and is "
    "told so",
    "[casefile][signers]") {
  OldCase old("format2");
  REQUIRE(old.version() == 2);
  const CustodyReport report = verify_custody(old.folder, "");
  INFO(dump_pretty(report.to_json()));
  CHECK(report.ok());
  CHECK_FALSE(report.signers.asks_for_vouching());
  REQUIRE(report.signers.all().size() == 2);
  CHECK(report.signers.all()[1].how == Introduction::itself);
  REQUIRE(report.warnings.size() == 1);
  CHECK_THAT(report.warnings[0].expected,
             Catch::Contains("\"Bob Second\"") &&
                 Catch::Contains("was introduced by itself"));
  // Its first entry asked for nothing more: a new examiner goes on as before.
  CaseFile file(old.folder, CaseMode::write, old.clock);
  const Examiner eve = make_examiner();
  (void)file.append({note_draft("one more")}, eve);
  CHECK_NOTHROW(file.require_right(eve, Right::approve));
  CHECK(verify_custody(old.folder, "").ok());
  const auto after = verify_custody(old.folder, "").warnings;
  CHECK(std::ranges::count(after, "signer", &CustodyProblem::what) == 2);
}

TEST_CASE("An upgrade that cannot be recorded does not happen", "[casefile]") {
  OldCase old;
  CaseFile file(old.folder, CaseMode::write, old.clock);
  EntryDraft bad = note_draft("x");
  bad.detail.erase("text");
  CHECK_THROWS_AS(file.append({bad}, make_examiner()), Error);
  CHECK(old.version() == 1);
  CHECK(old.departures().empty());
}

TEST_CASE("A word of version 2 in a line of version 1 is wrong", "[casefile]") {
  Scene scene;
  EntryDraft draft = note_draft("the step was not run");
  draft.outcome = Outcome::skipped;
  const Entry entry = scene.file.append({draft}, scene.eve).front();
  CHECK(check_line(entry.seq, entry.line).problems.empty());
  std::string older = entry.line;
  REQUIRE(older.starts_with(R"({"v":3,)"));
  older[5] = '1';
  const auto problems = check_line(entry.seq, older).problems;
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].what == "outcome");
  CHECK(problems[0].found == "skipped");
}

/// Writes an entry about the containment `id` and returns its own id.
std::string isolate(CaseFile& file, const Examiner& eve,
                    const std::string& action, const std::string& id,
                    Outcome outcome, Json detail) {
  EntryDraft draft;
  draft.action = action;
  draft.purpose = "stop the harm";
  draft.outcome = outcome;
  draft.detail = std::move(detail);
  draft.detail["deployment"] = "llm";
  draft.detail["method"] = "process-freeze";
  draft.detail["target"] = Json::object();
  if (!id.empty()) draft.detail["intent"] = id;
  return file.append({draft}, eve).front().json["id"].get<std::string>();
}

TEST_CASE("A release is released only when its end was proved [I13]",
          "[casefile]") {
  Scene scene;
  const auto add = [&](const char* action, const std::string& id,
                       Outcome outcome, Json detail) {
    return isolate(scene.file, scene.eve, action, id, outcome,
                   std::move(detail));
  };
  const auto state = [&] {
    return to_string(scene.file.containments().back().state);
  };
  const std::string id = add(
      "isolate.apply", "", Outcome::intended,
      {{"phase", "before"}, {"before", nullptr}, {"probes", Json::array()}});
  CHECK(state() == "intended");
  add("isolate.apply", id, Outcome::ok,
      {{"phase", "after"}, {"after", nullptr}});
  CHECK(state() == "applied");
  const Json proof = {{"expect", "contained"}, {"probes", Json::array()}};
  add("isolate.verify", id, Outcome::ok, proof);
  CHECK(state() == "contained");
  const Json intent = {{"kind", "release"}, {"phase", "before"}};
  add("isolate.undo", id, Outcome::intended, intent);
  CHECK(state() == "releasing");
  add("isolate.undo", id, Outcome::failed,
      {{"kind", "release"}, {"phase", "after"}, {"after", nullptr}});
  CHECK(state() == "release_failed");
  CHECK(scene.file.containments().back().is_open());
  add("isolate.verify", id, Outcome::ok, proof);  // measured again: in force
  CHECK(state() == "contained");
  add("isolate.undo", id, Outcome::ok,
      {{"kind", "release"},
       {"phase", "after"},
       {"after", nullptr},
       {"released", false}});
  CHECK(state() == "release_failed");
  add("isolate.undo", id, Outcome::intended, intent);
  add("isolate.undo", id, Outcome::ok,
      {{"kind", "release"},
       {"phase", "after"},
       {"after", nullptr},
       {"released", true}});
  CHECK(state() == "released");
  CHECK_FALSE(scene.file.containments().back().is_open());
}

TEST_CASE("A rollback that was not proved leaves the containment open [I13]",
          "[casefile]") {
  Scene scene;
  const std::string id = isolate(
      scene.file, scene.eve, "isolate.apply", "", Outcome::intended,
      {{"phase", "before"}, {"before", nullptr}, {"probes", Json::array()}});
  const auto undo = [&](Outcome outcome, const char* phase) {
    isolate(scene.file, scene.eve, "isolate.undo", id, outcome,
            {{"kind", "rollback"}, {"phase", phase}, {"after", nullptr}});
    return to_string(scene.file.containments().back().state);
  };
  CHECK(undo(Outcome::intended, "before") == "rolling_back");
  CHECK(undo(Outcome::failed, "after") == "rollback_failed");
  CHECK(scene.file.containments().back().is_open());
  CHECK(undo(Outcome::rolled_back, "after") == "rolled_back");
  CHECK_FALSE(scene.file.containments().back().is_open());
}

TEST_CASE("Objects that SQLite makes by itself cannot hide a foreign one",
          "[casefile]") {
  const Scene scene;
  const auto found = [&](const std::string& sql) {
    const Database database(scene.folder / "case.db", Database::Mode::write);
    database.execute(sql);
    const CustodyReport report = verify_custody(scene.folder, "");
    return report.ok() ? std::string() : report.problems.front().what;
  };
  SECTION("a redefined view") {
    CHECK(found("DROP VIEW findings; CREATE VIEW findings AS SELECT 'cleared' "
                "AS verdict") == "schema findings");
  }
  SECTION("an index without a text of its own") {
    CHECK(found("CREATE TABLE extra(a UNIQUE)") == "schema extra");
  }
  SECTION("a virtual table") {
    CHECK(
        found("CREATE VIRTUAL TABLE v USING fts5(a)").starts_with("schema v"));
  }
  SECTION("an index over an expression") {
    CHECK(found("CREATE INDEX i ON heads(size + 1)") == "schema i");
  }
  SECTION("a trigger") {
    CHECK(found("CREATE TRIGGER t AFTER INSERT ON heads BEGIN SELECT 1; END") ==
          "schema t");
  }
}

}  // namespace
}  // namespace impound::test
