// SPDX-License-Identifier: Apache-2.0
/// Names that say that their value is a secret, and values that are settings
/// all the same.

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "core/base/text.hpp"
#include "core/evidence/secret_search.hpp"
#include "core/evidence/secret_shapes.hpp"

namespace impound {
namespace {

/// Anywhere in the name, separators left out: the value is a secret unless the
/// last word of the name says otherwise.
constexpr auto kStrong = std::to_array<std::string_view>(
    {"password", "passwd",     "passphrase",    "passwort",  "passcode",
     "kennwort", "secret",     "privatekey",    "privkey",   "accesskey",
     "apikey",   "authkey",    "authtoken",     "masterkey", "accountkey",
     "signkey",  "signingkey", "encryptionkey", "sharedkey", "storepass",
     "keypass",  "cookie",     "authorization", "webhook"});

/// Whole words of the name that do as well.
constexpr auto kStrongWords = std::to_array<std::string_view>(
    {"pass", "pwd", "pw", "passw", "pword", "otp", "psk", "jwt", "cred",
     "creds", "sig", "signature", "sshpass"});

/// Ends of words.
constexpr auto kStrongEnds =
    std::to_array<std::string_view>({"pass", "pwd", "passw", "pw", "token"});

/// Anywhere in the name: a secret unless the value is a setting.
constexpr auto kWeak = std::to_array<std::string_view>(
    {"key", "token", "pass", "pwd", "credential", "auth", "cookie", "sessionid",
     "phpsessid", "jsessionid", "bearer"});

/// Parts of names that hold one of the above and mean something else.
constexpr auto kInnocent = std::to_array<std::string_view>(
    {"tokenizer",  "tokeniser",   "tokenis",    "tokeniz",      "keyboard",
     "keymap",     "keyspace",    "keyword",    "keyvalue",     "hotkey",
     "monkey",     "turkey",      "primarykey", "foreignkey",   "partitionkey",
     "sortkey",    "bypass",      "compass",    "encompass",    "surpass",
     "askpass",    "passthrough", "passenger",  "passive",      "passage",
     "publickey",  "pubkey",      "keystodrop", "keystoignore", "authorname",
     "authoremail"});

/// Words of a name that say what about the secret the value is. The first few
/// name places, where a path is to be expected.
constexpr auto kHints = std::to_array<std::string_view>(
    {"file",        "path",     "dir",     "folder",   "sock",     "socket",
     "store",       "keyfile",  "url",     "uri",      "host",     "port",
     "endpoint",    "server",   "type",    "method",   "mode",     "provider",
     "algorithm",   "alg",      "format",  "backend",  "class",    "name",
     "fingerprint", "checksum", "header",  "scheme",   "region",   "issuer",
     "audience",    "realm",    "user",    "username", "domain",   "id",
     "ids",         "length",   "size",    "count",    "limit",    "max",
     "min",         "num",      "ttl",     "timeout",  "expires",  "expiry",
     "lifetime",    "age",      "bits",    "rounds",   "interval", "retries",
     "batch",       "version",  "enabled", "enable",   "disable",  "required",
     "policy",      "rotation", "created", "updated",  "budget",   "per",
     "len",         "dim"});

/// What stands beside "token" in the settings of a model.
constexpr auto kModelTokens = std::to_array<std::string_view>(
    {"pad",    "eos",        "bos",      "unk",   "sep",   "mask",
     "cls",    "special",    "stop",     "image", "video", "audio",
     "begin",  "end",        "start",    "new",   "input", "output",
     "prompt", "completion", "total",    "added", "extra", "chunk",
     "drop",   "batched",    "sequence", "first", "forced"});

constexpr auto kSwitches = std::to_array<std::string_view>(
    {"true",     "false", "yes",    "no",      "on",      "off",
     "none",     "null",  "nil",    "auto",    "default", "enabled",
     "disabled", "basic", "bearer", "digest",  "oauth",   "oauth2",
     "oidc",     "saml",  "ldap",   "kerberos"});

constexpr auto kFileEnds = std::to_array<std::string_view>(
    {".pem", ".key", ".json", ".crt", ".cer", ".txt", ".jks", ".yml", ".yaml",
     ".toml", ".p12", ".pub", ".sock", ".conf"});

/// Lower-case words of a name: API_KEY, apiKey and api-key are "api", "key".
std::vector<std::string> words_of(std::string_view name) {
  std::vector<std::string> words(1);
  char before = 0;
  for (const char c : name) {
    const bool is_new = is_upper_ascii(c) && is_lower_ascii(before);
    if (!is_alnum_ascii(c) || is_new) {
      if (!words.back().empty()) words.emplace_back();
    }
    if (is_alnum_ascii(c)) {
      words.back() += is_upper_ascii(c) ? static_cast<char>(c - 'A' + 'a') : c;
    }
    before = c;
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

template <typename List>
bool holds(const List& list, std::string_view word) {
  return std::ranges::find(list, word) != list.end();
}

template <typename List>
bool any_in(const List& list, std::string_view name) {
  return std::ranges::any_of(
      list, [&](std::string_view one) { return name.find(one) != name.npos; });
}

/// The name without separators and without innocent parts.
std::string plain_name(const std::vector<std::string>& words) {
  std::string joined;
  for (const std::string& word : words) joined += word;
  for (const std::string_view part : kInnocent) {
    for (std::size_t at = joined.find(part); at != joined.npos;
         at = joined.find(part)) {
      joined.replace(at, part.size(), 1, '-');
    }
  }
  return joined;
}

bool is_number(std::string_view value) {
  return !value.empty() && value.size() <= 12 &&
         value.find_first_not_of("0123456789.,_kKmM") == value.npos &&
         is_digit_ascii(value.front());
}

bool is_path(std::string_view value) {
  if (value.find_first_of(" \t\n") != value.npos) return false;
  if (value.find("//") != value.npos) return false;
  const bool is_rooted = value.starts_with('/') || value.starts_with("./") ||
                         value.starts_with("../") || value.starts_with("~/");
  return is_rooted || std::ranges::any_of(kFileEnds, [&](std::string_view end) {
           return value.size() > end.size() && value.ends_with(end);
         });
}

/// "$TOKEN", "${TOKEN}": where the secret is taken from, not the secret.
bool is_reference(std::string_view value) {
  if (!value.starts_with('$') || value.size() < 3) return false;
  value.remove_prefix(1);
  if (value.starts_with('{') && value.ends_with('}')) {
    value = value.substr(1, value.size() - 2);
  }
  return !value.empty() && std::ranges::all_of(value, [](char c) {
    return is_upper_ascii(c) || is_digit_ascii(c) || c == '_';
  });
}

bool is_switch(std::string_view value) {
  return holds(kSwitches, to_lower_ascii(value));
}

/// Settings of a desktop and of terminals that are called session ids.
bool is_session_of_desktop(const std::vector<std::string>& words) {
  return holds(std::array<std::string_view, 6>{"xdg", "wt", "term", "iterm",
                                               "gnome", "desktop"},
               words.front());
}

bool is_strong(const std::vector<std::string>& words, std::string_view plain) {
  if (any_in(kStrong, plain)) return true;
  // The working directory, which every shell exports.
  if (words.size() == 1 && (plain == "pwd" || plain == "oldpwd")) return false;
  return std::ranges::any_of(words, [&](const std::string& word) {
    if (plain.find(word) == plain.npos) return false;  // an innocent part
    if (holds(kStrongWords, word)) return true;
    return word != "token" && word != "oldpwd" &&
           std::ranges::any_of(kStrongEnds, [&](std::string_view end) {
             return word.ends_with(end);
           });
  });
}

}  // namespace

bool may_name_secret(std::string_view name) {
  const auto words = words_of(name);
  if (words.empty()) return false;
  const std::string plain = plain_name(words);
  return is_strong(words, plain) || any_in(kWeak, plain);
}

bool is_secret_name(std::string_view name, std::string_view value) {
  if (value.empty()) return false;
  const auto words = words_of(name);
  if (words.empty()) return false;
  const std::string plain = plain_name(words);
  const bool strong = is_strong(words, plain);
  if (!strong && !any_in(kWeak, plain)) return false;
  if (is_switch(value) || is_reference(value)) return false;
  const bool is_hook = plain.find("webhook") != plain.npos;
  if (is_hook && value.find("://") == value.npos) return false;
  if (looks_like_secret(value) && !is_path(value)) return true;
  const bool hinted =
      !is_hook && (strong ? words.back() != "id" && holds(kHints, words.back())
                          : std::ranges::any_of(words, [](const auto& word) {
                              return holds(kHints, word);
                            }));
  // The name of the thing, its type, its size: whoever chose the name says so.
  if (hinted && (!strong || is_path(value) || is_number(value) ||
                 value.find_first_not_of(
                     "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"
                     ".:/0123456789") == value.npos)) {
    return false;
  }
  if (strong) return true;
  if (value.size() == 1 || is_path(value)) return false;
  if (value.find("://") != value.npos) return false;
  if (plain.find("sessionid") != plain.npos &&
      (value.size() < 12 || is_session_of_desktop(words))) {
    return false;
  }
  if (plain.find("token") != plain.npos) {
    const bool is_count =
        words.back() == "tokens" && (is_number(value) || value.size() < 12);
    const bool is_model = std::ranges::any_of(
        words, [](const auto& word) { return holds(kModelTokens, word); });
    if (is_count || is_model) return false;
  }
  return true;
}

}  // namespace impound
