// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/casefile/actions.hpp"
#include "core/casefile/case_file_impl.hpp"
#include "core/casefile/run_journal.hpp"
#include "core/casefile/schema.hpp"
#include "core/crypto/note.hpp"

namespace impound {
namespace {

constexpr std::string_view kLocked = "the case is locked by another process";
constexpr std::int64_t kHeadEveryEntries = 100;           // SCHEMA.md
constexpr std::int64_t kHeadEveryNs = 600'000'000'000LL;  // 10 minutes

/// Writes within one transaction. Holds what changes from entry to entry; the
/// case takes it over only after the commit.
class ChainWriter {
 public:
  ChainWriter(const Database& database, std::string case_id, std::string nonce,
              const Recording& recording, const Examiner& examiner)
      : database_(database),
        recording_(recording),
        examiner_(examiner),
        insert_(database.prepare(
            "INSERT INTO custody VALUES(:seq, :line, :signature)")) {
    place_.case_id = std::move(case_id);
    place_.nonce = std::move(nonce);
    Statement tail = database.prepare(
        "SELECT seq, line FROM custody ORDER BY seq DESC LIMIT 1");
    if (tail.step()) {
      place_.seq = tail.integer(0) + 1;
      place_.prev = link_of(tail.text(1));
    } else {
      place_.prev = genesis_prev();
    }
  }

  Entry write(const EntryDraft& draft) {
    Entry entry = make_entry(place_, draft, recording_, examiner_.key);
    insert_.reset();
    insert_.bind(":seq", entry.seq)
        .bind(":line", entry.line)
        .bind(":signature", entry.signature);
    insert_.run();
    ++place_.seq;
    place_.prev = link_of(entry.line);
    return entry;
  }

  [[nodiscard]] std::int64_t size() const { return place_.seq - 1; }
  [[nodiscard]] const std::string& head() const { return place_.prev; }

  /// Signs the chain as it stands; brings `frontier` up to it.
  std::string sign(MerkleFrontier& frontier) {
    catch_up(frontier);
    const auto chain = Digest::from_hex(place_.prev);
    const Checkpoint head{.origin = origin(),
                          .size = frontier.size(),
                          .root = frontier.root(),
                          .chain = chain.value_or(Digest{})};
    const std::string note = sign_note(head.text(), head.origin, examiner_.key);
    Statement store = database_.prepare(
        "INSERT INTO heads VALUES(:size, :note, :frontier, :at)");
    store.bind(":size", size())
        .bind(":note", note)
        .bind(":frontier", frontier.saved())
        .bind(":at", format_time(recording_.now));
    store.run();
    return note;
  }

  void write_head_entry(const MerkleFrontier& signed_head,
                        const std::string& note) {
    EntryDraft draft;
    draft.action = "head.sign";
    draft.purpose = "fix the chain as it stands";
    draft.detail = {{"size", signed_head.size()},
                    {"head", place_.prev},
                    {"root", to_base64(signed_head.root().bytes)},
                    {"signer", examiner_.key.public_key().fingerprint().hex()},
                    {"note_sha256", sha256(note).hex()}};
    static_cast<void>(write(draft));
  }

  /// SCHEMA.md: every 100 entries, every 10 minutes, and after some acts.
  [[nodiscard]] bool head_is_due() {
    if (size() == 0) return false;
    Statement last = database_.prepare(
        "SELECT size, signed_at FROM heads ORDER BY size DESC LIMIT 1");
    std::int64_t signed_size = 0;
    std::string signed_at;
    if (last.step()) {
      signed_size = last.integer(0);
      signed_at = last.text(1);
    } else {
      signed_at = database_.text_of(
          "SELECT json_extract(line,'$.recorded_at') FROM custody "
          "WHERE seq=1");
    }
    if (size() - signed_size >= kHeadEveryEntries) return true;
    const auto then = parse_time(signed_at);
    return !then || recording_.now - *then >= kHeadEveryNs;
  }

 private:
  void catch_up(MerkleFrontier& frontier) {
    if (frontier.size() > static_cast<std::uint64_t>(size())) frontier = {};
    if (frontier.size() == 0) {
      Statement saved = database_.prepare(
          "SELECT size, frontier FROM heads ORDER BY size DESC LIMIT 1");
      if (saved.step()) {
        frontier = MerkleFrontier::restore(
            static_cast<std::uint64_t>(saved.integer(0)), saved.text(1));
      }
    }
    Statement rows = database_.prepare(
        "SELECT line FROM custody WHERE seq > :from ORDER BY seq");
    rows.bind(":from", static_cast<std::int64_t>(frontier.size()));
    while (rows.step()) frontier.append(merkle_leaf(as_bytes(rows.text(0))));
  }

  [[nodiscard]] std::string origin() const {
    return head_origin(
        database_.text_of("SELECT json_extract(line,'$.detail.org') "
                          "FROM custody WHERE seq=1"),
        place_.case_id);
  }

  const Database& database_;
  const Recording& recording_;
  const Examiner& examiner_;
  Statement insert_;
  ChainPlace place_;
};

void refuse_if_closed(const std::vector<EntryDraft>& drafts) {
  for (const EntryDraft& draft : drafts) {
    if (allowed_when_closed(
            {{"action", draft.action}, {"detail", draft.detail}})) {
      continue;
    }
    throw Error(Errc::bad_input,
                fmt::format("the case is closed: {} can no longer be recorded",
                            printable(draft.action)));
  }
}

EntryDraft introduction_of(const Examiner& examiner) {
  EntryDraft draft;
  draft.action = "note";
  draft.detail = {
      {"kind", "signer.introduce"},
      {"text", "From here on entries may be signed by " + examiner.actor.name},
      {"signer", SignerCard::of(examiner).to_json()}};
  return draft;
}

/// "F001", "F002" …: findings are numbered under the lock.
void number_findings(std::int64_t last, std::vector<EntryDraft>& drafts) {
  for (EntryDraft& draft : drafts) {
    if (draft.action == "note" &&
        text_or(draft.detail, "kind", "") == "finding" &&
        !draft.detail.contains("id")) {
      draft.detail["id"] = fmt::format("F{:03}", ++last);
    }
  }
}

/// The number of "E001", "R017", "F003"; 0 for anything else.
std::int64_t number_of(std::string_view id) {
  std::int64_t number = 0;
  if (id.size() < 2 || id.size() > 13) return 0;
  for (const char c : id.substr(1)) {
    if (c < '0' || c > '9') return 0;
    number = number * 10 + (c - '0');
  }
  return number;
}

void write_journal(const Database& database,
                   const std::vector<JournalRow>& rows) {
  Statement store = database.prepare(
      "INSERT INTO journal VALUES(:run, :n, :call_sha256, :call, :answer) "
      "ON CONFLICT(run, n) DO UPDATE SET call_sha256=excluded.call_sha256, "
      "call=excluded.call, answer=excluded.answer");
  for (const JournalRow& row : rows) {
    store.reset();
    store.bind(":run", row.run)
        .bind(":n", row.n)
        .bind(":call_sha256", row.call_sha256)
        .bind(":call", row.call)
        .bind(":answer", row.answer);
    store.run();
  }
}

void introduce(ChainWriter& chain, const ChainFold& fold,
               const Examiner& examiner) {
  const std::string key = examiner.key.public_key().fingerprint().hex();
  if (fold.roll.find(key) != nullptr) return;
  static_cast<void>(chain.write(introduction_of(examiner)));
}

/// A file of an older version gets the views of this one with its first entry.
void upgrade(ChainWriter& chain, const Database& database) {
  if (!is_schema_old(database)) return;
  const std::int64_t old = database.user_version();
  upgrade_schema(database);
  EntryDraft draft;
  draft.action = "note";
  draft.purpose = "write with a newer program";
  draft.detail = {
      {"kind", "schema.upgrade"},
      {"text", fmt::format("The views of case.db are now those of format {}; "
                           "until here they were those of format {}. No "
                           "entry was changed.",
                           database.user_version(), old)},
      {"from", old},
      {"to", database.user_version()}};
  static_cast<void>(chain.write(draft));
}

/// What the verifier would find of a signer is not written in the first place.
[[noreturn]] void refuse_signer(const std::string& case_id,
                                const std::string& why) {
  throw Error(Errc::bad_input,
              fmt::format("{}; who may sign in this case: impound case signer "
                          "list --case {}",
                          why, case_id));
}

/// @throws Error{bad_input} if the key may write nothing at all.
void require_open(const SignerRoll& roll, const Examiner& examiner,
                  const std::string& case_id) {
  const std::string key = examiner.key.public_key().fingerprint().hex();
  if (const auto no = roll.refusal(key, std::nullopt)) {
    refuse_signer(case_id, *no);
  }
  const Signer* signer = roll.find(key);
  if (roll.asks_for_vouching() && signer != nullptr &&
      signer->name != examiner.actor.name) {
    refuse_signer(case_id,
                  fmt::format("key {} stands in the record for \"{}\", and you "
                              "sign as \"{}\"",
                              key, printable(signer->name),
                              printable(examiner.actor.name)));
  }
}

/// Each draft by itself, in order: one may change what the next one may say.
void require_rights(SignerRoll roll, std::int64_t seq,
                    const std::vector<EntryDraft>& drafts,
                    const Recording& recording, const std::string& case_id) {
  for (const EntryDraft& draft : drafts) {
    const Json entry = {{"v", kLineVersion},
                        {"action", draft.action},
                        {"detail", draft.detail},
                        {"actor", recording.actor}};
    if (const auto no = roll.refusal(signer_of(entry), right_needed(entry))) {
      refuse_signer(case_id, *no);
    }
    if (const auto no = roll.apply(++seq, entry)) refuse_signer(case_id, *no);
  }
}

/// True if `draft` ends what its own signer may sign.
bool closes_key(const EntryDraft& draft, const Examiner& examiner) {
  return draft.action == "signer.rotate" ||
         (draft.action == "signer.revoke" &&
          text_or(draft.detail, "fingerprint", "") ==
              examiner.key.public_key().fingerprint().hex());
}

bool signs_head(const EntryDraft& draft) {
  const ActionRule* rule = find_action(draft.action);
  return rule != nullptr && rule->signs_head;
}

}  // namespace

void ChainFold::catch_up(const Database& database) {
  Statement rows = database.prepare(
      "SELECT seq, json_extract(line,'$.action'), json_extract(line,'$.item'),"
      " json_extract(line,'$.run'), json_extract(line,'$.detail.kind'),"
      " json_extract(line,'$.detail.id'), line"
      " FROM custody WHERE seq > :from ORDER BY seq");
  rows.bind(":from", entries);
  while (rows.step()) {
    entries = rows.integer(0);
    const std::string_view action = rows.text(1);
    const std::string_view kind = rows.text(4);
    if (action == "acquire.begin") {
      exhibits = std::max(exhibits, number_of(rows.text(2)));
    } else if (action == "playbook.start") {
      runs = std::max(runs, number_of(rows.text(3)));
    } else if (action == "case.close") {
      closed = true;
    } else if (action == "note" && kind == "finding") {
      findings = std::max(findings, number_of(rows.text(5)));
    } else if (SignerRoll::concerns(action, kind)) {
      // What it refuses is the verifier's to tell; it has no effect here.
      static_cast<void>(roll.apply(
          entries, parse_json(rows.text(6), "an entry of the case")));
    }
  }
}

void CaseFile::require_right(const Examiner& examiner, Right right) const {
  const SignerRoll roll = signers();
  require_open(roll, examiner, id());
  const std::string key = examiner.key.public_key().fingerprint().hex();
  if (const auto no = roll.refusal(key, right)) refuse_signer(id(), *no);
}

void CaseFile::Impl::prepare_to_write() {
  if (mode != CaseMode::write) {
    throw Error(Errc::bad_input, "the case was opened for reading only");
  }
  if (!host_known) {
    host = read_host_facts();
    host_known = true;
  }
}

std::vector<Entry> CaseFile::Impl::add(Addition addition,
                                       const Examiner& examiner) {
  prepare_to_write();
  Transaction transaction(*database, kLocked);
  // Sampled under the lock: the monotonic counter then grows along the chain.
  const Recording recording =
      make_recording(clock, examiner, host, read_tool_facts());
  ChainWriter chain(*database, id, nonce, recording, examiner);
  fold.catch_up(*database);  // states only what is committed
  if (fold.closed) refuse_if_closed(addition.drafts);
  if (!addition.drafts.empty() || !addition.journal.empty()) {
    require_open(fold.roll, examiner, id);
    introduce(chain, fold, examiner);
    upgrade(chain, *database);
  }
  if (addition.prepare) addition.prepare(fold, addition.drafts);
  number_findings(fold.findings, addition.drafts);
  require_rights(fold.roll, chain.size(), addition.drafts, recording, id);

  std::vector<Entry> entries;
  entries.reserve(addition.drafts.size());
  for (const EntryDraft& draft : addition.drafts) {
    entries.push_back(chain.write(draft));
  }
  if (addition.make_journal) addition.journal = addition.make_journal(entries);
  write_journal(*database, addition.journal);
  for (const JournalRow& row : addition.journal) {
    if (row.answer.empty()) continue;  // begun: nothing that could be replayed
    static_cast<void>(chain.write(journal_note(id, row)));
  }
  MerkleFrontier signed_head = frontier;
  // A key that has just been closed signs nothing more.
  const bool may_sign = std::ranges::none_of(
      addition.drafts,
      [&](const EntryDraft& draft) { return closes_key(draft, examiner); });
  if (may_sign && (std::ranges::any_of(addition.drafts, signs_head) ||
                   (chain.size() > fold.entries && chain.head_is_due()))) {
    const std::string note = chain.sign(signed_head);
    chain.write_head_entry(signed_head, note);
  }
  transaction.commit();
  frontier = signed_head;
  return entries;
}

std::string CaseFile::Impl::add_head(const Examiner& examiner,
                                     HeadEntry entry) {
  prepare_to_write();
  Transaction transaction(*database, kLocked);
  const Recording recording =
      make_recording(clock, examiner, host, read_tool_facts());
  ChainWriter chain(*database, id, nonce, recording, examiner);
  fold.catch_up(*database);
  require_open(fold.roll, examiner, id);
  introduce(chain, fold, examiner);
  upgrade(chain, *database);
  Statement present =
      database->prepare("SELECT note FROM heads WHERE size=:size");
  present.bind(":size", chain.size());
  if (present.step()) return std::string(present.text(0));
  MerkleFrontier signed_head = frontier;
  std::string note = chain.sign(signed_head);
  if (entry == HeadEntry::append) chain.write_head_entry(signed_head, note);
  transaction.commit();
  frontier = signed_head;
  return note;
}

}  // namespace impound
