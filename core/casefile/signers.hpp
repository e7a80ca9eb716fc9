// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Whose the keys of a case are, and who says so.
///
/// A signature proves that a key signed; it does not prove whose the key is. If
/// a key could introduce itself, whoever has a case folder could cut the chain
/// back to its first entry, make a key under any name and write another story
/// that verifies. So a case says in its first entry that its signers must be
/// vouched for (`"signers":"vouched"`): the key that opened it holds all
/// rights, and every other one is brought in by an entry that a holder of
/// `introduce` signed. The chain of signatures from the first key to each entry
/// is then unbroken, and whoever knows the fingerprint of the first key knows
/// that nobody else wrote it.
///
/// An unknown examiner is not turned away: evidence is preserved first. Their
/// key introduces itself, their entries wait, and every check of the case fails
/// until `signer.vouch` takes them over, up to the entry that its author had
/// read. What an unknown key cannot do is approve, release or introduce.
///
/// A case of before (no such word in its first entry) asked for nothing of the
/// kind: its keys introduced themselves, may do everything, and that is told.
///
/// The roll is folded entry by entry, by the verifier, by the writer (which
/// refuses what the verifier would find) and by what counts approvals. It keeps
/// what the entries say; that they are signed is for the verifier to check.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/json.hpp"
#include "core/casefile/custody.hpp"
#include "core/casefile/rights.hpp"
#include "core/crypto/signature.hpp"

namespace impound {

/// The word of `detail.signers` of a first entry that asks for vouching.
inline constexpr std::string_view kVouched = "vouched";

/// How a key came into the case.
enum class Introduction : std::uint8_t { opened, added, rotated, itself };
[[nodiscard]] std::string_view to_string(Introduction how) noexcept;

/// What a key is now.
enum class Standing : std::uint8_t {
  vouched,    ///< opened the case, or a holder of `introduce` says whose it is
  unvouched,  ///< introduced itself, and nobody said a word
  rotated,    ///< its holder uses another one since
  revoked,
};
[[nodiscard]] std::string_view to_string(Standing standing) noexcept;

struct Signer {
  std::string fingerprint;
  std::string name;
  std::string org;
  std::string role;
  std::string public_key;  ///< PEM
  Rights rights;           ///< none while nobody vouched
  Introduction how = Introduction::itself;
  Standing standing = Standing::unvouched;
  std::string by;               ///< fingerprint of who added or rotated it
  std::int64_t since = 0;       ///< entry that introduced it
  std::string vouched_by;       ///< fingerprint; of a key that came by itself
  std::int64_t vouched_at = 0;  ///< entry of the newest signer.vouch; 0 = none
  std::int64_t vouched_through = 0;  ///< its own entries up to here, too
  std::int64_t closed_at = 0;        ///< entry that rotated or revoked it
  std::string closed_by;
  /// The first key of the chain of rotations: one person, as they say.
  std::string person;
  std::int64_t entries = 0;  ///< signed by it; counted by the verifier only

  /// False from the entry on that rotated or revoked it.
  [[nodiscard]] bool is_open() const noexcept {
    return standing == Standing::vouched || standing == Standing::unvouched;
  }
};

/// Who a key card (examiner.json, or detail.signer) speaks of.
struct SignerCard {
  std::string name;
  std::string org;
  std::string role;
  PublicKey key;

  /// {"name","org","role","fingerprint","public_key"}
  [[nodiscard]] Json to_json() const;
  /// @throws Error{malformed} naming `source` if a field is missing or the
  ///         fingerprint is not the key's.
  [[nodiscard]] static SignerCard from_json(const Json& json,
                                            std::string_view source);
  [[nodiscard]] static SignerCard of(const Examiner& examiner);
};

class SignerRoll {
 public:
  /// Takes one entry in: {"v","action","detail","actor"} at least, in the order
  /// of the chain. Returns what is wrong with what it says of signers (who may
  /// not say so, a key that is there already); a refused statement changes
  /// nothing but that its key, if it brings one, is known as one that nobody
  /// vouched for.
  [[nodiscard]] std::optional<std::string> apply(std::int64_t seq,
                                                 const Json& entry);

  /// True if entries with that action (and detail.kind) change the roll.
  [[nodiscard]] static bool concerns(std::string_view action,
                                     std::string_view kind) noexcept;

  /// True if the first entry asks that signers are vouched for.
  [[nodiscard]] bool asks_for_vouching() const noexcept { return asks_; }
  [[nodiscard]] const Signer* find(std::string_view fingerprint) const;
  /// In the order in which they came.
  [[nodiscard]] const std::vector<Signer>& all() const noexcept {
    return signers_;
  }
  /// One more entry of that key, if it is known.
  void count_entry(std::string_view fingerprint);

  /// Why `fingerprint` may not sign a next entry that needs `right` (nothing if
  /// empty); empty if it may. An unknown key may what an unvouched one may.
  [[nodiscard]] std::optional<std::string> refusal(
      std::string_view fingerprint, std::optional<Right> right) const;

  /// The person behind a key; the fingerprint itself if it is unknown.
  [[nodiscard]] std::string person_of(std::string_view fingerprint) const;

  /// Groups of keys of different people who call themselves the same, compared
  /// without case and surplus blanks. Revoked keys count, rotated ones do not.
  [[nodiscard]] std::vector<std::vector<const Signer*>> same_names() const;

 private:
  Signer* find_mutable(std::string_view fingerprint);
  std::optional<std::string> open(std::int64_t seq, const Json& entry);
  std::optional<std::string> introduce_itself(std::int64_t seq,
                                              const Json& entry);
  std::optional<std::string> add(std::int64_t seq, const Json& entry);
  std::optional<std::string> vouch(std::int64_t seq, const Json& entry);
  std::optional<std::string> rotate(std::int64_t seq, const Json& entry);
  std::optional<std::string> revoke(std::int64_t seq, const Json& entry);
  Signer& enter(std::int64_t seq, const SignerCard& card, Introduction how,
                std::string_view by);

  bool asks_ = false;
  std::vector<Signer> signers_;
  std::map<std::string, std::size_t, std::less<>> by_key_;
};

/// The right that an entry needs; empty if everybody may write it.
[[nodiscard]] std::optional<Right> right_needed(const Json& entry);

/// "added by Ada Example (key 0123…) in entry 5", made from what was folded.
[[nodiscard]] std::string introduction_text(const SignerRoll& roll,
                                            const Signer& signer);
[[nodiscard]] Json signer_to_json(const SignerRoll& roll, const Signer& signer);

/// What becomes an entry; the case refuses it if the roll would.
[[nodiscard]] EntryDraft add_signer_draft(const SignerCard& card,
                                          Rights rights);
/// `through` and `head`: the last entry that the author of this one has seen,
/// and its SHA-256; the key's entries behind it stay without a voucher.
[[nodiscard]] EntryDraft vouch_draft(const SignerCard& card, Rights rights,
                                     std::int64_t through,
                                     const std::string& head);
[[nodiscard]] EntryDraft rotate_draft(const Signer& old,
                                      const PublicKey& successor);
[[nodiscard]] EntryDraft revoke_draft(const Signer& signer,
                                      const std::string& reason);

}  // namespace impound
