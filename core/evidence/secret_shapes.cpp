// SPDX-License-Identifier: Apache-2.0
#include "core/evidence/secret_shapes.hpp"

#include <algorithm>
#include <array>

namespace impound {
namespace {

/// How a token of a known kind begins, how many of its characters must follow,
/// and which signs belong to them beside letters, digits, '_' and '-'. The
/// prefixes are those that the issuers document for secret scanning.
struct TokenShape {
  std::string_view prefix;
  std::size_t at_least;
  std::string_view signs = "";
};
constexpr auto kTokenShapes = std::to_array<TokenShape>({
    {"sk-", 16},           {"sk_live_", 10},
    {"sk_test_", 10},      {"rk_live_", 10},
    {"whsec_", 16, "+/="}, {"hf_", 16},
    {"api_org_", 16},      {"ghp_", 20},
    {"gho_", 20},          {"ghs_", 20},
    {"ghu_", 20},          {"ghr_", 20},
    {"github_pat_", 20},   {"glpat-", 16, "."},
    {"gldt-", 16},         {"glrt-", 16},
    {"glcbt-", 16},        {"AKIA", 16},
    {"ASIA", 16},          {"ABIA", 16},
    {"ACCA", 16},          {"AIza", 30},
    {"ya29.", 20, "."},    {"GOCSPX-", 20},
    {"1//0", 30},          {"xoxa-", 16},
    {"xoxb-", 16},         {"xoxp-", 16},
    {"xoxr-", 16},         {"xoxs-", 16},
    {"xoxe-", 16},         {"xoxe.", 16, "."},
    {"xapp-", 16},         {"npm_", 30},
    {"pypi-", 40},         {"nvapi-", 16},
    {"r8_", 30},           {"gsk_", 30},
    {"xai-", 40},          {"pplx-", 30},
    {"tvly-", 20},         {"fw_", 20},
    {"dop_v1_", 40},       {"doo_v1_", 40},
    {"SG.", 40, "."},      {"shpat_", 30},
    {"shpss_", 30},        {"lin_api_", 30},
    {"dckr_pat_", 20},     {"hvs.", 20, "."},
    {"hvb.", 20, "."},     {"AGE-SECRET-KEY-1", 40},
    {"dapi", 32},          {"glsa_", 30},
    {"figd_", 30},         {"ATATT3x", 30, "="},
    {"sbp_", 30},          {"NRAK-", 20},
    {"PMAK-", 30},         {"sq0atp-", 20},
    {"sq0csp-", 30},       {"wandb_v1_", 20},
});

/// Prefixes that are words as well: what follows must hold a digit.
constexpr auto kWordlike = std::to_array<std::string_view>(
    {"sk-", "fw_", "r8_", "dapi", "npm_", "hf_"});

bool is_token_character(char c) {
  return is_alnum_ascii(c) || c == '_' || c == '-';
}

/// Three or five runs of base64url joined by dots, the first of which is the
/// base64 of '{"' (RFC 7519, RFC 7516).
std::size_t jwt_length(std::string_view text) {
  if (!text.starts_with("eyJ")) return 0;
  std::size_t at = 0;
  std::size_t dots = 0;
  while (at < text.size()) {
    if (text[at] == '.' && dots < 4) {
      ++dots;
    } else if (!is_token_character(text[at]) && text[at] != '=') {
      break;
    }
    ++at;
  }
  return dots >= 2 && at >= 20 ? at : 0;
}

struct Classes {
  std::size_t upper = 0;
  std::size_t lower = 0;
  std::size_t digits = 0;
  std::size_t signs = 0;
  std::size_t pairs = 0;    ///< neighbours that are letters or digits, both
  std::size_t changes = 0;  ///< of these, from one class to another
};

int class_of(char c) {
  if (is_upper_ascii(c)) return 1;
  if (is_lower_ascii(c)) return 2;
  return is_digit_ascii(c) ? 3 : 0;
}

Classes classes_of(std::string_view text) {
  Classes result;
  int before = 0;
  for (const char c : text) {
    const int now = class_of(c);
    if (now == 1) ++result.upper;
    if (now == 2) ++result.lower;
    if (now == 3) ++result.digits;
    if (now == 0) ++result.signs;
    if (now != 0 && before != 0) {
      ++result.pairs;
      if (now != before) ++result.changes;
    }
    before = now;
  }
  return result;
}

/// Of base64 by chance, 62 % of neighbours differ in class (0.42² + 0.42² +
/// 0.16² are alike); of names made of words, CamelCase and numbers, below 35 %.
/// 24 characters of chance fall below 42 % once in fifty.
constexpr double kChanges = 0.42;

/// A run of at least this many characters can be a random key.
constexpr std::size_t kLongRun = 22;

constexpr std::string_view kUuid = "00000000-0000-0000-0000-000000000000";

/// "GPU-3f1c2a9e-…": the name of a thing, made by chance to be told to all.
bool ends_with_uuid(std::string_view run) {
  if (run.size() < kUuid.size()) return false;
  run.remove_prefix(run.size() - kUuid.size());
  for (std::size_t i = 0; i < run.size(); ++i) {
    const bool is_hexadecimal =
        is_digit_ascii(run[i]) || (run[i] >= 'a' && run[i] <= 'f');
    if (kUuid[i] == '-' ? run[i] != '-' : !is_hexadecimal) return false;
  }
  return true;
}

/// Tokens and base64 in lines are longer than any that is worth a guess.
constexpr std::size_t kShortestPassword = 10;
constexpr std::size_t kLongestPassword = 64;

}  // namespace

std::size_t known_token_length(std::string_view text) {
  if (const std::size_t length = jwt_length(text)) return length;
  for (const TokenShape& shape : kTokenShapes) {
    if (!text.starts_with(shape.prefix)) continue;
    std::size_t end = shape.prefix.size();
    bool has_digit = false;
    while (end < text.size() &&
           (is_token_character(text[end]) ||
            shape.signs.find(text[end]) != shape.signs.npos)) {
      has_digit = has_digit || is_digit_ascii(text[end]);
      ++end;
    }
    if (end - shape.prefix.size() < shape.at_least) continue;
    const bool is_wordlike =
        std::ranges::find(kWordlike, shape.prefix) != kWordlike.end();
    // "sk-learn-contrib-package" is no key; 16 letters by chance hold an upper
    // case one.
    if (is_wordlike && !has_digit &&
        std::ranges::none_of(
            text.substr(shape.prefix.size(), end - shape.prefix.size()),
            is_upper_ascii)) {
      continue;
    }
    return end;
  }
  return 0;
}

bool looks_random(std::string_view run) {
  while (run.ends_with('=')) run.remove_suffix(1);
  while (ends_with_uuid(run)) run.remove_suffix(kUuid.size());
  if (run.size() < kLongRun) return false;
  const Classes found = classes_of(run);
  return found.digits >= 2 && found.upper >= 3 && found.lower >= 3 &&
         found.signs * 6 <= run.size() &&
         static_cast<double>(found.changes) >=
             kChanges * static_cast<double>(found.pairs);
}

bool looks_like_password(std::string_view word) {
  if (word.size() < kShortestPassword || word.size() > kLongestPassword) {
    return false;
  }
  constexpr std::string_view kSigns = "!@#$%^&*?+~";
  // Paths, patterns, prompts and colours are made of other signs.
  if (word.find_first_of("/\\{}()[]<>=:;|,\"'` \t\n") != word.npos) {
    return false;
  }
  const auto signs = std::ranges::count_if(
      word, [&](char c) { return kSigns.find(c) != kSigns.npos; });
  const Classes found = classes_of(word);
  return signs >= 2 && found.digits >= 2 && found.upper >= 2 &&
         found.lower >= 2;
}

bool looks_like_secret(std::string_view value) {
  const std::size_t token = known_token_length(value);
  if (token != 0 && token == value.size()) return true;
  const bool is_run = std::ranges::all_of(value, [](char c) {
    return is_token_character(c) || c == '+' || c == '/' || c == '=' ||
           c == '.' || c == '~';
  });
  return (is_run && looks_random(value)) || looks_like_password(value);
}

}  // namespace impound
