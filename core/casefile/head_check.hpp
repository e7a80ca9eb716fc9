// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The signed heads of a chain, each judged at the entry that it covers.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/casefile/case_file.hpp"
#include "core/crypto/merkle.hpp"
#include "core/crypto/note.hpp"
#include "core/storage/sqlite.hpp"

namespace impound {

/// Keys that the chain introduced so far, by fingerprint.
using IntroducedKeys = std::map<std::string, PublicKey, std::less<>>;

/// Walks the heads beside the chain. Fed entry by entry.
class HeadCheck {
 public:
  /// `database` outlives it. `trusted_note` is a head that left the machine;
  /// may be empty.
  /// @throws Error{bad_input} if `trusted_note` is no head.
  HeadCheck(const Database& database, std::string_view trusted_note);

  /// What every head of this case must call its origin.
  void set_origin(std::string origin) { origin_ = std::move(origin); }

  /// A head.sign entry names the note that was stored with it.
  void check_entry(std::int64_t seq, const Json& json,
                   std::vector<CustodyProblem>& problems) const;

  /// The chain now ends with `line`, whose link is `chain`.
  void append(std::int64_t seq, std::string_view line, const std::string& chain,
              const IntroducedKeys& keys,
              std::vector<CustodyProblem>& problems);

  /// No entry follows: heads of more entries than there are.
  void finish(std::int64_t entries, std::vector<CustodyProblem>& problems);

 private:
  struct Stored {
    std::int64_t size = 0;
    std::string note;
    std::string frontier;
    std::string signed_at;
  };
  void next_head();
  void check_statement(std::int64_t seq, const Json& json,
                       std::vector<CustodyProblem>& problems) const;
  void compare(std::int64_t seq, std::string_view what, std::string_view note,
               const std::string& chain, const IntroducedKeys& keys,
               std::vector<CustodyProblem>& problems) const;

  Statement heads_;
  std::optional<Stored> head_;    ///< the next one, not judged yet
  std::int64_t judged_size_ = 0;  ///< of the last one judged
  std::string judged_note_sha256_;
  std::string judged_signed_at_;
  std::string trusted_note_;
  std::uint64_t trusted_size_ = 0;
  std::string origin_;
  MerkleFrontier frontier_;
};

}  // namespace impound
