// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Keeps secrets of other people out of evidence, provably: a value is replaced
/// by a salted commitment to it.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/base/json.hpp"

namespace impound {

/// Replaces what looks like a secret by "[redacted RULE sha256:HEX]", where HEX
/// is SHA-256(salt ‖ value). Who knows a secret can prove with the salt that it
/// was the one; who does not cannot find it by looking at exhibits of other
/// cases. A short or guessable value can be tried out by whoever has the salt:
/// the record says so.
///
/// Rules: "name" – the name holds KEY, TOKEN, SECRET, PASS, CREDENTIAL, AUTH or
/// COOKIE (but TOKENIZER, and TOKENS with a number, are settings of a model);
/// "token" – the value holds a known shape of token (sk-…, hf_…, ghp_…, AKIA…,
/// a JWT …); "entropy" – a long run of random-looking characters; "url" – the
/// password in user:password@host.
class Redactor {
 public:
  /// A new random salt of 32 bytes.
  Redactor();
  explicit Redactor(Bytes salt) : salt_(std::move(salt)) {}

  /// NUL-separated NAME=value entries, as in /proc/PID/environ. `where` names
  /// the source in the record.
  [[nodiscard]] std::string environment(std::string_view entries,
                                        std::string_view where);

  /// A command line: "--api-key X", "--token=X", "Authorization: X",
  /// URLs, and tokens anywhere.
  [[nodiscard]] std::vector<std::string> arguments(
      const std::vector<std::string>& words, std::string_view where);

  /// How many values were replaced so far.
  [[nodiscard]] std::size_t count() const { return replaced_.size(); }

  /// Salt, rules, and for each replaced value where it was, its name, its
  /// length in bytes and the rule.
  [[nodiscard]] Json record() const;

 private:
  std::string commit(std::string_view value, std::string_view rule,
                     std::string_view name, std::string_view where);
  std::string pair(std::string_view name, std::string_view separator,
                   std::string_view value, std::string_view where);
  std::string text(std::string_view value, std::string_view name,
                   std::string_view where);

  Bytes salt_;
  Json replaced_ = Json::array();
};

/// Rule "name" for one name and value.
[[nodiscard]] bool is_secret_name(std::string_view name,
                                  std::string_view value);

/// A part of a text that rule "token", "entropy" or "url" would replace.
struct SecretSpan {
  std::size_t begin = 0;
  std::size_t length = 0;
  std::string_view rule;  ///< static text
};

/// Ascending and disjoint.
[[nodiscard]] std::vector<SecretSpan> find_secrets(std::string_view text);

}  // namespace impound
