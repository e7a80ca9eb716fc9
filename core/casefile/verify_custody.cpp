// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <future>
#include <map>
#include <optional>
#include <set>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/text.hpp"
#include "core/casefile/actions.hpp"
#include "core/casefile/case_file.hpp"
#include "core/casefile/case_file_impl.hpp"
#include "core/casefile/clock_check.hpp"
#include "core/casefile/export_list.hpp"
#include "core/casefile/head_check.hpp"
#include "core/casefile/line_check.hpp"
#include "core/casefile/schema.hpp"
#include "core/casefile/signer_walk.hpp"
#include "core/evidence/pipeline.hpp"

namespace impound {
namespace {

/// Problems that are listed; one change breaks few, a rewritten file breaks
/// all, and nobody reads those.
constexpr std::size_t kMaxProblems = 50;

/// Rows that are read before their signatures are checked together, and the
/// bytes of lines at which fewer will do.
constexpr std::size_t kBatchRows = 1024;
constexpr std::size_t kBatchBytes = 16 << 20;

/// Where the chain itself sorts before what is wrong with the whole file.
bool stands_earlier(const CustodyProblem& a, const CustodyProblem& b) {
  if ((a.seq == 0) != (b.seq == 0)) return b.seq == 0;
  return a.seq < b.seq;
}

/// Runs act(0) … act(count - 1) on all cores.
void on_all_cores(std::size_t count,
                  const std::function<void(std::size_t)>& act) {
  const std::size_t threads = std::min<std::size_t>(usable_cores(), count);
  const auto share = [&](std::size_t thread) {
    for (std::size_t i = thread; i < count; i += threads) act(i);
  };
  std::vector<std::future<void>> others;
  for (std::size_t thread = 1; thread < threads; ++thread) {
    others.push_back(std::async(std::launch::async, share, thread));
  }
  if (threads > 0) share(0);
  for (std::future<void>& other : others) other.get();
}

struct Row {
  std::int64_t seq = 0;
  std::string line;
  std::string signature;
  CheckedLine checked;
  const PublicKey* key = nullptr;  ///< null if there is none to check with
};

void check_signature(Row& row) {
  if (row.key == nullptr) return;
  std::vector<CustodyProblem>& problems = row.checked.problems;
  Bytes signature;
  try {
    signature = from_base64(row.signature);
    if (to_base64(signature) != row.signature) {  // one has one spelling
      throw Error(Errc::malformed, "bits behind its end");
    }
  } catch (const Error& error) {
    problems.push_back({row.seq, "signature", "base64", error.what()});
    return;
  }
  if (row.key->verify(as_bytes(row.line + "\n"), signature)) return;
  problems.push_back(
      {row.seq, "signature",
       "one by key " + row.key->fingerprint().hex() + " over exactly this line",
       excerpt(row.signature)});
}

/// Follows one chain from its first row to its last.
class ChainVerifier {
 public:
  ChainVerifier(const Database& database, const WrittenDown& known)
      : database_(database), signers_(known), heads_(database, known.note) {}

  CustodyReport run() {
    read_rows();
    if (report_.entries == 0) {
      add({1, "action", "case.open, the first entry", "no entry at all"});
    }
    signers_.finish(report_);
    report_.head = place_.prev;
    return std::move(report_);
  }
  /// The keys that may sign behind the last entry.
  [[nodiscard]] const IntroducedKeys& open_keys() const noexcept {
    return signers_.open_keys();
  }
  /// The highest version of a line so far.
  [[nodiscard]] int newest_line() const noexcept { return newest_line_; }
  /// Compares the files below reports/ of `folder` with what the comparisons
  /// say that they kept.
  void check_reports(const fs::path& folder, CustodyReport& into) const {
    std::vector<CustodyProblem>& problems = into.problems;
    for (const Report& report : reports_) {
      into.kept.push_back(report.name);
      const auto stat = stat_path(folder / report.name, Links::refuse);
      std::string found = "nothing";
      try {
        if (stat && stat->kind == FileKind::regular) {
          found = sha256_of(*open_source(folder / report.name)).hex();
        }
      } catch (const Error& error) {
        found = error.what();
      }
      if (found != report.sha256) {
        problems.push_back(
            {report.seq, excerpt(report.name), report.sha256, found});
      }
    }
  }
  /// False if the newest disclosure was made without exhibits and reports.
  [[nodiscard]] bool is_with_exhibits() const noexcept {
    return is_with_exhibits_;
  }
  /// Problems that were found and not kept.
  [[nodiscard]] std::size_t dropped() const noexcept { return dropped_; }

 private:
  void add(CustodyProblem problem) {
    report_.problems.push_back(std::move(problem));
  }

  void warn(std::vector<CustodyProblem> warnings) {
    for (CustodyProblem& warning : warnings) {
      if (report_.warnings.size() == kMaxProblems) return;
      report_.warnings.push_back(std::move(warning));
    }
  }

  void read_rows() {
    Statement rows = database_.prepare(
        "SELECT seq, line, signature FROM custody ORDER BY seq");
    place_.prev = genesis_prev();
    std::vector<Row> batch;
    std::size_t bytes = 0;
    std::string broken;
    while (step(rows, broken)) {
      batch.push_back({rows.integer(0),
                       std::string(rows.text(1)),
                       std::string(rows.text(2)),
                       {},
                       nullptr});
      bytes += batch.back().line.size();
      if (batch.size() < kBatchRows && bytes < kBatchBytes) continue;
      check_batch(batch);
      batch.clear();
      bytes = 0;
    }
    check_batch(batch);
    if (broken.empty()) {
      heads_.finish(report_.entries, report_.problems);
    } else {
      add({last_seq_ + 1, "database", "a readable row", broken});
    }
  }

  /// A damaged page ends the chain where it is; what stands before it is
  /// judged all the same.
  static bool step(Statement& rows, std::string& broken) {
    try {
      return rows.step();
    } catch (const Error& error) {
      if (error.code() != Errc::malformed) throw;
      broken = error.what();
      return false;
    }
  }

  void check_batch(std::vector<Row>& batch) {
    on_all_cores(batch.size(), [&](std::size_t i) {
      batch[i].checked = check_line(batch[i].seq, batch[i].line);
    });
    for (Row& row : batch) follow(row);
    on_all_cores(batch.size(),
                 [&](std::size_t i) { check_signature(batch[i]); });
    for (Row& row : batch) {
      std::ranges::move(row.checked.problems,
                        std::back_inserter(report_.problems));
    }
    // The earliest are kept; a few more than are listed, so that it shows.
    std::ranges::stable_sort(report_.problems, stands_earlier);
    if (report_.problems.size() > 2 * kMaxProblems) {
      dropped_ += report_.problems.size() - 2 * kMaxProblems;
      report_.problems.resize(2 * kMaxProblems);
    }
  }

  /// The checks that need what came before; brings the state behind `row`.
  void follow(Row& row) {
    ++report_.entries;
    std::vector<CustodyProblem>& problems = row.checked.problems;
    if (row.seq != last_seq_ + 1) {
      problems.insert(problems.begin(),
                      {last_seq_ + 1, "seq", std::to_string(last_seq_ + 1),
                       std::to_string(row.seq)});
    }
    const Json& json = row.checked.json;
    const std::string link = link_of(row.line);
    if (!json.is_null()) {
      if (last_seq_ == 0) begin(json);
      const Json& version = json["v"];
      if (version.is_number_integer() && version > newest_line_ &&
          version <= kLineVersion) {
        newest_line_ = version.get<int>();
      }
      place_.seq = row.seq;
      check_place(place_, row.line, json, problems);
      std::vector<CustodyProblem> warnings;
      clock_.follow(row.seq, json, problems, warnings);
      warn(std::move(warnings));
      follow_action(row.seq, json, problems);
      follow_exhibit(row.seq, json, problems);
      follow_files(row.seq, json, problems);
      signers_.follow(row.seq, json, link, problems);
      row.key = key_of(row.seq, json, problems);
      heads_.check_entry(row.seq, json, problems);
    } else {
      signers_.skip(link);
    }
    last_seq_ = row.seq;
    place_.prev = link;
    heads_.append(row.seq, row.line, link, signers_.open_keys(), problems);
  }

  void begin(const Json& json) {
    place_.case_id = text_or(json, "case", "");
    place_.nonce = text_or(json["detail"], "nonce", "");
    heads_.set_origin(
        head_origin(text_or(json["detail"], "org", ""), place_.case_id));
  }

  void follow_action(std::int64_t seq, const Json& json,
                     std::vector<CustodyProblem>& problems) {
    const std::string action = text_or(json, "action", "");
    if ((seq == 1) != (action == "case.open")) {
      problems.push_back({seq, "action",
                          seq == 1 ? "case.open" : "anything but case.open",
                          excerpt(action)});
    }
    if (closed_ && !allowed_when_closed(json)) {
      problems.push_back({seq, "action", "nothing of the kind after case.close",
                          excerpt(action)});
    }
    closed_ = closed_ || action == "case.close";
  }

  /// A seal closes what was begun, and once: which of two were the evidence?
  void follow_exhibit(std::int64_t seq, const Json& json,
                      std::vector<CustodyProblem>& problems) {
    const std::string action = text_or(json, "action", "");
    const std::string item = text_or(json, "item", "");
    if (action == "acquire.begin" && !begun_.insert(item).second) {
      problems.push_back(
          {seq, "item", "an exhibit that was not begun before", excerpt(item)});
    }
    if (action != "bundle.seal") return;
    if (!begun_.contains(item)) {
      problems.push_back({seq, "item",
                          "an exhibit that an acquire.begin before began",
                          excerpt(item)});
    }
    if (!sealed_.insert(item).second) {
      problems.push_back({seq, "item", "an exhibit that was not sealed before",
                          excerpt(item)});
    }
  }

  /// The files that an entry keeps below reports/.
  void follow_files(std::int64_t seq, const Json& json,
                    std::vector<CustodyProblem>& problems) {
    const std::string action = text_or(json, "action", "");
    const Json& detail = json["detail"];
    if (!detail.is_object()) return;
    if (action == "export.disclose" && detail.contains("with_exhibits")) {
      is_with_exhibits_ = detail["with_exhibits"] == true;
    }
    if (action != "baseline.diff") return;
    for (const char* what : {"result", "baseline"}) {
      const std::string file =
          text_or(detail, fmt::format("{}_file", what), "");
      if (file.empty()) continue;  // not kept in version 1
      if (!is_report_name(file)) {
        problems.push_back({seq, fmt::format("{}_file", what),
                            "the name of a file below reports/",
                            excerpt(file)});
        continue;
      }
      reports_.push_back(
          {seq, file, text_or(detail, fmt::format("{}_sha256", what), "")});
    }
  }

  const PublicKey* key_of(std::int64_t seq, const Json& json,
                          std::vector<CustodyProblem>& problems) const {
    const std::string fingerprint = signer_of(json);
    const auto key = signers_.keys().find(fingerprint);
    if (key != signers_.keys().end()) return &key->second;
    problems.push_back(
        {seq, "signer", "a key that this or an earlier entry introduced",
         fingerprint.empty() ? "no \"key <fingerprint>\" in actor.auth"
                             : excerpt(fingerprint)});
    return nullptr;
  }

  const Database& database_;
  CustodyReport report_;
  ChainPlace place_;
  std::int64_t last_seq_ = 0;
  bool closed_ = false;
  std::set<std::string> begun_;   ///< exhibits
  std::set<std::string> sealed_;  ///< exhibits
  struct Report {
    std::int64_t seq = 0;
    std::string name;
    std::string sha256;
  };
  std::vector<Report> reports_;
  bool is_with_exhibits_ = true;
  int newest_line_ = kOldestLineVersion;
  std::size_t dropped_ = 0;
  ClockCheck clock_;
  SignerWalk signers_;
  HeadCheck heads_;
};

/// An export without exhibits has no reports either.
bool has_reports(const fs::path& folder, const ChainVerifier& verifier) {
  // An export that is not recorded itself is none that an entry tells of.
  return (verifier.is_with_exhibits() || is_unsigned_export(folder)) &&
         (stat_path(folder / "exhibits", Links::refuse) ||
          stat_path(folder / "reports", Links::refuse));
}

/// True if the tables are ours and may be read: a view in their place could
/// run for ever.
bool check_schema(const Database& database, CustodyReport& report) {
  const std::string state = database.text_of("PRAGMA quick_check(1)");
  if (state != "ok") {
    report.problems.push_back({0, "database", "ok", excerpt(state)});
  }
  bool readable = true;
  for (const SchemaDeparture& departure : compare_schema(database)) {
    report.problems.push_back({0, "schema " + excerpt(departure.name),
                               excerpt(departure.expected),
                               excerpt(departure.found)});
    readable =
        readable && departure.name != "custody" && departure.name != "heads";
  }
  return readable;
}

void bound_problems(CustodyReport& report, std::size_t dropped) {
  std::ranges::stable_sort(report.problems, stands_earlier);
  if (report.problems.size() <= kMaxProblems) return;
  dropped += report.problems.size() - kMaxProblems;
  const std::int64_t seq = report.problems[kMaxProblems].seq;
  report.problems.resize(kMaxProblems);
  report.problems.push_back(
      {seq, "more", "nothing", fmt::format("{} further problems", dropped)});
}

Json signer_list(const SignerRoll& roll) {
  Json list = Json::array();
  for (const Signer& signer : roll.all()) {
    Json json = signer_to_json(roll, signer);
    json["entries"] = signer.entries;
    list.push_back(std::move(json));
  }
  return list;
}

Json list_of(const std::vector<CustodyProblem>& problems) {
  Json list = Json::array();
  for (const CustodyProblem& problem : problems) {
    list.push_back({{"seq", problem.seq},
                    {"what", problem.what},
                    {"expected", problem.expected},
                    {"found", problem.found}});
  }
  return list;
}

}  // namespace

namespace {

Json lossless_list(const std::vector<std::string>& names) {
  Json list = Json::array();
  for (const std::string& name : names) list.push_back(lossless_utf8(name));
  return list;
}

}  // namespace

std::string_view to_string(ExportSignature signature) noexcept {
  switch (signature) {
    case ExportSignature::no_export:
      return "no export";
    case ExportSignature::signed_whole:
      return "signed";
    case ExportSignature::of_no_list:
      return "signs no list";
    case ExportSignature::none:
      break;
  }
  return "unsigned";
}

Json CustodyReport::to_json() const {
  return {{"ok", ok()},
          {"entries", entries},
          {"head", head},
          {"problems", list_of(problems)},
          {"warnings", list_of(warnings)},
          {"not_part_of_the_record", lossless_list(foreign)},
          {"vouching", vouching},
          {"export_signature", to_string(signature)},
          {"signers_must_be_vouched_for", signers.asks_for_vouching()},
          {"signers", signer_list(signers)},
          {"compared",
           {{"signer", is_signer_compared},
            {"head", is_head_compared},
            {"head_entry",
             compared_head_seq == 0 ? Json() : Json(compared_head_seq)}}}};
}

CustodyReport verify_custody(const std::filesystem::path& folder,
                             std::string_view trusted_note) {
  return verify_custody(folder, WrittenDown{.note = std::string(trusted_note),
                                            .signer = {},
                                            .head = {},
                                            .witness = {}});
}

CustodyReport verify_custody(const std::filesystem::path& folder,
                             const WrittenDown& known) {
  CustodyReport report;
  std::size_t dropped = 0;
  try {
    // Nobody writes to an export, and what lies beside its case.db is no part
    // of it.
    const Database database(folder / kCaseDatabase,
                            is_export(folder) ? Database::Mode::immutable
                                              : Database::Mode::read_only);
    // One state of the file, whatever another process appends meanwhile.
    database.execute("BEGIN");
    require_case_file(database);
    CustodyReport schema;
    const bool readable = check_schema(database, schema);
    if (readable) {
      ChainVerifier verifier(database, known);
      report = verifier.run();
      dropped = verifier.dropped();
      if (is_export(folder)) {
        ExportCheck files = check_export(
            folder, {.database = database,
                     .keys = verifier.open_keys(),
                     .signers = report.signers,
                     .is_with_exhibits = verifier.is_with_exhibits(),
                     .is_list_required = verifier.newest_line() > 1,
                     .witness = known.witness});
        std::ranges::move(files.problems, std::back_inserter(report.problems));
        report.foreign = std::move(files.foreign);
        report.vouching = std::move(files.vouching);
        report.signature = files.signature;
        // An export signs its whole chain; no entry can tell of that head.
        if (!report.is_unsigned() &&
            database.integer_of("SELECT count(*) FROM heads WHERE size="
                                "(SELECT max(seq) FROM custody)") == 0) {
          report.problems.push_back({report.entries, "head",
                                     "the head that this export was signed "
                                     "with",
                                     "no head over the whole chain"});
        }
      }
      if (!is_export(folder) || has_reports(folder, verifier)) {
        verifier.check_reports(folder, report);
      }
    }
    std::ranges::move(schema.problems, std::back_inserter(report.problems));
  } catch (const Error& error) {
    if (error.code() != Errc::malformed) throw;
    report.problems.push_back({0, "database", "a case file", error.what()});
  }
  bound_problems(report, dropped);
  return report;
}

}  // namespace impound
