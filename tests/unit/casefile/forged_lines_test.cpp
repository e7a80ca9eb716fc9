// SPDX-License-Identifier: Apache-2.0
/// Lines that are right in all but one meaning, signed by somebody who may
/// sign: number, link, case, id and signature hold, so that only the one check
/// that each is about can tell.

#include <fmt/format.h>

#include <functional>

#include "core/base/fs.hpp"
#include "core/base/text.hpp"
#include "core/casefile/case_file.hpp"
#include "core/casefile/entry_line.hpp"
#include "core/casefile/line_check.hpp"
#include "core/casefile/signers.hpp"
#include "core/crypto/merkle.hpp"
#include "core/crypto/note.hpp"
#include "core/storage/sqlite.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/casefile/examiner.hpp"

namespace impound::test {
namespace {

/// A case whose examiner writes lines by hand.
struct Forgery : Scene {
  Forgery() { (void)file.append({note_draft("an honest note")}, eve); }

  /// Appends the line that the newest one becomes by `edit`, whole in every
  /// other respect. Returns its number.
  std::int64_t append(const std::function<void(Json&)>& edit,
                      const Examiner* by = nullptr) {
    const auto entries = file.entries();
    const Entry& last = entries.back();
    Json json = file.entries(2).front().json;  // the honest note
    ChainPlace place{.case_id = "IR-2026-001",
                     .nonce = entries[0].json["detail"]["nonce"],
                     .seq = last.seq + 1,
                     .prev = link_of(last.line)};
    json["seq"] = place.seq;
    json["prev"] = place.prev;
    json["id"] = entry_id(place);
    for (const char* key : {"ts", "recorded_at", "clock"}) {
      json[key] = last.json[key];
    }
    edit(json);
    insert(dump_line(json), by == nullptr ? eve : *by, place.seq);
    return place.seq;
  }

  void insert(const std::string& line, const Examiner& by,
              std::int64_t seq) const {
    const Database database(folder / "case.db", Database::Mode::write);
    Statement statement =
        database.prepare("INSERT INTO custody VALUES(:seq, :line, :signature)");
    const std::string signature = to_base64(by.key.sign(as_bytes(line + "\n")));
    statement.bind(":seq", seq)
        .bind(":line", std::string_view(line))
        .bind(":signature", std::string_view(signature));
    statement.run();
  }

  /// The head of the whole chain, validly signed, after `edit`.
  struct Head {
    Checkpoint checkpoint;
    std::string frontier;
    std::string signed_at;
    std::string note;
  };
  Head sign(const std::function<void(Head&)>& edit = {}) const {
    MerkleFrontier frontier;
    const auto entries = file.entries();
    for (const Entry& entry : entries) {
      frontier.append(merkle_leaf(as_bytes(entry.line)));
    }
    Head head;
    head.checkpoint.origin = head_origin("Example Org", "IR-2026-001");
    head.checkpoint.size = entries.size();
    head.checkpoint.root = frontier.root();
    head.checkpoint.chain = *Digest::from_hex(link_of(entries.back().line));
    head.frontier = frontier.saved();
    head.signed_at = entries.back().json["recorded_at"];
    if (edit) edit(head);
    head.note =
        sign_note(head.checkpoint.text(), head.checkpoint.origin, eve.key);
    const Database database(folder / "case.db", Database::Mode::write);
    Statement statement = database.prepare(
        "INSERT INTO heads VALUES(:size, :note, :frontier, :signed_at)");
    statement.bind(":size", static_cast<std::int64_t>(entries.size()))
        .bind(":note", std::string_view(head.note))
        .bind(":frontier", std::string_view(head.frontier))
        .bind(":signed_at", std::string_view(head.signed_at));
    statement.run();
    return head;
  }

  /// The head.sign entry of `head`, after `edit` of its detail.
  std::int64_t announce(const Head& head,
                        const std::function<void(Json&)>& edit = {}) {
    return append([&](Json& json) {
      json["action"] = "head.sign";
      json["detail"] = {{"size", head.checkpoint.size},
                        {"head", head.checkpoint.chain.hex()},
                        {"root", to_base64(head.checkpoint.root.bytes)},
                        {"signer", eve.key.public_key().fingerprint().hex()},
                        {"note_sha256", sha256(head.note).hex()}};
      if (edit) edit(json["detail"]);
    });
  }

  [[nodiscard]] CustodyReport verify() const {
    return verify_custody(folder, "");
  }
  /// Nothing but this is wrong.
  void check_only(std::int64_t seq, const std::string& what) const {
    const CustodyReport report = verify();
    INFO(dump_pretty(report.to_json()));
    REQUIRE(report.problems.size() == 1);
    CHECK(report.problems[0].seq == seq);
    CHECK(report.problems[0].what == what);
  }
};

TEST_CASE("A line that is forged in nothing verifies", "[casefile][forged]") {
  Forgery scene;
  (void)scene.append([](Json& json) { json["detail"]["text"] = "by hand"; });
  (void)scene.announce(scene.sign());
  const CustodyReport report = scene.verify();
  INFO(dump_pretty(report.to_json()));
  CHECK(report.ok());
  CHECK(report.warnings.empty());
}

TEST_CASE("After the close every act is refused, not the first alone",
          "[casefile][forged]") {
  Forgery scene;
  EntryDraft close;
  close.action = "case.close";
  close.detail = {{"open_items", Json::array()}};
  (void)scene.file.append({close}, scene.eve);
  (void)scene.append([](Json&) {});  // a note is allowed
  REQUIRE(scene.verify().ok());
  const auto finding = [](Json& json) {
    json["detail"] = {{"kind", "finding"},     {"id", "F001"},
                      {"verdict", "cleared"},  {"severity", "info"},
                      {"title", "late"},       {"detail", ""},
                      {"items", Json::array()}};
  };
  const auto begin = [](Json& json) {
    json["action"] = "acquire.begin";
    json["item"] = "E001";
    json["detail"] = {{"title", "late"}, {"collectors", Json::array()}};
  };
  const auto close_again = [](Json& json) {
    json["action"] = "case.close";
    json["detail"] = {{"open_items", Json::array()}};
  };
  std::vector<std::int64_t> forged;
  for (const std::function<void(Json&)>& act :
       {std::function<void(Json&)>(finding), std::function<void(Json&)>(begin),
        std::function<void(Json&)>(close_again),
        std::function<void(Json&)>(finding)}) {
    forged.push_back(scene.append(act));
    (void)scene.append([](Json&) {});  // and notes between them change nothing
  }
  const CustodyReport report = scene.verify();
  INFO(dump_pretty(report.to_json()));
  REQUIRE(report.problems.size() == forged.size());
  for (std::size_t i = 0; i < forged.size(); ++i) {
    CHECK(report.problems[i].seq == forged[i]);
    CHECK(report.problems[i].what == "action");
  }
}

TEST_CASE(
    "A validly signed head over another root, chain, case or frontier is "
    "found",
    "[casefile][forged]") {
  Forgery scene;
  const std::int64_t size = scene.file.entry_count();
  using Head = Forgery::Head;
  SECTION("root") {
    (void)scene.sign(
        [](Head& head) { head.checkpoint.root = sha256("another tree"); });
    scene.check_only(size, "head root");
  }
  SECTION("chain") {
    (void)scene.sign(
        [](Head& head) { head.checkpoint.chain = sha256("another line"); });
    scene.check_only(size, "head chain");
  }
  SECTION("size") {
    (void)scene.sign([](Head& head) { ++head.checkpoint.size; });
    scene.check_only(size, "head size");
  }
  SECTION("origin") {
    (void)scene.sign([](Head& head) {
      head.checkpoint.origin = head_origin("Example Org", "IR-2026-002");
    });
    scene.check_only(size, "head origin");
  }
  SECTION("frontier") {
    (void)scene.sign([](Head& head) { head.frontier = std::string(64, '0'); });
    scene.check_only(size, "head frontier");
  }
  SECTION("a stranger's key") {
    const Forgery other;
    Head head = scene.sign([](Head&) {});
    const Database database(scene.folder / "case.db", Database::Mode::write);
    const std::string note = sign_note(head.checkpoint.text(),
                                       head.checkpoint.origin, other.eve.key);
    database.execute("DROP TRIGGER heads_no_update");
    database.execute("UPDATE heads SET note='" + note +
                     "' WHERE size=" + std::to_string(size));
    const CustodyReport report = scene.verify();
    const auto is_told = std::ranges::any_of(
        report.problems, [&](const CustodyProblem& problem) {
          return problem.what == "head signature" && problem.seq == size;
        });
    CHECK(is_told);
  }
}

TEST_CASE("A head.sign entry that says other than its note is found",
          "[casefile][forged]") {
  Forgery scene;
  Forgery::Head head = scene.sign();
  SECTION("note_sha256") {
    const auto seq = scene.announce(head, [](Json& detail) {
      detail["note_sha256"] = sha256("another note").hex();
    });
    scene.check_only(seq, "head");
  }
  SECTION("size") {
    const auto seq =
        scene.announce(head, [](Json& detail) { detail["size"] = 4711; });
    scene.check_only(seq, "head size");
  }
  SECTION("head") {
    const auto seq = scene.announce(head, [](Json& detail) {
      detail["head"] = sha256("another line").hex();
    });
    scene.check_only(seq, "head head");
  }
  SECTION("root") {
    const auto seq = scene.announce(head, [](Json& detail) {
      detail["root"] = to_base64(sha256("another tree").bytes);
    });
    scene.check_only(seq, "head root");
  }
  SECTION("signer") {
    const auto seq = scene.announce(
        head, [](Json& detail) { detail["signer"] = std::string(64, 'a'); });
    scene.check_only(seq, "head signer");
  }
}

TEST_CASE("A head whose time is not that of its entry is found",
          "[casefile][forged]") {
  Forgery scene;
  const auto head = scene.sign([](Forgery::Head& made) {
    made.signed_at = "2026-01-01T00:00:00.000000Z";
  });
  const auto seq = scene.announce(head);
  scene.check_only(seq, "head signed_at");
}

TEST_CASE("A seal of what nobody began, or of what is sealed, is found",
          "[casefile][forged]") {
  Forgery scene;
  EntryDraft begin;
  begin.action = "acquire.begin";
  begin.detail = {{"title", "all"}, {"collectors", {"model-files"}}};
  const std::string exhibit =
      scene.file.reserve_exhibit(begin, scene.eve).exhibit;
  const auto seal = [](const std::string& item) {
    return [item](Json& json) {
      json["action"] = "bundle.seal";
      json["item"] = item;
      json["object"] = {{"kind", "exhibit"},
                        {"path", "evidence/" + item + ".tar.zst"},
                        {"size", 1},
                        {"sha256", std::string(64, '0')}};
      json["detail"] = {{"manifest_sha256", std::string(64, '0')},
                        {"tagmanifest_sha256", std::string(64, '0')},
                        {"frames", 1},
                        {"counts", Json::object()},
                        {"payload_bytes", 1},
                        {"compression", "zstd"},
                        {"recipients", Json::array()}};
    };
  };
  SECTION("sealed as it should be") {
    (void)scene.append(seal(exhibit));
    CHECK(scene.verify().ok());
  }
  SECTION("never begun") {
    const auto seq = scene.append(seal("E009"));
    scene.check_only(seq, "item");
  }
  SECTION("sealed twice") {
    (void)scene.append(seal(exhibit));
    const auto seq = scene.append(seal(exhibit));
    scene.check_only(seq, "item");
  }
  SECTION("begun twice") {
    const auto seq = scene.append([&](Json& json) {
      json["action"] = "acquire.begin";
      json["item"] = exhibit;
      json["detail"] = {{"title", "again"}, {"collectors", Json::array()}};
    });
    scene.check_only(seq, "item");
  }
}

TEST_CASE("A comparison keeps its report below reports/, as it was",
          "[casefile][forged]") {
  Forgery scene;
  const std::string text = "{\"identical\":false}\n";
  const auto compared = [&](const std::string& file) {
    return scene.append([&](Json& json) {
      json["action"] = "baseline.diff";
      json["detail"] = {{"baseline", "small"},
                        {"baseline_sha256", std::string(64, '0')},
                        {"provenance", "x"},
                        {"result_sha256", sha256(text).hex()},
                        {"result_file", file}};
    });
  };
  SECTION("another place is no name of a report") {
    const std::string name =
        GENERATE("/etc/passwd", "case.db", "reports/", "reports/../case.db",
                 "../reports/a.json", "reports/A.json", "reports/a/b");
    INFO(name);
    const auto seq = compared(name);
    scene.check_only(seq, "result_file");
  }
  SECTION("the report is there, unchanged") {
    const std::string name = "reports/a-1.json";
    const auto seq = compared(name);
    scene.check_only(seq, name);
    const std::filesystem::path file = scene.folder / name;
    create_folders(file.parent_path());
    write_file_durably(file, as_bytes(text));
    const CustodyReport report = scene.verify();
    INFO(dump_pretty(report.to_json()));
    CHECK(report.ok());
    write_file_durably(file, as_bytes(std::string_view("{}")));
    scene.check_only(seq, name);
  }
}

TEST_CASE("A key that is introduced later has not signed before",
          "[casefile][forged]") {
  Forgery scene;
  const Examiner bob = make_examiner("Bob Second");
  const std::string fingerprint = bob.key.public_key().fingerprint().hex();
  const auto early = scene.append(
      [&](Json& json) {
        json["actor"]["name"] = "Bob Second";
        json["actor"]["auth"] = "os uid 1001 (bob), key " + fingerprint;
      },
      &bob);
  const auto introduced = scene.append([&](Json& json) {
    const EntryDraft add =
        add_signer_draft(SignerCard::of(bob), Rights::from("act").value());
    json["action"] = add.action;
    json["purpose"] = add.purpose;
    json["detail"] = add.detail;
  });
  const CustodyReport report = scene.verify();
  INFO(dump_pretty(report.to_json()));
  REQUIRE_FALSE(report.ok());
  CHECK(report.problems.front().seq == early);
  CHECK(report.problems.front().what == "signer");
  for (const CustodyProblem& problem : report.problems) {
    CHECK(problem.seq != introduced);
  }
}

TEST_CASE("A fingerprint that is not its key's introduces nobody",
          "[casefile][forged]") {
  Forgery scene;
  const Examiner bob = make_examiner("Bob Second");
  const auto seq = scene.append([&](Json& json) {
    json["detail"] = {{"kind", "signer.introduce"},
                      {"text", "Bob joins"},
                      {"signer",
                       {{"name", "Bob Second"},
                        {"fingerprint", std::string(64, 'b')},
                        {"public_key", bob.key.public_key().pem()}}}};
  });
  const CustodyReport report = scene.verify();
  REQUIRE_FALSE(report.ok());
  CHECK(report.problems.front().seq == seq);
}

TEST_CASE("An id that is not made of nonce, link and number is found",
          "[casefile][forged]") {
  Forgery scene;
  const auto seq = scene.append([&](Json& json) {
    const std::string id = json["id"];
    json["id"] = (id[0] == '0' ? "1" : "0") + id.substr(1);
  });
  scene.check_only(seq, "id");
}

TEST_CASE("A time before the case was opened needs its reason",
          "[casefile][forged]") {
  Forgery scene;
  const auto before = [](Json& json) {
    json["ts"] = "2020-01-01T00:00:00.000000Z";
  };
  SECTION("none is given") {
    const auto seq = scene.append(before);
    scene.check_only(seq, "late_reason");
  }
  SECTION("one is given") {
    (void)scene.append([&](Json& json) {
      before(json);
      json["late_reason"] = "told by the operator";
    });
    CHECK(scene.verify().ok());
  }
  SECTION("the time of recording cannot be explained away") {
    (void)scene.append([&](Json& json) {
      before(json);
      json["recorded_at"] = json["ts"];
      json["late_reason"] = "told by the operator";
    });
    const CustodyReport report = scene.verify();
    CHECK(report.ok());
    REQUIRE(report.warnings.size() == 1);
    CHECK(report.warnings[0].what == "clock step");
  }
}

TEST_CASE("An entry is late from the first microsecond after 60 s on",
          "[casefile][forged]") {
  // SCHEMA.md, late_reason. Both ways: it happened before, or is said to
  // happen after it was written.
  struct Row {
    const char* ts;
    const char* recorded_at;
    const char* what;  ///< null: in time
  };
  const Row row = GENERATE(
      Row{"2026-11-23T00:00:00.001000Z", "2026-11-23T00:01:00.000000Z",
          nullptr},
      Row{"2026-11-23T00:00:00.000000Z", "2026-11-23T00:01:00.000000Z",
          nullptr},
      Row{"2026-11-23T00:00:00.000000Z", "2026-11-23T00:01:00.000001Z",
          "late_reason"},
      Row{"2026-11-23T00:00:00.000000Z", "2026-11-23T00:01:00.001000Z",
          "late_reason"},
      Row{"2026-11-23T00:00:59.999000Z", "2026-11-23T00:00:00.000000Z",
          nullptr},
      Row{"2026-11-23T00:01:00.000000Z", "2026-11-23T00:00:00.000000Z",
          nullptr},
      Row{"2026-11-23T00:01:00.000001Z", "2026-11-23T00:00:00.000000Z", "ts"});
  const Forgery scene;
  Json json = scene.file.entries(2).front().json;
  json["ts"] = row.ts;
  json["recorded_at"] = row.recorded_at;
  const CheckedLine checked = check_line(2, dump_line(json));
  INFO(row.ts << " " << row.recorded_at);
  if (row.what == nullptr) {
    CHECK(checked.problems.empty());
  } else {
    REQUIRE(checked.problems.size() == 1);
    CHECK(checked.problems[0].what == row.what);
  }
}

}  // namespace
}  // namespace impound::test
