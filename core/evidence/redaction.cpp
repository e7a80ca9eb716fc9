// SPDX-License-Identifier: Apache-2.0
#include "core/evidence/redaction.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "core/base/text.hpp"
#include "core/crypto/digest.hpp"

namespace impound {
namespace {

constexpr std::array<std::string_view, 7> kSecretWords{
    "key", "token", "secret", "pass", "credential", "auth", "cookie"};

/// How a known token begins, and how many of its characters must follow.
struct TokenShape {
  std::string_view prefix;
  std::size_t at_least;
};
constexpr std::array<TokenShape, 16> kTokenShapes{{
    {"sk-", 16},
    {"hf_", 16},
    {"ghp_", 20},
    {"gho_", 20},
    {"ghs_", 20},
    {"ghu_", 20},
    {"ghr_", 20},
    {"github_pat_", 20},
    {"AKIA", 16},
    {"ASIA", 16},
    {"xoxb-", 16},
    {"xoxp-", 16},
    {"glpat-", 16},
    {"nvapi-", 16},
    {"AIza", 30},
    {"pypi-", 40},
}};

/// A run of at least this many characters can be a random key.
constexpr std::size_t kLongRun = 32;

/// Bits per character: 32 random base64 characters have some 4.6, words joined
/// by dashes below 4.2, hexadecimal digests at most 4.
constexpr double kRandomBits = 4.3;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }

/// Characters of keys; '/' is left out, else every path would be a run.
bool is_key_character(char c) {
  return is_digit(c) || is_upper(c) || is_lower(c) || c == '_' || c == '-' ||
         c == '+' || c == '=';
}

double bits_per_character(std::string_view text) {
  std::array<std::size_t, 256> counts{};
  for (const char c : text) ++counts[static_cast<unsigned char>(c)];
  double bits = 0;
  for (const std::size_t count : counts) {
    if (count == 0) continue;
    const double share =
        static_cast<double>(count) / static_cast<double>(text.size());
    bits -= share * std::log2(share);
  }
  return bits;
}

bool looks_random(std::string_view run) {
  return run.size() >= kLongRun && std::ranges::count_if(run, is_digit) >= 4 &&
         std::ranges::count_if(run, is_upper) >= 3 &&
         std::ranges::count_if(run, is_lower) >= 3 &&
         run.find("--") == run.npos && bits_per_character(run) >= kRandomBits;
}

bool is_known_token(std::string_view run) {
  return std::ranges::any_of(kTokenShapes, [&](const TokenShape& shape) {
    return run.starts_with(shape.prefix) &&
           run.size() >= shape.prefix.size() + shape.at_least;
  });
}

/// Length of a JSON Web Token at the front of `text`, 0 if there is none:
/// three runs joined by dots, the first of which is base64 of '{"'.
std::size_t jwt_length(std::string_view text) {
  if (!text.starts_with("eyJ")) return 0;
  std::size_t at = 0;
  int dots = 0;
  while (at < text.size()) {
    if (text[at] == '.' && dots < 2) {
      ++dots;
    } else if (!is_key_character(text[at])) {
      break;
    }
    ++at;
  }
  return dots == 2 && at >= 20 ? at : 0;
}

/// The password of "scheme://user:password@host" that begins at "://".
std::optional<SecretSpan> url_password(std::string_view text,
                                       std::size_t scheme_end) {
  const std::size_t begin = scheme_end + 3;
  const std::size_t end =
      std::min(text.find_first_of("/ \t\n?#", begin), text.size());
  const std::string_view authority = text.substr(begin, end - begin);
  const std::size_t at = authority.rfind('@');
  if (at == authority.npos) return std::nullopt;
  const std::size_t colon = authority.find(':');
  if (colon == authority.npos || colon + 1 >= at) return std::nullopt;
  return SecretSpan{begin + colon + 1, at - colon - 1, "url"};
}

/// The value of "?name=value" or "&name=value" whose separator stands at `at`.
std::optional<SecretSpan> query_secret(std::string_view text, std::size_t at) {
  const std::size_t equals = text.find('=', at);
  if (equals == text.npos) return std::nullopt;
  const std::string_view name = text.substr(at + 1, equals - at - 1);
  if (name.find_first_of("?& \t/") != name.npos) return std::nullopt;
  const std::size_t end =
      std::min(text.find_first_of("& \t#\"'", equals), text.size());
  const std::string_view value = text.substr(equals + 1, end - equals - 1);
  if (value.empty() || !is_secret_name(name, value)) return std::nullopt;
  return SecretSpan{equals + 1, value.size(), "name"};
}

}  // namespace

bool is_secret_name(std::string_view name, std::string_view value) {
  std::string plain = to_lower_ascii(name);
  const bool is_count = !value.empty() && value.size() <= 10 &&
                        std::ranges::all_of(value, is_digit);
  for (const std::string_view setting : {"tokenizer", "tokens"}) {
    if (setting == "tokens" && !is_count) continue;
    for (std::size_t at = plain.find(setting); at != plain.npos;
         at = plain.find(setting)) {
      plain.replace(at, setting.size(), "-");
    }
  }
  return std::ranges::any_of(kSecretWords, [&](std::string_view word) {
    return plain.find(word) != plain.npos;
  });
}

std::vector<SecretSpan> find_secrets(std::string_view text) {
  std::vector<SecretSpan> found;
  for (std::size_t at = 0; at < text.size();) {
    std::optional<SecretSpan> secret;
    if (text.substr(at).starts_with("://")) {
      secret = url_password(text, at);
    } else if (text[at] == '?' || text[at] == '&') {
      secret = query_secret(text, at);
    } else if (is_key_character(text[at])) {
      if (const std::size_t length = jwt_length(text.substr(at))) {
        secret = SecretSpan{at, length, "token"};
      } else {
        std::size_t end = at;
        while (end < text.size() && is_key_character(text[end])) ++end;
        const std::string_view run = text.substr(at, end - at);
        // "key=sk-…": the name and its '=' belong to the run's characters.
        const std::size_t equals = run.find('=');
        if (is_known_token(run)) {
          secret = SecretSpan{at, run.size(), "token"};
        } else if (equals != run.npos && equals + 1 < run.size() &&
                   run.substr(equals + 1).find_first_not_of('=') != run.npos) {
          at += equals + 1;
          continue;
        } else if (looks_random(run)) {
          secret = SecretSpan{at, run.size(), "entropy"};
        } else {
          at = end;
          continue;
        }
      }
    }
    if (!secret) {
      ++at;
      continue;
    }
    found.push_back(*secret);
    at = secret->begin + secret->length;
  }
  return found;
}

Redactor::Redactor() : salt_(random_bytes(32)) {}

std::string Redactor::commit(std::string_view value, std::string_view rule,
                             std::string_view name, std::string_view where) {
  Sha256 hash;
  hash.update(salt_);
  hash.update(as_bytes(value));
  const std::string hex = hash.finish().hex();
  replaced_.push_back({{"where", lossless_utf8(where)},
                       {"name", lossless_utf8(name)},
                       {"rule", rule},
                       {"length", value.size()},
                       {"sha256", hex}});
  return fmt::format("[redacted {} sha256:{}]", rule, hex);
}

std::string Redactor::text(std::string_view value, std::string_view name,
                           std::string_view where) {
  std::string out;
  std::size_t done = 0;
  for (const SecretSpan& secret : find_secrets(value)) {
    out += value.substr(done, secret.begin - done);
    out += commit(value.substr(secret.begin, secret.length), secret.rule, name,
                  where);
    done = secret.begin + secret.length;
  }
  return out + std::string(value.substr(done));
}

std::string Redactor::pair(std::string_view name, std::string_view separator,
                           std::string_view value, std::string_view where) {
  std::string out = std::string(name) + std::string(separator);
  if (!value.empty() && is_secret_name(name, value)) {
    return out + commit(value, "name", name, where);
  }
  return out + text(value, name, where);
}

std::string Redactor::environment(std::string_view entries,
                                  std::string_view where) {
  std::string out;
  while (!entries.empty()) {
    const std::size_t end = std::min(entries.find('\0'), entries.size());
    const std::string_view entry = entries.substr(0, end);
    const std::size_t equals = entry.find('=');
    if (equals == entry.npos) {
      out += text(entry, "", where);
    } else {
      out +=
          pair(entry.substr(0, equals), "=", entry.substr(equals + 1), where);
    }
    if (end < entries.size()) out += '\0';
    entries.remove_prefix(std::min(end + 1, entries.size()));
  }
  return out;
}

std::vector<std::string> Redactor::arguments(
    const std::vector<std::string>& words, std::string_view where) {
  std::vector<std::string> out;
  std::string_view option;  // the option whose value comes next
  for (const std::string& word : words) {
    const std::string_view view = word;
    const bool is_option = view.starts_with('-') && view.size() > 1;
    if (!option.empty() && !view.starts_with("--") && !view.empty() &&
        is_secret_name(option, view)) {
      out.push_back(commit(view, "name", option, where));
      option = {};
      continue;
    }
    option = {};
    const std::size_t equals = view.find('=');
    const std::size_t colon = view.find(": ");
    if (equals != view.npos &&
        view.substr(0, equals).find_first_of(" \t{:/?") == view.npos) {
      out.push_back(
          pair(view.substr(0, equals), "=", view.substr(equals + 1), where));
    } else if (colon != view.npos &&
               view.substr(0, colon).find_first_of(" \t{/") == view.npos) {
      out.push_back(
          pair(view.substr(0, colon), ": ", view.substr(colon + 2), where));
    } else {
      out.push_back(text(view, "", where));
      if (is_option) option = view;
    }
  }
  return out;
}

Json Redactor::record() const {
  return {{"method", "sha256(salt || value)"},
          {"salt", to_hex(salt_)},
          {"rules",
           {{"name",
             "the name holds KEY, TOKEN, SECRET, PASS, CREDENTIAL, AUTH or "
             "COOKIE"},
            {"token", "a known shape of token: sk-, hf_, ghp_, AKIA, JWT …"},
            {"entropy", "a long run of random-looking characters"},
            {"url", "the password in user:password@host"}}},
          {"caution",
           "a short or guessable value can be found by trying, with this salt"},
          {"replaced", replaced_}};
}

}  // namespace impound
