// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Finds what looks like a secret in text of others: a name that says so, the
/// structure around it, the shape of a known token, or chance.
///
/// A name alone finds too little (`DATABASE_URL`, `SLACK_HOOK`, a JSON document
/// in one variable, `bash -c "mysql -phunter2"`) and too much (`SSH_AUTH_SOCK`,
/// `pad_token`, `--ssl-keyfile`). So text is read as what it may be at each
/// place, whatever the name around it:
///
///   key block    -----BEGIN … PRIVATE KEY----- to its end, or the text's
///   url          password of scheme://user:password@host, a user that is a
///                token, user:password@host without a scheme
///   webhook      the path of Slack, Discord, Teams, Telegram … hooks
///   token        sk-…, hf_…, ghp_…, AKIA…, JWT …; Bearer X, Basic X
///   name         name=value, name: value, "name":"value", --name value,
///                <name>value</name>, at any depth of quoting; -p and its like
///                by the program that they are given to
///   entropy      runs in which upper case, lower case and digits follow each
///                other as chance has them, not as words do
///
/// What stays readable: paths, digests in hexadecimal, UUIDs, versions, host
/// names, public keys and certificates, settings of a model (`max_tokens`). A
/// secret of lower-case hexadecimal digits without a name that says so is not
/// told from a digest, nor a password that is a word: the record says that.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace impound {

/// Why something was taken for a secret; the first that fits.
enum class SecretRule : std::uint8_t {
  name,
  key_block,
  url,
  webhook,
  token,
  entropy,
};
inline constexpr std::size_t kSecretRules = 6;

/// "name", "key_block" …; and what the rule is, in one sentence part.
[[nodiscard]] std::string_view to_string(SecretRule rule) noexcept;
[[nodiscard]] std::string_view in_words(SecretRule rule) noexcept;

/// True if a value under this name is a secret: the name says so, and the value
/// is no setting (a path, a switch, a number of tokens …).
[[nodiscard]] bool is_secret_name(std::string_view name,
                                  std::string_view value);

/// True if the name says so of some values: false spares looking at the value.
[[nodiscard]] bool may_name_secret(std::string_view name);

/// A part of a text that is to be replaced.
struct SecretSpan {
  std::size_t begin = 0;
  std::size_t length = 0;
  SecretRule rule = SecretRule::entropy;
  std::string name = {};  ///< the name it stood under, if one did
};

/// Ascending and disjoint. `program` is whose options stand in `text`, as far
/// as is known: "" or "mysql".
[[nodiscard]] std::vector<SecretSpan> find_secrets(
    std::string_view text, std::string_view program = "");

/// The name of the program in a word of a command line, if its options are
/// known here: "/usr/bin/mysql" is "mysql"; "" for all others.
[[nodiscard]] std::string_view known_program(std::string_view word);

/// Where in `value` the secret of a short option begins: `-p hunter2` at 0,
/// `-u me:hunter2` behind the colon; npos if it holds none.
[[nodiscard]] std::size_t short_option_secret(std::string_view program,
                                              std::string_view option,
                                              std::string_view value);

}  // namespace impound
