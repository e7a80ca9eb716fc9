// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Keeps secrets of other people out of evidence, provably: a value is replaced
/// by a salted commitment to it.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/base/json.hpp"
#include "core/evidence/secret_search.hpp"

namespace impound {

/// Replaces what looks like a secret by "[redacted RULE sha256:HEX]", where HEX
/// is SHA-256(salt ‖ value). Who knows a secret can prove with the salt that it
/// was the one; who does not cannot find it by looking at exhibits of other
/// cases. A short or guessable value can be tried out by whoever has the salt:
/// the record says so.
///
/// What is looked for stands in core/evidence/secret_search.hpp.
class Redactor {
 public:
  /// A new random salt of 32 bytes.
  Redactor();
  explicit Redactor(Bytes salt) : salt_(std::move(salt)) {}

  /// NUL-separated NAME=value entries, as in /proc/PID/environ. `where` names
  /// the source in the record.
  [[nodiscard]] std::string environment(std::string_view entries,
                                        std::string_view where);

  /// A command line: options with their values, headers, and what looks like a
  /// secret anywhere in a word.
  [[nodiscard]] std::vector<std::string> arguments(
      const std::vector<std::string>& words, std::string_view where);

  /// How many values were replaced so far.
  [[nodiscard]] std::size_t count() const { return replaced_.size(); }

  /// How much was looked into and how many values were replaced; with what the
  /// collector stores and did not look into, in words.
  [[nodiscard]] Json summary(
      std::span<const std::string_view> not_looked_into) const;

  /// The summary, salt, rules, and for each replaced value where it was, its
  /// name, its length in bytes and the rule.
  [[nodiscard]] Json record(
      std::span<const std::string_view> not_looked_into) const;

 private:
  std::string commit(std::string_view value, SecretRule rule,
                     std::string_view name, std::string_view where);
  std::string pair(std::string_view name, std::string_view separator,
                   std::string_view value, std::string_view where,
                   std::string_view program);
  std::string text(std::string_view value, std::string_view name,
                   std::string_view where, std::string_view program);

  Bytes salt_;
  Json replaced_ = Json::array();
  std::uint64_t variables_ = 0;
  std::uint64_t arguments_ = 0;
};

/// "secrets replaced: 3; looked into: 41 environment variables, 12 arguments;
/// not looked into: …", of a Redactor's summary.
[[nodiscard]] std::string redaction_sentence(const Json& summary);

}  // namespace impound
