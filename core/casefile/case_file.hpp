// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The case file: append to the custody chain, read what it states.

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/json.hpp"
#include "core/casefile/custody.hpp"
#include "core/casefile/queries.hpp"
#include "core/casefile/signers.hpp"
#include "core/crypto/digest.hpp"

namespace impound {

enum class CaseMode : std::uint8_t { read_only, write };

/// What `case.open` states besides the common fields.
struct CaseOpening {
  std::string case_id;  ///< [A-Za-z0-9._-]{1,64}
  std::string title;
  std::string lead;  ///< person in charge; the examiner if empty
  std::string org;
  std::string hold_reference;
  /// Further examiners who must approve before a playbook may contain.
  int approvals = 0;
};

/// Other statements that must become durable together with entries: the
/// journal of a run. Kept in the same transaction.
struct JournalRow {
  std::string run;          ///< "R001"
  std::int64_t n = 0;       ///< 1, 2, 3 … within the run
  std::string call_sha256;  ///< over the call and its arguments
  std::string call;         ///< JSON
  std::string answer;       ///< JSON; empty = begun, not done
};

/// An open case.db. One process may hold several; not shared between threads.
class CaseFile {
 public:
  /// Creates `folder` with case.db, evidence/, reports/ and the genesis entry.
  /// @throws Error{bad_input} if there is something already, Error{io}.
  static CaseFile create(const std::filesystem::path& folder,
                         const CaseOpening& opening, const Examiner& examiner,
                         const Clock& clock);

  /// @throws Error{io} if there is no case, Error{unsupported} for a newer
  ///         schema, Error{malformed} if the file is no case of ours,
  ///         Error{bad_input} for writing to an export: its list is signed.
  CaseFile(const std::filesystem::path& folder, CaseMode mode,
           const Clock& clock);
  ~CaseFile();
  CaseFile(CaseFile&&) noexcept;
  CaseFile& operator=(CaseFile&&) noexcept;

  [[nodiscard]] const std::string& id() const;
  [[nodiscard]] const std::filesystem::path& folder() const;

  /// Appends entries (and journal rows) in one transaction: all or nothing,
  /// durable when it returns. Waits up to 30 s for another writer. Signs each
  /// entry, and the head where SCHEMA.md asks for it. Returns one
  /// entry for each draft, in their order; the entries that the chain adds of
  /// its own (a new signer in front, a signed head behind) are not among them.
  /// @throws Error{io} "the case is locked by another process" after that,
  ///         Error{bad_input} if the case is closed (other than by notes,
  ///         verify, access, transfer, export entries), if the examiner's key
  ///         was revoked, rotated, stands there under another name or lacks the
  ///         right (signers.hpp), or if a draft about signers says what the
  ///         roll refuses.
  std::vector<Entry> append(const std::vector<EntryDraft>& drafts,
                            const Examiner& examiner,
                            const std::vector<JournalRow>& journal = {});

  /// The same, where the journal depends on what the entries became (a number
  /// that is given under the lock). `make` runs inside the transaction.
  using JournalMaker =
      std::function<std::vector<JournalRow>(const std::vector<Entry>&)>;
  std::vector<Entry> append(const std::vector<EntryDraft>& drafts,
                            const Examiner& examiner, const JournalMaker& make);

  /// Reserves the next exhibit id and writes the acquire.begin entry for it.
  struct Reserved {
    std::string exhibit;  ///< "E001"
    Entry entry;
  };
  /// `claim` is given the id before the entry is committed: what it takes (a
  /// lock) is held by the time that anybody can read of the exhibit.
  Reserved reserve_exhibit(
      EntryDraft begin, const Examiner& examiner,
      const std::function<void(const std::string& exhibit)>& claim = {});
  /// The same for a run: "R001" and its playbook.start entry.
  struct ReservedRun {
    std::string run;
    Entry entry;
  };
  ReservedRun reserve_run(EntryDraft start, const Examiner& examiner);

  /// Whose the keys of the case are, and who says so.
  [[nodiscard]] SignerRoll signers() const;
  /// Asked before an act, so that none is done that may not be recorded.
  /// @throws Error{bad_input} saying what the key of `examiner` lacks.
  void require_right(const Examiner& examiner, Right right) const;

  /// How long the functions above wait for another writer; 30 s unless set.
  void set_lock_wait(std::chrono::milliseconds wait);

  /// The chain.
  [[nodiscard]] std::int64_t entry_count() const;
  [[nodiscard]] std::string head() const;  ///< 64 hex digits; zeros if empty
  [[nodiscard]] std::vector<Entry> entries(std::int64_t from_seq = 1) const;

  /// Projections over the chain; see queries.hpp.
  [[nodiscard]] CaseSummary summary() const;
  [[nodiscard]] std::vector<ExhibitRow> exhibits() const;
  [[nodiscard]] std::optional<ExhibitRow> exhibit(std::string_view id) const;
  /// The digest of the tag manifest that the seal of an exhibit names; empty if
  /// there is none.
  [[nodiscard]] std::string sealed_tagmanifest(std::string_view exhibit) const;
  [[nodiscard]] std::vector<FindingRow> findings() const;
  [[nodiscard]] std::vector<RunRow> runs() const;
  [[nodiscard]] std::vector<ContainmentRow> containments() const;
  [[nodiscard]] std::vector<Json> gaps() const;

  /// Journal of a run, in order.
  [[nodiscard]] std::vector<JournalRow> journal(std::string_view run) const;

  /// The newest signed head: a C2SP checkpoint note; empty if none yet.
  [[nodiscard]] std::string checkpoint_note() const;
  /// Signs the present head now (head.sign entry and note).
  std::string sign_head(const Examiner& examiner);
  /// Signs the whole chain and appends nothing: the note of an export, whose
  /// size is that of the chain. Stored like any other.
  std::string sign_whole_chain(const Examiner& examiner);
  /// A C2SP tlog-proof that entry `seq` belongs to the newest signed head: one
  /// entry can be shown without the others.
  /// @throws Error{bad_input} if no signed head covers that entry.
  [[nodiscard]] std::string inclusion_proof(std::int64_t seq) const;

  /// A consistent copy by VACUUM INTO.
  void copy_to(const std::filesystem::path& file) const;

 private:
  struct Impl;
  explicit CaseFile(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// One thing that is wrong with the chain.
struct CustodyProblem {
  std::int64_t seq = 0;  ///< first broken entry; 0 = the file as a whole
  std::string what;      ///< "prev", "signature", "seq", "head", "json" …
  std::string expected;
  std::string found;
};

/// Who vouches for an export as a whole.
enum class ExportSignature : std::uint8_t {
  no_export,     ///< a case that is worked on: its heads vouch for it
  signed_whole,  ///< the list of its files has a signature; whether it fits is
                 ///< a problem or none
  of_no_list,    ///< of a version that lists no files
  none,          ///< it could not be recorded, so that nobody signed it
};
[[nodiscard]] std::string_view to_string(ExportSignature signature) noexcept;

struct CustodyReport {
  std::int64_t entries = 0;
  std::string head;
  std::vector<CustodyProblem> problems;
  /// No defects, and to be explained: steps of the clock between two entries.
  std::vector<CustodyProblem> warnings;
  /// Of an export: what lies in its folder, is no part of the record, and was
  /// not checked.
  std::vector<std::string> foreign;
  /// Names below reports/ that entries name; compared.
  std::vector<std::string> kept;
  /// Of an export: who else vouches for its head, a sentence each.
  std::vector<std::string> vouching;
  ExportSignature signature = ExportSignature::no_export;
  /// True if this says of itself that nobody signed it as a whole: what was
  /// checked may be right, and it is never called whole.
  [[nodiscard]] bool is_unsigned() const noexcept {
    return signature == ExportSignature::none;
  }
  [[nodiscard]] bool ok() const noexcept {
    return problems.empty() && !is_unsigned();
  }
  SignerRoll signers;  ///< each with the number of its entries
  /// What was compared with what somebody wrote down; false = not asked.
  bool is_signer_compared = false;
  bool is_head_compared = false;
  /// Entry that the head that was written down ends with; 0 = not asked.
  std::int64_t compared_head_seq = 0;
  /// {"ok","entries","head","problems","warnings","not_part_of_the_record",
  ///  "vouching","export_signature","signers_must_be_vouched_for","signers","compared"}
  [[nodiscard]] Json to_json() const;
};

/// What somebody knows of a case who did not get it from its folder. Each may
/// be empty: then it is not compared.
struct WrittenDown {
  std::string note;    ///< a signed head that left the machine
  std::string signer;  ///< fingerprint of the key that opened the case
  std::string head;    ///< SHA-256 of some entry, as custody head prints it
  /// Fingerprint of a witness: an export must be cosigned by that key.
  std::string witness;
};

/// Checks every line, link, signature, field and the signed heads of a case
/// folder, reading case.db and what comparisons kept below reports/; of an
/// export also that its files are those of its signed list (export_list.hpp).
/// `trusted_note` is a head that left the machine (may be empty): the chain
/// must contain it.
[[nodiscard]] CustodyReport verify_custody(const std::filesystem::path& folder,
                                           std::string_view trusted_note);
/// @throws Error{bad_input} if a fingerprint or a head is no 64 digits.
[[nodiscard]] CustodyReport verify_custody(const std::filesystem::path& folder,
                                           const WrittenDown& known);

}  // namespace impound
