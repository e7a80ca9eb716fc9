// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <fstream>

#include "core/base/error.hpp"
#include "core/casefile/case_file.hpp"
#include "core/casefile/entry_line.hpp"
#include "core/crypto/merkle.hpp"
#include "core/crypto/note.hpp"
#include "core/storage/sqlite.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/casefile/examiner.hpp"

namespace impound::test {
namespace {

/// A case of 1 + `notes` notes and some heads, and what an attacker with the
/// file does to it.
struct Attack : Scene {
  explicit Attack(int notes = 12) {
    std::vector<EntryDraft> drafts;
    for (int i = 0; i < notes; ++i) {
      drafts.push_back(note_draft(fmt::format("note number {}", i + 2)));
    }
    (void)file.append(drafts, eve);
  }

  /// Runs `sql` as somebody who dropped the triggers and put them back.
  void change(const std::string& sql) const {
    const Database database(folder / "case.db", Database::Mode::write);
    std::vector<std::pair<std::string, std::string>> triggers;
    Statement rows = database.prepare(
        "SELECT name, sql FROM sqlite_schema WHERE type='trigger'");
    while (rows.step()) triggers.emplace_back(rows.text(0), rows.text(1));
    rows.reset();
    for (const auto& [name, text] : triggers) {
      database.execute("DROP TRIGGER " + name);
    }
    database.execute(sql);
    for (const auto& [name, text] : triggers) database.execute(text);
  }

  [[nodiscard]] CustodyReport verify(std::string_view note = {}) const {
    return verify_custody(folder, note);
  }
};

void check_first(const CustodyReport& report, std::int64_t seq,
                 const std::string& what) {
  INFO(dump_pretty(report.to_json()));
  REQUIRE_FALSE(report.ok());
  CHECK(report.problems.front().seq == seq);
  CHECK(report.problems.front().what == what);
}

TEST_CASE("An untouched chain verifies, with several signers and heads",
          "[casefile]") {
  Attack scene(150);
  const Examiner mallory = make_examiner("Bob Second");
  (void)scene.file.append(
      {add_signer_draft(SignerCard::of(mallory), Rights::from("act").value())},
      scene.eve);
  (void)scene.file.append({note_draft("second person")}, mallory);
  const std::string note = scene.file.sign_head(mallory);
  (void)scene.file.append({note_draft("after the head")}, scene.eve);
  const CustodyReport report = scene.verify(note);
  INFO(dump_pretty(report.to_json()));
  CHECK(report.ok());
  CHECK(report.entries == scene.file.entry_count());
  CHECK(report.head == scene.file.head());
  CHECK(report.to_json()["ok"] == true);
}

TEST_CASE("Every change of the tamper matrix is found at its entry",
          "[casefile]") {
  const Attack scene;
  SECTION("edit a word") {
    scene.change(
        "UPDATE custody SET line=replace(line,'number 5','number 9') "
        "WHERE seq=5");
    check_first(scene.verify(), 5, "signature");
    CHECK(scene.verify().problems[1].seq == 6);
    CHECK(scene.verify().problems[1].what == "prev");
  }
  SECTION("delete an entry") {
    scene.change("DELETE FROM custody WHERE seq=6");
    check_first(scene.verify(), 6, "seq");
  }
  SECTION("delete an entry and close the gap") {
    scene.change(
        "DELETE FROM custody WHERE seq=6;"
        "UPDATE custody SET seq=seq-1 WHERE seq>6");
    check_first(scene.verify(), 6, "seq");
  }
  SECTION("swap two entries") {
    scene.change(
        "UPDATE custody SET seq=1000 WHERE seq=5;"
        "UPDATE custody SET seq=5 WHERE seq=6;"
        "UPDATE custody SET seq=6 WHERE seq=1000");
    check_first(scene.verify(), 5, "seq");
  }
  SECTION("cut inside the last line") {
    scene.change("UPDATE custody SET line=substr(line,1,200) WHERE seq=13");
    check_first(scene.verify(), 13, "json");
  }
  SECTION("triggers dropped") {
    const Database database(scene.folder / "case.db", Database::Mode::write);
    database.execute("DROP TRIGGER custody_no_update");
    check_first(scene.verify(), 0, "schema custody_no_update");
  }
  SECTION("a view in place of the table") {
    const Database database(scene.folder / "case.db", Database::Mode::write);
    database.execute(
        "DROP TABLE custody; CREATE VIEW custody AS WITH RECURSIVE r(x) AS "
        "(SELECT 1 UNION ALL SELECT x+1 FROM r) SELECT x AS seq, '' AS line, "
        "'' AS signature FROM r");
    CHECK_FALSE(scene.verify().ok());
  }
}

TEST_CASE("An entry cut off the end is found by a head, stored or trusted",
          "[casefile]") {
  Attack scene;
  const std::string note = scene.file.sign_whole_chain(scene.eve);
  CHECK(scene.verify(note).ok());
  SECTION("the stored head") {
    scene.change("DELETE FROM custody WHERE seq=13");
    check_first(scene.verify(), 13, "head");
  }
  SECTION("the head that left the machine") {
    scene.change("DELETE FROM custody WHERE seq=13; DELETE FROM heads");
    CHECK(scene.verify().ok());  // nothing inside can tell
    check_first(scene.verify(note), 13, "trusted head");
  }
  SECTION("a changed note") {
    scene.change(
        "UPDATE heads SET note=replace(note,'/IR-2026-001','/IR-2026-002')");
    check_first(scene.verify(), 13, "head origin");
  }
  SECTION("a note of another size") {
    scene.change(
        "UPDATE heads SET note=replace(note, char(10)||'13'||char(10),"
        " char(10)||'12'||char(10))");
    check_first(scene.verify(), 13, "head size");
  }
  SECTION("an unreadable trusted head is the caller's mistake") {
    CHECK_THROWS_AS(scene.verify("nonsense\n"), Error);
  }
}

TEST_CASE("A head.sign entry whose note is gone is found", "[casefile]") {
  Attack scene;
  (void)scene.file.sign_head(scene.eve);
  scene.change("DELETE FROM heads");
  check_first(scene.verify(), 14, "head");
}

TEST_CASE(
    "A history written anew with another key does not hold the head that "
    "left",
    "[casefile]") {
  Attack scene;
  const std::string note = scene.file.sign_whole_chain(scene.eve);
  TempDir other;
  const Examiner forger = make_examiner();  // with the same name
  CaseFile forged =
      CaseFile::create(other.path() / "case", opening(), forger, scene.clock);
  std::vector<EntryDraft> drafts(12, note_draft("nothing happened"));
  (void)forged.append(drafts, forger);
  CHECK(verify_custody(other.path() / "case", "").ok());
  CHECK_FALSE(verify_custody(other.path() / "case", note).ok());
}

/// Lines that only the owner of the key can write, and that are wrong.
TEST_CASE("A signed line that breaks the format is found", "[casefile]") {
  Attack scene(1);
  const auto entries = scene.file.entries();
  Json json = entries.back().json;
  json["seq"] = 3;
  json["prev"] = link_of(entries.back().line);
  ChainPlace place{.case_id = "IR-2026-001",
                   .nonce = entries[0].json["detail"]["nonce"],
                   .seq = 3,
                   .prev = json["prev"]};
  json["id"] = entry_id(place);
  const auto verify_with = [&](const std::string& line) {
    const Database database(scene.folder / "case.db", Database::Mode::write);
    Statement insert =
        database.prepare("INSERT INTO custody VALUES(3, :line, :signature)");
    insert.bind(":line", std::string_view(line))
        .bind(":signature", std::string_view(to_base64(
                                scene.eve.key.sign(as_bytes(line + "\n")))));
    insert.run();
    return scene.verify();
  };
  SECTION("the line as it should be") {
    CHECK(verify_with(dump_line(json)).ok());
  }
  SECTION("late without a reason") {
    json["ts"] = "2026-11-22T00:00:00.000000Z";
    check_first(verify_with(dump_line(json)), 3, "late_reason");
  }
  SECTION("a field of its action is missing") {
    json["detail"] = Json::object();
    check_first(verify_with(dump_line(json)), 3, "action");
  }
  SECTION("another order of keys") {
    Json turned = Json::object();
    turned["case"] = json["case"];
    for (const auto& [key, value] : json.items()) turned[key] = value;
    check_first(verify_with(dump_line(turned)), 3, "keys");
  }
  SECTION("a key twice") {
    std::string line = dump_line(json);
    line.insert(line.size() - 1, ",\"refs\":[]");
    check_first(verify_with(line), 3, "keys");
  }
  SECTION("a second prev") {
    json["detail"]["prev"] = std::string(64, 'a');
    check_first(verify_with(dump_line(json)), 3, "prev");
  }
  SECTION("blanks that a stranger's sed does not expect") {
    std::string line = dump_line(json);
    line.insert(1, " ");
    check_first(verify_with(line), 3, "line");
  }
  SECTION("another case") {
    json["case"] = "IR-2026-002";
    check_first(verify_with(dump_line(json)), 3, "case");
  }
  SECTION("somebody whom nobody introduced") {
    json["actor"]["auth"] = "key " + std::string(64, '0');
    check_first(verify_with(dump_line(json)), 3, "signer");
  }
  SECTION("a second beginning") {
    json["action"] = "case.open";
    json["detail"] = entries[0].json["detail"];
    check_first(verify_with(dump_line(json)), 3, "action");
  }
}

TEST_CASE("A damaged database is reported in words", "[casefile]") {
  Attack scene(200);
  TempDir copy;
  scene.file.copy_to(copy.path() / "case.db");
  const auto file = copy.path() / "case.db";
  const auto size = std::filesystem::file_size(file);
  SECTION("noise in a page") {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(static_cast<std::streamoff>(size / 2));
    stream << std::string(5000, '\x5a');
    stream.close();
    CHECK_FALSE(verify_custody(copy.path(), "").ok());
  }
  SECTION("cut in half") {
    std::filesystem::resize_file(file, size / 2);
    CHECK_FALSE(verify_custody(copy.path(), "").ok());
  }
  SECTION("no database") {
    std::filesystem::resize_file(file, 0);
    std::ofstream(file) << "this is a text of more than a few bytes";
    CHECK_FALSE(verify_custody(copy.path(), "").ok());
  }
  SECTION("no file") {
    std::filesystem::remove(file);
    CHECK_THROWS_AS(verify_custody(copy.path(), ""), Error);
  }
}

TEST_CASE("Problems are bounded", "[casefile]") {
  const Attack scene(300);
  scene.change("UPDATE custody SET line=replace(line,'Eve','Ewe')");
  const CustodyReport report = scene.verify();
  CHECK(report.problems.size() == 51);
  CHECK(report.problems.back().what == "more");
}

}  // namespace
}  // namespace impound::test
