// SPDX-License-Identifier: Apache-2.0
#include "core/casefile/queries.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/casefile/case_file_impl.hpp"
#include "core/casefile/case_moment.hpp"
#include "core/casefile/entry_walk.hpp"
#include "core/casefile/schema.hpp"
#include "core/crypto/merkle.hpp"
#include "core/crypto/note.hpp"

namespace impound {
namespace {

/// In the order of ContainmentState; the words of the view `containments`.
constexpr std::array<std::string_view, 9> kContainmentStates{
    "intended",    "applied",         "contained",
    "releasing",   "release_failed",  "rolling_back",
    "rolled_back", "rollback_failed", "released"};

/// A view's columns by name, in C++. Column order is then free to change.
class Row {
 public:
  explicit Row(const Statement& statement, std::span<const std::string> names)
      : statement_(statement), names_(names) {}

  [[nodiscard]] std::string text(std::string_view column) const {
    return std::string(statement_.text(at(column)));
  }
  [[nodiscard]] std::int64_t integer(std::string_view column) const {
    return statement_.integer(at(column));
  }
  [[nodiscard]] std::uint64_t count(std::string_view column) const {
    return static_cast<std::uint64_t>(integer(column));
  }
  /// JSON that stands in the chain; a bare text is its own value.
  [[nodiscard]] Json json(std::string_view column) const {
    const std::string content = text(column);
    const bool structured =
        !content.empty() && (content.front() == '{' || content.front() == '[');
    if (structured) return parse_json(content, "case.db");
    return content.empty() || content == "null" ? Json() : Json(content);
  }

 private:
  [[nodiscard]] int at(std::string_view column) const {
    for (std::size_t i = 0; i < names_.size(); ++i) {
      if (names_[i] == column) return static_cast<int>(i);
    }
    throw Error(Errc::bad_input, "no such column: " + std::string(column));
  }

  const Statement& statement_;
  std::span<const std::string> names_;
};

template <typename Visit>
void for_each_row(const Database& database, std::string_view view,
                  Visit visit) {
  Statement statement = database.prepare(view_query(view));
  const std::vector<std::string> names = statement.column_names();
  while (statement.step()) visit(Row(statement, names));
}

ExhibitRow exhibit_from(const Row& row) {
  ExhibitRow exhibit;
  exhibit.id = row.text("id");
  exhibit.state = row.text("state");
  exhibit.title = row.text("title");
  exhibit.begun_at = row.text("begun_at");
  exhibit.sealed_at = row.text("sealed_at");
  exhibit.bundle = row.text("bundle");
  exhibit.size = row.count("size");
  exhibit.sha256 = row.text("sha256");
  exhibit.manifest_sha256 = row.text("manifest_sha256");
  exhibit.items = row.count("items");
  exhibit.gaps = row.count("gaps");
  exhibit.payload_bytes = row.count("payload_bytes");
  exhibit.outcome = row.text("outcome");
  exhibit.run = row.text("run");
  exhibit.step = row.text("step");
  exhibit.begin_seq = row.integer("begin_seq");
  exhibit.counts = row.json("counts");
  return exhibit;
}

Entry entry_from(const Statement& row, std::string_view source) {
  Entry entry;
  entry.seq = row.integer(0);
  entry.line = row.text(1);
  entry.signature = row.text(2);
  entry.json =
      parse_json(entry.line, fmt::format("{}: entry {}", source, entry.seq));
  return entry;
}

std::string head_in(const Database& database) {
  Statement tail =
      database.prepare("SELECT line FROM custody ORDER BY seq DESC LIMIT 1");
  return tail.step() ? link_of(tail.text(0)) : genesis_prev();
}

CaseSummary summary_in(const Database& database) {
  CaseSummary summary;
  for_each_row(database, "summary", [&](const Row& row) {
    summary.id = row.text("id");
    summary.title = row.text("title");
    summary.lead = row.text("lead");
    summary.org = row.text("org");
    summary.opened_at = row.text("opened_at");
    summary.closed_at = row.text("closed_at");
    summary.entries = row.integer("entries");
    summary.exhibits = row.integer("exhibits");
    summary.findings = row.integer("findings");
    summary.gaps = row.integer("gaps");
  });
  summary.head = head_in(database);
  return summary;
}

std::vector<ExhibitRow> exhibits_in(const Database& database) {
  std::vector<ExhibitRow> exhibits;
  for_each_row(database, "exhibits",
               [&](const Row& row) { exhibits.push_back(exhibit_from(row)); });
  return exhibits;
}

std::vector<FindingRow> findings_in(const Database& database) {
  std::vector<FindingRow> findings;
  for_each_row(database, "findings", [&](const Row& row) {
    FindingRow finding;
    finding.seq = row.integer("seq");
    finding.id = row.text("id");
    finding.verdict = row.text("verdict");
    finding.severity = row.text("severity");
    finding.title = row.text("title");
    finding.detail = row.text("detail");
    for (const Json& item : row.json("items")) {
      if (item.is_string()) finding.items.push_back(item.get<std::string>());
    }
    finding.run = row.text("run");
    finding.step = row.text("step");
    finding.at = row.text("at");
    findings.push_back(std::move(finding));
  });
  return findings;
}

std::vector<RunRow> runs_in(const Database& database) {
  std::vector<RunRow> runs;
  for_each_row(database, "runs", [&](const Row& row) {
    RunRow run;
    run.id = row.text("id");
    run.playbook = row.text("playbook");
    run.version = row.text("version");
    run.playbook_sha256 = row.text("playbook_sha256");
    run.state = row.text("state");
    run.started_at = row.text("started_at");
    run.ended_at = row.text("ended_at");
    run.parameters = row.json("parameters");
    run.deployment = row.text("deployment");
    runs.push_back(std::move(run));
  });
  return runs;
}

std::vector<ContainmentRow> containments_in(const Database& database) {
  std::vector<ContainmentRow> containments;
  for_each_row(database, "containments", [&](const Row& row) {
    ContainmentRow containment;
    containment.id = row.text("id");
    containment.deployment = row.text("deployment");
    containment.method = row.text("method");
    const std::string state = row.text("state");
    const auto known = containment_state_from(state);
    if (!known) {
      throw Error(Errc::unsupported,
                  fmt::format("the case file says of containment {} \"{}\": "
                              "this build knows no such state",
                              containment.id, printable(state)));
    }
    containment.state = *known;
    containment.at = row.text("at");
    containment.before = row.json("before");
    containment.target = row.json("target");
    containment.run = row.text("run");
    containment.seq = row.integer("seq");
    containments.push_back(std::move(containment));
  });
  return containments;
}

std::vector<Json> gaps_in(const Database& database) {
  std::vector<Json> gaps;
  for_each_row(database, "gaps", [&](const Row& row) {
    Json gap = {{"seq", row.integer("seq")}};
    for (const char* column : {"kind", "item", "collector", "subject",
                               "outcome", "reason", "at", "run", "step"}) {
      gap[column] = row.text(column);
    }
    gaps.push_back(std::move(gap));
  });
  return gaps;
}

std::vector<Entry> entries_in(const Database& database,
                              std::span<const std::string_view> actions) {
  Json wanted = Json::array();
  for (const std::string_view action : actions) wanted.push_back(action);
  Statement rows = database.prepare(
      "SELECT seq, line, signature FROM custody"
      " WHERE json_extract(line,'$.action') IN"
      " (SELECT value FROM json_each(:actions)) ORDER BY seq");
  rows.bind(":actions", std::string_view(dump_line(wanted)));
  std::vector<Entry> entries;
  while (rows.step()) entries.push_back(entry_from(rows, kCaseDatabase));
  return entries;
}

}  // namespace

std::string_view to_string(ContainmentState state) noexcept {
  return kContainmentStates[static_cast<std::size_t>(state)];
}

std::optional<ContainmentState> containment_state_from(
    std::string_view name) noexcept {
  const auto found = std::ranges::find(kContainmentStates, name);
  if (found == kContainmentStates.end()) return std::nullopt;
  return static_cast<ContainmentState>(found - kContainmentStates.begin());
}

bool is_open(ContainmentState state) noexcept {
  return state != ContainmentState::rolled_back &&
         state != ContainmentState::released;
}

CaseMoment read_moment(const std::filesystem::path& folder,
                       std::span<const std::string_view> actions) {
  const Database database(folder / kCaseDatabase, Database::Mode::read_only);
  require_case_file(database);
  // Ended by closing the database; nothing is written.
  database.execute("BEGIN");
  return {.summary = summary_in(database),
          .runs = runs_in(database),
          .exhibits = exhibits_in(database),
          .findings = findings_in(database),
          .containments = containments_in(database),
          .gaps = gaps_in(database),
          .entries = entries_in(database, actions)};
}

std::int64_t CaseFile::entry_count() const {
  return impl_->database->integer_of("SELECT count(*) FROM custody");
}

std::string CaseFile::head() const { return head_in(*impl_->database); }

std::vector<Entry> CaseFile::entries(std::int64_t from_seq) const {
  Statement rows = impl_->database->prepare(
      "SELECT seq, line, signature FROM custody WHERE seq >= :from "
      "ORDER BY seq");
  rows.bind(":from", from_seq);
  std::vector<Entry> entries;
  while (rows.step()) entries.push_back(entry_from(rows, kCaseDatabase));
  return entries;
}

void each_entry(const fs::path& case_folder, std::int64_t from_seq,
                const std::function<void(const Entry&)>& visit) {
  const Database database(case_folder / kCaseDatabase,
                          Database::Mode::read_only);
  Statement rows = database.prepare(
      "SELECT seq, line, signature FROM custody WHERE seq >= :from "
      "ORDER BY seq");
  rows.bind(":from", from_seq);
  while (rows.step()) visit(entry_from(rows, kCaseDatabase));
}

CaseSummary CaseFile::summary() const { return summary_in(*impl_->database); }

std::vector<ExhibitRow> CaseFile::exhibits() const {
  return exhibits_in(*impl_->database);
}

std::optional<ExhibitRow> CaseFile::exhibit(std::string_view id) const {
  for (ExhibitRow& exhibit : exhibits()) {
    if (exhibit.id == id) return std::move(exhibit);
  }
  return std::nullopt;
}

std::string CaseFile::sealed_tagmanifest(std::string_view exhibit) const {
  Statement rows = impl_->database->prepare(
      "SELECT coalesce(json_extract(line,'$.detail.tagmanifest_sha256'),'')"
      " FROM custody WHERE json_extract(line,'$.action')='bundle.seal'"
      " AND json_extract(line,'$.item')=:item ORDER BY seq LIMIT 1");
  rows.bind(":item", exhibit);
  return rows.step() ? std::string(rows.text(0)) : std::string();
}

std::vector<FindingRow> CaseFile::findings() const {
  return findings_in(*impl_->database);
}

std::vector<RunRow> CaseFile::runs() const { return runs_in(*impl_->database); }

std::vector<ContainmentRow> CaseFile::containments() const {
  return containments_in(*impl_->database);
}

std::vector<Json> CaseFile::gaps() const { return gaps_in(*impl_->database); }

std::vector<JournalRow> CaseFile::journal(std::string_view run) const {
  Statement rows = impl_->database->prepare(
      "SELECT n, call_sha256, call, answer FROM journal WHERE run=:run "
      "ORDER BY n");
  rows.bind(":run", run);
  std::vector<JournalRow> journal;
  while (rows.step()) {
    journal.push_back({.run = std::string(run),
                       .n = rows.integer(0),
                       .call_sha256 = std::string(rows.text(1)),
                       .call = std::string(rows.text(2)),
                       .answer = std::string(rows.text(3))});
  }
  return journal;
}

std::string CaseFile::checkpoint_note() const {
  return impl_->database->text_of(
      "SELECT note FROM heads ORDER BY size DESC LIMIT 1");
}

std::string CaseFile::inclusion_proof(std::int64_t seq) const {
  const std::string note = checkpoint_note();
  const std::uint64_t size =
      note.empty()
          ? 0
          : parse_checkpoint(parse_note(note, "head").text, "head").size;
  if (seq < 1 || static_cast<std::uint64_t>(seq) > size) {
    throw Error(Errc::bad_input,
                fmt::format("no signed head covers entry {}: the newest one "
                            "covers {}",
                            seq, size));
  }
  Statement rows = impl_->database->prepare(
      "SELECT line FROM custody WHERE seq <= :size ORDER BY seq");
  rows.bind(":size", static_cast<std::int64_t>(size));
  std::vector<Digest> leaves;
  std::string leaf;
  while (rows.step()) {
    leaves.push_back(merkle_leaf(as_bytes(rows.text(0))));
    if (leaves.size() == static_cast<std::uint64_t>(seq)) leaf = rows.text(0);
  }
  const auto index = static_cast<std::uint64_t>(seq - 1);
  return format_tlog_proof(leaf, index, impound::inclusion_proof(leaves, index),
                           note);
}

}  // namespace impound
