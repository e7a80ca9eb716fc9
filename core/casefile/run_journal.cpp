// SPDX-License-Identifier: Apache-2.0
#include "core/casefile/run_journal.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/base/fs.hpp"
#include "core/base/text.hpp"
#include "core/casefile/entry_line.hpp"
#include "core/crypto/digest.hpp"

namespace impound {
namespace {

[[noreturn]] void refuse(std::string_view run, std::int64_t n,
                         const std::string& what) {
  throw Error(Errc::integrity, fmt::format("row {} of the journal of {} {}", n,
                                           printable(run), what));
}

/// One note of kind "call".
struct CallNote {
  std::int64_t seq = 0;
  std::string call_sha256;
  std::string row_sha256;
};

/// What the chain says of the calls of one run.
struct ChainCalls {
  std::map<std::int64_t, CallNote> notes;
  std::int64_t highest = 0;  ///< number that the chain gives to a call
  std::int64_t retried_up_to = 0;
  /// Notes with these numbers are attempts since a "retry".
  std::vector<std::int64_t> retried;
};

class ChainReader {
 public:
  explicit ChainReader(std::string_view run) : run_(run) {}

  void read(const Entry& entry) {
    const Json& line = entry.json;
    if (text_or(line, "run", "") != run_) return;
    const Json& detail = line.at("detail");
    const auto call = detail.find("call");
    const std::int64_t n = call != detail.end() && call->is_number_integer()
                               ? call->get<std::int64_t>()
                               : 0;
    const std::string action = text_or(line, "action", "");
    if (action == "playbook.start") runner_ = signer_of(line);
    calls_.highest = std::max(calls_.highest, n);
    if (action != "note") return;
    const std::string kind = text_or(detail, "kind", "");
    if (kind != "call" && kind != "retry") return;
    if (signer_of(line) != runner_) {
      refuse(run_, n,
             fmt::format("is vouched for in entry {} by {}, who neither "
                         "started nor resumed the run",
                         entry.seq,
                         printable(text_or(line.at("actor"), "name", "?"))));
    }
    if (kind == "call") {
      add(n, {.seq = entry.seq,
              .call_sha256 = text_or(detail, "call_sha256", ""),
              .row_sha256 = text_or(detail, "row_sha256", "")});
    } else {
      retry_from(n);
    }
  }

  [[nodiscard]] ChainCalls take() { return std::move(calls_); }

 private:
  void add(std::int64_t n, CallNote note) {
    const std::int64_t seq = note.seq;
    if (!calls_.notes.emplace(n, std::move(note)).second) {
      refuse(run_, n, fmt::format("is named again in entry {}", seq));
    }
  }
  void retry_from(std::int64_t first) {
    for (const auto& [n, note] : calls_.notes) {
      if (n >= first) calls_.retried.push_back(n);
    }
    calls_.retried_up_to = calls_.highest;
  }

  std::string run_;
  std::string runner_;  ///< key of who started or resumed the run last
  ChainCalls calls_;
};

}  // namespace

std::string journal_row_sha256(std::string_view case_id,
                               const JournalRow& row) {
  return sha256(fmt::format("impound journal row\n{}\n{}\n{}\n{}\n{}\n{}\n",
                            case_id, row.run, row.n, row.call_sha256, row.call,
                            row.answer))
      .hex();
}

EntryDraft journal_note(std::string_view case_id, const JournalRow& row) {
  EntryDraft draft;
  draft.action = "note";
  draft.run = row.run;
  std::string function = "a call";
  bool is_error = false;
  // Whoever writes a row made it of JSON; other text is bound as it is.
  const Json call = Json::parse(row.call, nullptr, false);
  if (call.is_object()) {
    function = text_or(call, "function", "a call");
    draft.step = text_or(call, "step", "");
  }
  const Json answer = Json::parse(row.answer, nullptr, false);
  if (answer.is_object() && answer.contains("error")) {
    is_error = answer.at("error").is_object();
  }
  draft.detail = {
      {"kind", "call"},
      {"text", fmt::format("call {}, {}, was answered{}", row.n, function,
                           is_error ? " with an error" : "")},
      {"call", row.n},
      {"call_sha256", row.call_sha256},
      {"row_sha256", journal_row_sha256(case_id, row)},
      {"answered", is_error ? "error" : "ok"}};
  return draft;
}

namespace {

/// Holds the rows of a run against what the chain says of its calls.
/// @throws Error{integrity} that names the row.
RunJournal held_against(const std::string& case_id, std::string_view run,
                        std::vector<JournalRow> rows, ChainCalls chain) {
  RunJournal journal;
  journal.retried = chain.retried_up_to;
  for (JournalRow& row : rows) {
    if (row.answer.empty()) {
      refuse(run, row.n, "has no answer, and no run of this version began one");
    }
    const auto note = chain.notes.find(row.n);
    if (note == chain.notes.end()) {
      refuse(run, row.n, "has no entry in the chain");
    }
    if (note->second.row_sha256 != journal_row_sha256(case_id, row) ||
        note->second.call_sha256 != row.call_sha256) {
      refuse(run, row.n,
             fmt::format("is not the one that entry {} of the chain names: "
                         "expected SHA-256 {}, found {}",
                         note->second.seq, note->second.row_sha256,
                         journal_row_sha256(case_id, row)));
    }
    chain.notes.erase(note);
    if (std::ranges::find(chain.retried, row.n) == chain.retried.end()) {
      journal.rows.push_back(std::move(row));
    }
  }
  if (!chain.notes.empty()) {
    const auto& [n, note] = *chain.notes.begin();
    refuse(run, n,
           fmt::format("is gone: entry {} of the chain records that it was "
                       "answered, and what was done is not done twice",
                       note.seq));
  }
  return journal;
}

}  // namespace

RunJournal checked_journal(const CaseFile& case_file, std::string_view run) {
  // Rows first: one that is written meanwhile then is a note without its row
  // for nobody, since a run has one writer.
  std::vector<JournalRow> rows = case_file.journal(run);
  ChainReader reader(run);
  try {
    for (const Entry& entry : case_file.entries()) reader.read(entry);
    return held_against(case_file.id(), run, std::move(rows), reader.take());
  } catch (const Error& error) {
    if (error.code() != Errc::integrity) throw;
    throw Error(Errc::integrity,
                fmt::format("{}; nothing of it is replayed: end the run with "
                            "impound abort, and start a new one",
                            error.what()));
  }
}

std::vector<JournalProblem> check_journals(const CaseFile& case_file,
                                           std::span<const std::string> runs) {
  struct Looked {
    std::vector<JournalRow> rows;
    ChainReader reader;
    bool is_bound = false;
    std::string problem;
  };
  std::map<std::string, Looked, std::less<>> looked;
  for (const std::string& run : runs) {
    looked.emplace(run, Looked{.rows = case_file.journal(run),
                               .reader = ChainReader(run),
                               .problem = {}});
  }
  // One walk of the chain for all of them: a case may have thousands of runs.
  for (const Entry& entry : case_file.entries()) {
    const auto one = looked.find(text_or(entry.json, "run", ""));
    if (one == looked.end() || !one->second.problem.empty()) continue;
    if (text_or(entry.json, "action", "") == "playbook.start") {
      const Json& detail = entry.json.at("detail");
      one->second.is_bound =
          detail.contains("journal") && detail.at("journal") == kBoundJournal;
    }
    try {
      one->second.reader.read(entry);
    } catch (const Error& error) {
      one->second.problem = error.what();
    }
  }
  std::vector<JournalProblem> problems;
  for (auto& [run, one] : looked) {
    if (!one.is_bound) continue;  // nothing vouched for a row then
    if (one.problem.empty()) {
      try {
        static_cast<void>(held_against(case_file.id(), run, std::move(one.rows),
                                       one.reader.take()));
      } catch (const Error& error) {
        if (error.code() != Errc::integrity) throw;
        one.problem = error.what();
      }
    }
    if (!one.problem.empty()) problems.push_back({run, one.problem});
  }
  return problems;
}

bool is_answer(const Error& error) noexcept {
  switch (error.code()) {
    case Errc::bad_input:
    case Errc::malformed:
    case Errc::limit:
    case Errc::unsupported:
      return true;
    case Errc::io:
      return OsFailure{error.os_error()}.is_lasting();
    case Errc::integrity:  // of a read that a bad disk or a restored copy gave
      return false;
  }
  return false;
}

}  // namespace impound
