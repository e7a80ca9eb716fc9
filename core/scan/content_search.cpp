// SPDX-License-Identifier: Apache-2.0
#include "core/scan/content_search.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bitset>
#include <optional>
#include <string_view>

#include "core/base/text.hpp"

namespace impound {
namespace {

constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kUpperAlnum = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
constexpr std::string_view kAlnum =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
constexpr std::string_view kToken =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
constexpr std::string_view kTokenDots =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.";

/// A credential: a fixed beginning and so many characters of an alphabet.
struct SecretShape {
  std::string_view what;
  std::string_view prefix;
  std::string_view alphabet;
  std::size_t least;
  std::size_t most;
};

// Prefixes as their issuers document them.
constexpr std::array kSecrets{
    SecretShape{"AWS access key id", "AKIA", kUpperAlnum, 16, 16},
    SecretShape{"AWS temporary access key id", "ASIA", kUpperAlnum, 16, 16},
    SecretShape{"Hugging Face token", "hf_", kAlnum, 34, 40},
    SecretShape{"GitHub token", "ghp_", kAlnum, 36, 36},
    SecretShape{"GitHub OAuth token", "gho_", kAlnum, 36, 36},
    SecretShape{"GitHub server token", "ghs_", kAlnum, 36, 36},
    SecretShape{"GitHub token", "github_pat_", kToken, 60, 100},
    SecretShape{"GitLab token", "glpat-", kToken, 20, 64},
    SecretShape{"OpenAI key", "sk-proj-", kToken, 40, 200},
    SecretShape{"OpenAI key", "sk-", kAlnum, 48, 48},
    SecretShape{"Anthropic key", "sk-ant-", kToken, 60, 140},
    SecretShape{"Slack token", "xoxb-", kToken, 40, 90},
    SecretShape{"Slack token", "xoxp-", kToken, 40, 90},
    SecretShape{"Google API key", "AIza", kToken, 35, 35},
    SecretShape{"npm token", "npm_", kAlnum, 36, 36},
    SecretShape{"PyPI token", "pypi-AgEIcHlwaS5vcmc", kToken, 50, 250},
    SecretShape{"Stripe key", "sk_live_", kAlnum, 24, 99},
    SecretShape{"SendGrid key", "SG.", kTokenDots, 66, 66},
    SecretShape{"signed JSON web token", "eyJhbGciOi", kTokenDots, 80, 4000},
};

constexpr std::string_view kPrivateKey = "-----BEGIN ";

/// Pairs of bytes with which something we know begins.
std::bitset<65536> first_pairs() {
  std::bitset<65536> pairs;
  const auto add = [&pairs](std::string_view prefix) {
    pairs.set(static_cast<unsigned char>(prefix[0]) |
              static_cast<unsigned>(static_cast<unsigned char>(prefix[1]))
                  << 8U);
  };
  for (const SecretShape& shape : kSecrets) add(shape.prefix);
  add(kPrivateKey);
  add("\x7f"
      "E");
  add("MZ");
  add("\xfe\xed");
  add("\xcf\xfa");
  add("\xce\xfa");
  return pairs;
}

std::uint32_t little32(ByteView at, std::size_t offset) {
  std::uint32_t value = 0;
  for (std::size_t i = 4; i-- > 0;) {
    value = value << 8U | std::to_integer<std::uint32_t>(at[offset + i]);
  }
  return value;
}

std::uint32_t little16(ByteView at, std::size_t offset) {
  return little32(at, offset) & 0xffffU;
}

/// An executable's header, checked far enough that numbers do not match it.
std::optional<std::string_view> program_at(ByteView at) {
  const std::string_view text = as_text(at);
  if (text.starts_with("\x7f"
                       "ELF") &&
      at.size() >= 64) {
    const int bits = std::to_integer<int>(at[4]);
    const int order = std::to_integer<int>(at[5]);
    if ((bits == 1 || bits == 2) && (order == 1 || order == 2) &&
        std::to_integer<int>(at[6]) == 1) {
      return "ELF program";
    }
  }
  if (text.starts_with("MZ") && at.size() >= 64) {
    const std::uint32_t header = little32(at, 60);
    if (header >= 64 && header < at.size() - 26 &&
        text.substr(header, 4) == std::string_view("PE\0\0", 4)) {
      const std::uint32_t magic = little16(at, header + 24);
      if (magic == 0x10b || magic == 0x20b) return "Windows program";
    }
  }
  if (at.size() >= 32) {
    const std::uint32_t magic = little32(at, 0);
    const bool is_little = magic == 0xfeedfaceU || magic == 0xfeedfacfU;
    if (is_little) {
      const std::uint32_t cpu = little32(at, 4) & 0x00ffffffU;
      const std::uint32_t type = little32(at, 12);
      const std::uint32_t commands = little32(at, 16);
      if ((cpu == 7 || cpu == 12 || cpu == 18) && type >= 1 && type <= 12 &&
          commands > 0 && commands < 1000) {
        return "Mach-O program";
      }
    }
  }
  return std::nullopt;
}

bool has_private_key(std::string_view text) {
  constexpr std::array<std::string_view, 6> kKinds{
      "PRIVATE KEY-----",           "RSA PRIVATE KEY-----",
      "EC PRIVATE KEY-----",        "OPENSSH PRIVATE KEY-----",
      "ENCRYPTED PRIVATE KEY-----", "DSA PRIVATE KEY-----"};
  if (!text.starts_with(kPrivateKey)) return false;
  text.remove_prefix(kPrivateKey.size());
  return std::any_of(kKinds.begin(), kKinds.end(), [&](std::string_view kind) {
    if (!text.starts_with(kind)) return false;
    // A key has a body; documentation only has the line.
    const std::string_view body = text.substr(kind.size(), 200);
    const std::size_t first = body.find_first_of(kAlnum);
    if (first == std::string_view::npos || first > 4) return false;
    const std::size_t end = body.find_first_not_of(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=",
        first);
    return (end == std::string_view::npos ? body.size() : end) - first >= 40;
  });
}

std::string redact(std::string_view secret) {
  return fmt::format("{}… ({} characters)", printable(secret.substr(0, 8)),
                     secret.size());
}

/// Text such as "AKIAXXXXXXXXXXXXXXXX" stands for a key in documentation.
bool is_placeholder(std::string_view body) {
  std::bitset<256> distinct;
  for (const char c : body) distinct.set(static_cast<unsigned char>(c));
  return distinct.count() < 6 || body.find("EXAMPLE") != std::string_view::npos;
}

enum Kind : std::size_t { kProgram, kSecret, kKey };

}  // namespace

ContentSearch::ContentSearch(ScanContext& context) : context_(context) {}

void ContentSearch::report(std::string_view rule, Severity severity,
                           std::uint64_t offset, std::string message,
                           std::string evidence) {
  ScanFinding finding;
  finding.rule = std::string(rule);
  finding.severity = severity;
  finding.offset = offset;
  finding.message = std::move(message);
  finding.evidence = std::move(evidence);
  context_.add(std::move(finding));
}

void ContentSearch::examine(ByteView from, std::uint64_t offset) {
  if (const auto program = program_at(from)) {
    if (reported_[kProgram]++ < kMaxOfAKind) {
      report("content-executable", Severity::high, offset,
             fmt::format("{} within the file", *program),
             to_hex(from.first(std::min<std::size_t>(from.size(), 32))));
    }
    return;
  }
  const std::string_view text = as_text(from);
  if (has_private_key(text)) {
    if (reported_[kKey]++ < kMaxOfAKind) {
      report("content-private-key", Severity::high, offset,
             "a private key in PEM form",
             std::string(text.substr(0, text.find('\n'))));
    }
    return;
  }
  for (const SecretShape& shape : kSecrets) {
    if (!text.starts_with(shape.prefix)) continue;
    const std::string_view rest =
        text.substr(shape.prefix.size(), shape.most + 1);
    std::size_t length = rest.find_first_not_of(shape.alphabet);
    if (length == std::string_view::npos) length = rest.size();
    if (length < shape.least || length > shape.most) continue;
    if (is_placeholder(rest.substr(0, length))) continue;
    if (rest.substr(0, length).find_first_of(kDigits) ==
        std::string_view::npos) {
      continue;  // a word, not a key
    }
    if (reported_[kSecret]++ < kMaxOfAKind) {
      report("content-secret", Severity::high, offset, std::string(shape.what),
             redact(text.substr(0, shape.prefix.size() + length)));
    }
    return;
  }
}

void ContentSearch::search(ByteView window, std::size_t decisive) {
  static const std::bitset<65536> kPairs = first_pairs();
  if (window.size() < 2) return;
  const std::size_t stop = std::min(decisive, window.size() - 1);
  unsigned pair = std::to_integer<unsigned>(window[0]) << 8U;
  for (std::size_t i = 0; i < stop; ++i) {
    pair = pair >> 8U | std::to_integer<unsigned>(window[i + 1]) << 8U;
    if (kPairs[pair]) examine(window.subspan(i), offset_ + i);
  }
}

void ContentSearch::feed(ByteView block) {
  if (offset_ == 0 && carried_.empty() && block.size() > 4 &&
      as_text(block).starts_with("#!/")) {
    const std::string_view line =
        as_text(block).substr(0, as_text(block).find('\n'));
    report("content-script", Severity::medium, 0, "begins as a script",
           printable(line.substr(0, 200)));
  }
  // The border: what was carried together with the beginning of this block.
  if (!carried_.empty()) {
    const std::size_t before = carried_.size();
    const std::size_t take = std::min(block.size(), kReach);
    carried_.insert(carried_.end(), block.begin(),
                    block.begin() + static_cast<std::ptrdiff_t>(take));
    if (block.size() <= kReach) {
      // Still too little to decide about the end of it.
      if (carried_.size() > kReach) {
        const std::size_t decided = carried_.size() - kReach;
        search(carried_, decided);
        carried_.erase(carried_.begin(),
                       carried_.begin() + static_cast<std::ptrdiff_t>(decided));
        offset_ += decided;
      }
      return;
    }
    search(carried_, before);
    offset_ += before;
    carried_.clear();
  }
  const std::size_t decided = block.size() > kReach ? block.size() - kReach : 0;
  search(block, decided);
  carried_.assign(block.begin() + static_cast<std::ptrdiff_t>(decided),
                  block.end());
  offset_ += decided;
}

void ContentSearch::finish() {
  search(carried_, carried_.size());
  offset_ += carried_.size();
  carried_.clear();
}

}  // namespace impound
