// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The signers of a chain, judged entry by entry as the verifier walks it: who
/// may sign, who may say so, and which entries nobody vouched for.

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/casefile/case_file.hpp"
#include "core/casefile/head_check.hpp"
#include "core/casefile/signers.hpp"

namespace impound {

class SignerWalk {
 public:
  /// @throws Error{bad_input} if what was written down is no 64 digits.
  explicit SignerWalk(const WrittenDown& known);

  /// One entry; its signature is not this one's to check. `link` is the SHA-256
  /// of its whole line.
  void follow(std::int64_t seq, const Json& entry, const std::string& link,
              std::vector<CustodyProblem>& problems);

  /// A row that is no entry: its place is kept.
  void skip(const std::string& link);

  /// No entry follows.
  void finish(CustodyReport& report);

  /// Every key that an entry so far brought, whoever vouches for it.
  [[nodiscard]] const IntroducedKeys& keys() const noexcept { return keys_; }
  /// Those that may sign a head now: neither rotated nor revoked.
  [[nodiscard]] const IntroducedKeys& open_keys() const noexcept {
    return open_keys_;
  }

 private:
  /// An entry of a key that nobody vouched for when it was written.
  struct Waiting {
    std::int64_t seq = 0;
    std::optional<Right> right;
  };
  void follow_name(std::int64_t seq, const Json& entry, const Signer& signer,
                   std::vector<CustodyProblem>& problems);
  void follow_vouch(std::int64_t seq, const Json& entry,
                    std::vector<CustodyProblem>& problems);
  void take_keys();
  void compare_written_down(CustodyReport& report) const;

  SignerRoll roll_;
  IntroducedKeys keys_;
  IntroducedKeys open_keys_;
  std::vector<Digest> links_;  ///< of entry 1, 2, …
  std::map<std::string, std::vector<Waiting>, std::less<>> waiting_;
  std::set<std::pair<std::string, std::string>> other_names_;
  std::vector<CustodyProblem> warnings_;
  std::string signer_;  ///< written down; 64 digits or empty
  std::string head_;
  std::int64_t head_seq_ = 0;
};

}  // namespace impound
