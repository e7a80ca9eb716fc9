// SPDX-License-Identifier: Apache-2.0
#include "core/engine/case_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <thread>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/engine/evidence_lock.hpp"
#include "core/engine/exhibits.hpp"
#include "core/engine/findings.hpp"
#include "core/storage/sqlite.hpp"
#include "tests/support/acting.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/forged_bundle.hpp"

using namespace impound;
using impound::test::collector_named;
using impound::test::kTwoItems;

namespace {

void nothing(const Target&, EvidenceSink& sink) {
  sink.gap("the server", Outcome::missing, "it is down");
}
constexpr Collector kNothing = collector_named("nothing", nothing);

struct Acting : test::Acting {
  std::vector<std::string> kinds(bool repair = false) {
    std::vector<std::string> found;
    for (const CaseCheckItem& item :
         check_case(session, {.repair = repair ? Repair::yes : Repair::no})
             .items) {
      found.push_back(item.kind + " " + item.subject);
    }
    std::ranges::sort(found);
    return found;
  }
};

/// How many entries of an action name each item.
std::map<std::string, int> items_of(const CaseFile& file,
                                    std::string_view action) {
  std::map<std::string, int> counts;
  for (const Entry& entry : file.entries()) {
    if (text_or(entry.json, "action", "") == action) {
      ++counts[text_or(entry.json, "item", "")];
    }
  }
  return counts;
}

std::string message_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    CHECK(error.code() == Errc::bad_input);
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a check beside an acquisition adopts nothing that is being taken") {
  constexpr int kRounds = 60;
  Acting acting;
  std::atomic<bool> is_done = false;
  std::size_t adopted = 0;
  std::thread checker([&] {
    CaseFile file(acting.folder, CaseMode::write, acting.clock);
    SilentProgress silent;
    Session session{.case_file = file,
                    .examiner = acting.eve,
                    .clock = acting.clock,
                    .cancellation = acting.cancellation,
                    .progress = silent};
    while (!is_done) {
      for (const CaseCheckItem& item : check_case(session, {}).items) {
        if (item.kind != "busy") ++adopted;
      }
    }
  });
  for (int i = 0; i < kRounds; ++i) static_cast<void>(acting.take());
  is_done = true;
  checker.join();
  CHECK(adopted == 0);
  // Each exhibit ended once and was sealed once.
  for (const char* action : {"acquire.end", "bundle.seal"}) {
    const auto counts = items_of(acting.file, action);
    CHECK(counts.size() == kRounds);
    for (const auto& [exhibit, times] : counts) {
      INFO(action << " of " << exhibit);
      CHECK(times == 1);
    }
  }
  CHECK(verify_custody(acting.folder, "").ok());
  CHECK(acting.kinds().empty());
}

TEST_CASE("what a held lock belongs to is busy, and adopted once it is free") {
  Acting acting;
  EntryDraft begin = acting.session.draft("acquire.begin");
  begin.detail["title"] = "a test";
  begin.detail["collectors"] = Json::array();
  std::optional<EvidenceLock> lock;
  acting.file.reserve_exhibit(begin, acting.eve, [&](const std::string& id) {
    lock.emplace(acting.evidence(), id);
    // Nobody reads of the exhibit before it is locked.
    CHECK(acting.file.exhibits().size() <= 1);
    CaseFile other(acting.folder, CaseMode::read_only, acting.clock);
    CHECK(other.exhibits().empty());
  });
  CHECK(acting.kinds(true) == std::vector<std::string>{"busy E001"});
  CHECK(EvidenceLock::is_held(acting.evidence(), "E001"));
  lock.reset();
  CHECK_FALSE(EvidenceLock::is_held(acting.evidence(), "E001"));
  CHECK(acting.kinds(true) == std::vector<std::string>{"partial E001"});
  CHECK(acting.kinds(true).empty());
}

TEST_CASE("a lock file that its holder removed locks nobody else out") {
  const test::TempDir folder;
  auto first = EvidenceLock::try_take(folder.path(), "E001");
  REQUIRE(first);
  CHECK_FALSE(EvidenceLock::try_take(folder.path(), "E001"));
  CHECK_THROWS_WITH(EvidenceLock(folder.path(), "E001"),
                    Catch::Contains("held by another process"));
  // Two threads that come and go never hold it at the same time.
  first.reset();
  std::atomic<int> holders = 0;
  std::atomic<bool> was_shared = false;
  const auto come_and_go = [&] {
    for (int i = 0; i < 3000; ++i) {
      const auto lock = EvidenceLock::try_take(folder.path(), "E001");
      if (!lock) continue;
      if (++holders != 1) was_shared = true;
      --holders;
    }
  };
  std::thread other(come_and_go);
  come_and_go();
  other.join();
  CHECK_FALSE(was_shared);
}

TEST_CASE("a check names every file of evidence/ that the record does not") {
  Acting acting;
  static_cast<void>(acting.take());
  CHECK(acting.kinds().empty());
  CHECK(check_case(acting.session, {.repair = Repair::no})
            .to_text()
            .ends_with("nothing was left behind\n"));
  acting.put("E001.tar.zst.partial");  // beside a sealed bundle
  acting.put("E001.extra");
  acting.put("E009.tar.zst");  // an exhibit that the record does not know
  acting.put("REPORT.txt");
  CHECK(acting.kinds(true) ==
        std::vector<std::string>{"stray E001.extra",
                                 "stray E001.tar.zst.partial",
                                 "stray E009.tar.zst", "stray REPORT.txt"});
  for (const char* name :
       {"E001.tar.zst.partial", "E001.extra", "E009.tar.zst", "REPORT.txt"}) {
    remove_file(acting.evidence() / name);
  }
  remove_file(acting.evidence() / "E001.seal.json");
  CHECK(acting.kinds() == std::vector<std::string>{"lost E001"});
}

TEST_CASE("what a failed seal left is named, set aside and recorded") {
  Acting acting;
  // A file in the way of the seal: finish() fails after the bundle is written.
  fs::create_directory(acting.evidence() / "E001.seal.json");
  CHECK_THROWS_AS(acting.take(), Error);
  REQUIRE(acting.file.exhibits().front().state == "failed");
  REQUIRE(fs::exists(acting.evidence() / "E001.tar.zst.partial"));
  fs::remove(acting.evidence() / "E001.seal.json");

  const auto dry = acting.kinds(false);
  CHECK(std::ranges::count(dry, "leftover E001.tar.zst.partial") == 1);
  CHECK(check_case(acting.session, {.repair = Repair::no}).open_problems() ==
        dry.size());
  const CaseCheck check = check_case(acting.session, {});
  CHECK(check.items.size() == dry.size());
  CHECK(check.open_problems() == 0);
  CHECK(fs::exists(acting.evidence() / "aside/E001.tar.zst.partial"));
  CHECK_FALSE(fs::exists(acting.evidence() / "E001.tar.zst.partial"));
  CHECK(items_of(acting.file, "store.move")["E001"] ==
        static_cast<int>(dry.size()));
  CHECK(verify_custody(acting.folder, "").ok());
  CHECK(acting.kinds(true).empty());
}

TEST_CASE("a bundle of another size than recorded is damaged") {
  Acting acting;
  static_cast<void>(acting.take());
  const fs::path bundle = acting.evidence() / "E001.tar.zst";
  fs::permissions(bundle, fs::perms::owner_all);
  const std::uintmax_t size = fs::file_size(bundle);
  for (const std::uintmax_t other : {size - 1, size + 1, std::uintmax_t{100}}) {
    fs::resize_file(bundle, other);
    CHECK(acting.kinds(true) == std::vector<std::string>{"damaged E001"});
  }
}

TEST_CASE("a run that somebody works on is busy, and left behind without") {
  Acting acting;
  EntryDraft start = acting.session.draft("playbook.start");
  start.detail = {{"playbook", "p"},         {"version", "1.0.0"},
                  {"playbook_sha256", "00"}, {"parameters", Json::object()},
                  {"permissions", nullptr},  {"plan_sha256", "11"},
                  {"deployment", "small"}};
  const std::string run = acting.file.reserve_run(start, acting.eve).run;
  {
    const EvidenceLock lock(acting.evidence(), run);
    CHECK(acting.kinds() == std::vector<std::string>{"busy " + run});
    CHECK(check_case(acting.session, {}).open_problems() == 0);
  }
  CHECK(acting.kinds() == std::vector<std::string>{"run " + run});
  CHECK(check_case(acting.session, {}).open_problems() == 1);
}

TEST_CASE("an acquisition that was interrupted is no answer of a run") {
  static Acting* running = nullptr;
  static bool is_stopped = false;
  static constexpr Collector kStopped =
      collector_named("stopped", [](const Target&, EvidenceSink& sink) {
        sink.bytes({.name = "a", .content = as_bytes(std::string_view("x"))});
        if (is_stopped) running->cancellation.request();
      });
  Acting acting;
  running = &acting;
  acting.session.run = "R001";
  acting.session.slot = JournalSlot{.n = 1, .call_sha256 = "h", .call = "{}"};
  for (const bool stops : {false, true}) {
    is_stopped = stops;
    acting.session.slot->n = stops ? 2 : 1;
    const Snapshot snapshot = acting.take(kStopped);
    CHECK(snapshot.is_interrupted == stops);
    CHECK(snapshot.outcome() == (stops ? Outcome::partial : Outcome::ok));
  }
  const auto rows = acting.file.journal("R001");
  REQUIRE(rows.size() == 1);
  CHECK(rows.front().n == 1);
}

TEST_CASE("nothing that was there and nothing that was missing is no failure") {
  static constexpr Collector kSilent =
      collector_named("silent", [](const Target&, EvidenceSink&) {});
  Acting acting;
  const Snapshot snapshot = acting.take(kSilent);
  CHECK_FALSE(snapshot.is_empty_handed());
  CHECK(snapshot.outcome() == Outcome::ok);
}

TEST_CASE("a working copy of a part is not said to be all of the exhibit") {
  Acting acting;
  static_cast<void>(acting.take());
  const auto copied = [&](const std::vector<std::string>& names,
                          const std::string& to) {
    const WorkingCopy copy = extract_exhibit(acting.file, "E001", names,
                                             acting.folder / to, acting.silent);
    record_copy(acting.session, copy, "a test");
    return acting.file.entries().back().json.at("detail");
  };
  const Json part = copied({"1"}, "part");
  CHECK(part.at("items") == 1);
  CHECK(part.at("sha256_after").is_null());
  const Json all = copied({}, "all");
  CHECK(all.at("items") == 2);
  CHECK(all.at("sha256_after") == all.at("sha256_before"));
}

TEST_CASE(
    "[I2] a bundle that keeps its tag manifest and changes what it lists "
    "is not read") {
  Acting acting;
  static_cast<void>(acting.take());
  test::ForgedBundle forged(acting.evidence() / "E001.tar.zst");
  forged.write();
  CHECK(open_exhibit(acting.file, "E001")->items().size() == 2);
  std::string& files = forged.tag("meta/files.jsonl");
  files.replace(files.find("two-items"), 9, "two_items");
  forged.write();
  CHECK_THROWS_WITH(
      open_exhibit(acting.file, "E001"),
      Catch::Contains("is not the bundle that the record sealed"));
  forged.list_tags_anew();
  forged.write();
  CHECK_THROWS_WITH(
      open_exhibit(acting.file, "E001"),
      Catch::Contains("is not the bundle that the record sealed"));
}

TEST_CASE("a gap can be recorded before there is any exhibit") {
  Acting acting;
  acting.session.run = "R001";
  add_gap(acting.session, "containment", "no method is named", "missing");
  const auto gaps = acting.file.gaps();
  REQUIRE(gaps.size() == 1);
  CHECK(gaps.front().at("kind") == "gap");
  CHECK(gaps.front().at("item") == "");
  CHECK(gaps.front().at("run") == "R001");
  CHECK(acting.file.entries().back().json.at("item").is_null());
  // It is a gap of no exhibit once there are some, either.
  static_cast<void>(acting.take());
  add_gap(acting.session, "containment", "no method is named", "missing");
  CHECK(acting.file.gaps().back().at("item") == "");
  CHECK(verify_custody(acting.folder, "").ok());
  CHECK_THROWS_AS(add_gap(acting.session, "x", "y", "ok"), Error);
}

TEST_CASE("a finding cannot rest on evidence that does not exist") {
  Acting acting;
  static_cast<void>(acting.take());
  const auto rest_on = [&](std::vector<std::string> items) {
    return message_of([&] {
      static_cast<void>(
          add_finding(acting.session, {.verdict = FindingVerdict::confirmed,
                                       .severity = FindingSeverity::high,
                                       .title = "a test",
                                       .detail = "",
                                       .items = std::move(items),
                                       .playbook = ""}));
    });
  };
  CHECK(
      rest_on({"E999/17"}).find("\"E999/17\": the case has no exhibit E999") !=
      std::string::npos);
  CHECK(rest_on({"E001", "E001/3"}).find("exhibit E001 has 2 items") !=
        std::string::npos);
  CHECK(rest_on({"E001/0"}).find("E001 or E001/17") != std::string::npos);
  CHECK(rest_on({"/etc/passwd"}).find("E001 or E001/17") != std::string::npos);
  CHECK(acting.file.findings().empty());
  CHECK(rest_on({"E001", "E001/1", "E001/2"}).empty());
  CHECK(acting.file.findings().size() == 1);
  fs::create_directory(acting.evidence() / "E002.seal.json");
  CHECK_THROWS_AS(acting.take(), Error);
  CHECK(rest_on({"E002"}).find("exhibit E002 is failed, not sealed") !=
        std::string::npos);
}

TEST_CASE("an acquisition that brought nothing says why, and is no plain ok") {
  Acting acting;
  const Snapshot snapshot = acting.take(kNothing);
  CHECK(snapshot.is_empty_handed());
  CHECK(snapshot.outcome() == Outcome::missing);
  const Json json = snapshot.to_json();
  CHECK(json.at("empty_handed") == true);
  REQUIRE(json.at("gap_list").size() == 1);
  CHECK(json.at("gap_list")[0].at("subject") == "the server");
  CHECK(json.at("gap_list")[0].at("reason") == "it is down");
  CHECK(acting.file.exhibits().front().outcome == "missing");
  CHECK(acting.take().outcome() == Outcome::ok);
}

TEST_CASE("[I3] a bundle of another acquisition is set aside, not adopted") {
  Acting other;
  static_cast<void>(other.take());
  Acting acting;
  acting.begin_exhibit();
  // It verifies with its own seal, and is not what this case began to take.
  for (const char* name : {"E001.tar.zst", "E001.tar.zst.sha256",
                           "E001.VERIFY.txt", "E001.seal.json"}) {
    fs::copy_file(other.evidence() / name, acting.evidence() / name);
  }
  CHECK(acting.kinds(true) == std::vector<std::string>{"partial E001"});
  CHECK(items_of(acting.file, "bundle.seal").empty());
  CHECK_FALSE(fs::exists(acting.evidence() / "E001.tar.zst"));
  CHECK(fs::exists(acting.evidence() / "aside"));
}

/// The case as it lies there after a crash between the seal of E001 and the
/// entries that tell of it, opened again.
struct Orphaned : Acting {
  Orphaned() {
    static_cast<void>(take());
    const Database database(folder / "case.db", Database::Mode::write);
    std::vector<std::pair<std::string, std::string>> triggers;
    Statement rows = database.prepare(
        "SELECT name, sql FROM sqlite_schema WHERE type='trigger'");
    while (rows.step()) triggers.emplace_back(rows.text(0), rows.text(1));
    rows.reset();
    for (const auto& [name, text] : triggers) {
      database.execute("DROP TRIGGER " + name);
    }
    database.execute(
        "DELETE FROM custody WHERE seq > (SELECT max(seq) FROM custody WHERE "
        "json_extract(line, '$.action') = 'acquire.file')");
    database.execute("DELETE FROM heads");
    for (const auto& [name, text] : triggers) database.execute(text);
  }
  CaseCheckItem check(Repair repair) {
    CaseFile again(folder, CaseMode::write, clock);
    Session later{.case_file = again,
                  .examiner = eve,
                  .clock = clock,
                  .cancellation = cancellation,
                  .progress = silent};
    const auto items = check_case(later, {.repair = repair}).items;
    REQUIRE(items.size() == 1);
    sealed = 0;
    for (const Entry& entry : again.entries()) {
      sealed += text_or(entry.json, "action", "") == "bundle.seal" ? 1 : 0;
    }
    return items.front();
  }
  int sealed = 0;  ///< entries that seal E001
};

TEST_CASE(
    "a bundle whose entries a crash prevented is adopted if it is whole") {
  Orphaned whole;
  const CaseCheckItem seen = whole.check(Repair::no);
  CHECK(seen.kind == "orphan");
  CHECK(seen.what.find("whether it is whole was not looked at") !=
        std::string::npos);
  CHECK(whole.sealed == 0);
  const CaseCheckItem adopted = whole.check(Repair::yes);
  CHECK(adopted.kind == "orphan");
  CHECK(adopted.what.find("is sealed and whole") == 0);
  CHECK(whole.sealed == 1);
  CHECK(verify_custody(whole.folder, "").ok());
}

TEST_CASE("a damaged bundle whose entries a crash prevented is not adopted") {
  Orphaned damaged;
  const fs::path bundle = damaged.evidence() / "E001.tar.zst";
  fs::permissions(bundle, fs::perms::owner_all);
  std::fstream file(bundle, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(100);
  const int byte = file.get();
  file.seekp(100);
  file.put(static_cast<char>(byte ^ 1));
  file.close();
  const CaseCheckItem item = damaged.check(Repair::yes);
  CHECK(item.kind == "partial");
  CHECK(item.what.find("is damaged: E001 does not verify") == 0);
  CHECK(damaged.sealed == 0);
  CHECK_FALSE(fs::exists(bundle));
  CHECK(fs::exists(damaged.evidence() / "aside/E001.tar.zst"));
}

TEST_CASE(
    "[I3] a bundle whose files are not those that the record read is not "
    "adopted, and the first that differs is named") {
  constexpr auto other_items = [](const Target&, EvidenceSink& sink) {
    sink.bytes({.name = "a", .content = as_bytes(std::string_view("gamma"))});
    sink.bytes({.name = "b", .content = as_bytes(std::string_view("beta"))});
  };
  constexpr Collector kOther = collector_named("two-items", other_items);
  Acting other;
  static_cast<void>(other.take(kOther));
  Orphaned changed;
  for (const char* name : {"E001.tar.zst", "E001.tar.zst.sha256",
                           "E001.VERIFY.txt", "E001.seal.json"}) {
    fs::permissions(changed.evidence() / name, fs::perms::owner_all);
    fs::remove(changed.evidence() / name);
    fs::copy_file(other.evidence() / name, changed.evidence() / name);
  }
  const CaseCheckItem item = changed.check(Repair::yes);
  CHECK(item.kind == "partial");
  CHECK_THAT(item.what, Catch::Contains("E001/1 has SHA-256 "));
  CHECK(changed.sealed == 0);
}

TEST_CASE("[I2] another bundle in an exhibit's place is not read as it") {
  Acting acting;
  static_cast<void>(acting.take());
  CHECK(open_exhibit(acting.file, "E001")->items().size() == 2);
  Acting other;
  static_cast<void>(other.take(kNothing));
  for (const char* name : {"E001.tar.zst", "E001.seal.json"}) {
    fs::permissions(acting.evidence() / name, fs::perms::owner_all);
    fs::remove(acting.evidence() / name);
    fs::copy_file(other.evidence() / name, acting.evidence() / name);
  }
  for (const auto& read : std::initializer_list<std::function<void()>>{
           [&] { static_cast<void>(open_exhibit(acting.file, "E001")); },
           [&] { static_cast<void>(bundle_of(acting.file, "E001")); },
           [&] {
             static_cast<void>(extract_exhibit(acting.file, "E001", {},
                                               acting.folder / "out",
                                               acting.silent));
           }}) {
    try {
      read();
      FAIL("another bundle was read as E001");
    } catch (const Error& error) {
      CHECK(error.code() == Errc::integrity);
      CHECK(std::string(error.what())
                .find("E001 is not the bundle that the record sealed") == 0);
    }
  }
}

TEST_CASE("a gap that was found long before its collector ended is recorded") {
  Acting acting;
  static Acting* running = nullptr;
  running = &acting;
  static constexpr Collector kSlow =
      collector_named("slow", [](const Target&, EvidenceSink& sink) {
        sink.gap("a log", Outcome::missing, "no such file");
        running->clock.advance(61'000'000'000);
        sink.bytes({.name = "a", .content = as_bytes(std::string_view("x"))});
      });
  const Snapshot snapshot = acting.take(kSlow);
  CHECK(snapshot.outcome() == Outcome::partial);
  const auto entries = acting.file.entries();
  const auto gap = std::ranges::find_if(entries, [](const Entry& entry) {
    return !text_or(entry.json, "late_reason", "").empty();
  });
  REQUIRE(gap != entries.end());
  CHECK(gap->json.at("outcome") == "missing");
  CHECK(verify_custody(acting.folder, "").ok());
}

/// Changes a line as somebody does who drops the triggers and puts them back.
void break_line(const fs::path& folder, int seq) {
  const Database database(folder / "case.db", Database::Mode::write);
  const std::string trigger = database.text_of(
      "SELECT sql FROM sqlite_schema WHERE name='custody_no_update'");
  database.execute("DROP TRIGGER custody_no_update");
  database.execute(
      "UPDATE custody SET line=replace(line,'a test','a rest') "
      "WHERE seq=" +
      std::to_string(seq));
  database.execute(trigger);
}

TEST_CASE("a check repairs nothing in a case whose chain is broken") {
  Acting acting;
  acting.begin_exhibit();
  const auto begun = acting.file.entry_count();
  acting.put("E001.tar.zst.partial");
  // Damaged where nothing that is repaired would be read from.
  const bool is_broken = GENERATE(false, true);
  if (is_broken) break_line(acting.folder, static_cast<int>(begun));
  const CaseCheck check = check_case(acting.session, {.repair = Repair::yes});
  REQUIRE(check.items.size() == 1);
  CHECK(check.items.front().kind == "partial");
  CHECK(check.custody.ok() == !is_broken);
  CHECK(check.items.front().is_repaired == !is_broken);
  CHECK(check.open_problems() == (is_broken ? 1U : 0U));
  const CaseFile after(acting.folder, CaseMode::read_only, acting.clock);
  CHECK((after.entry_count() == begun) == is_broken);
  CHECK(fs::exists(acting.evidence() / "E001.tar.zst.partial") == is_broken);
  CHECK(fs::exists(acting.evidence() / "aside") == !is_broken);
}

TEST_CASE("what is set aside never takes the place of what lies there") {
  Acting acting;
  acting.begin_exhibit();
  const fs::path aside = acting.evidence() / "aside";
  const std::string name = "E001.tar.zst.partial";
  fs::create_directories(aside);
  write_file_durably(aside / name, as_bytes(std::string_view("earlier")));
  write_file_durably(aside / (name + ".2"),
                     as_bytes(std::string_view("later")));
  acting.put(name);
  CHECK(acting.kinds(true) == std::vector<std::string>{"partial E001"});
  CHECK(read_text_file(aside / name, 100) == "earlier");
  CHECK(read_text_file(aside / (name + ".2"), 100) == "later");
  CHECK(read_text_file(aside / (name + ".3"), 100) == "?");
}

TEST_CASE("an acquisition that met one gap is partial, and says which") {
  static constexpr std::array kGaps{Outcome::missing, Outcome::denied,
                                    Outcome::failed, Outcome::partial};
  static Outcome met = Outcome::ok;
  static constexpr Collector kOneGap =
      collector_named("one-gap", [](const Target&, EvidenceSink& sink) {
        sink.bytes({.name = "a", .content = as_bytes(std::string_view("x"))});
        if (met != Outcome::ok) sink.gap("a log", met, "for a test");
      });
  Acting acting;
  CHECK(acting.take(kOneGap).outcome() == Outcome::ok);
  for (const Outcome outcome : kGaps) {
    met = outcome;
    INFO(to_string(outcome));
    const Snapshot snapshot = acting.take(kOneGap);
    CHECK(snapshot.outcome() == Outcome::partial);
    CHECK_FALSE(snapshot.is_empty_handed());
    CHECK(snapshot.to_json().at("gap_list").at(0).at("outcome") ==
          to_string(outcome));
  }
}

TEST_CASE("a check takes away the locks that nobody holds, and no other") {
  Acting acting;
  const EvidenceLock held(acting.evidence(), "E007");
  acting.put("E008.lock");
  acting.put("containment.lock");
  CHECK(acting.kinds(false).empty());
  CHECK(stat_path(acting.evidence() / "E008.lock", Links::refuse));
  CHECK(acting.kinds(true).empty());
  CHECK(stat_path(acting.evidence() / "E007.lock", Links::refuse));
  CHECK_FALSE(stat_path(acting.evidence() / "E008.lock", Links::refuse));
  CHECK_FALSE(stat_path(acting.evidence() / "containment.lock", Links::refuse));
}
