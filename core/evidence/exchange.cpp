// SPDX-License-Identifier: Apache-2.0
#include "core/evidence/exchange.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/crypto/digest.hpp"
#include "core/evidence/secret_search.hpp"

namespace impound {
namespace {

/// Of a body or an answer as text; the digest is over all of it.
constexpr std::size_t kMostText = 4 * limits::kKiB;

/// How far secrets are looked for: well beyond what is kept as text, so that
/// none is cut in two by the end of it.
constexpr std::size_t kMostSearched = 64 * limits::kKiB;

/// A measurement that is asked again and again must not fill a custody line
/// (limits::kMaxCustodyLine); what is above it is counted.
constexpr std::size_t kMostExchanges = 400;

}  // namespace

std::string_view to_string(ExchangeEnd end) noexcept {
  constexpr std::array<std::string_view, 3> kNames{"answered", "no answer",
                                                   "not sent"};
  return kNames[static_cast<std::size_t>(end)];
}

void ExchangeLog::hide(std::string secret) {
  if (!secret.empty()) hidden_.push_back(std::move(secret));
}

std::string ExchangeLog::without_secrets(std::string_view text,
                                         std::size_t& hidden) const {
  std::string rest(text);
  for (const std::string& secret : hidden_) {
    for (std::size_t at = rest.find(secret); at != std::string::npos;
         at = rest.find(secret, at)) {
      rest.replace(at, secret.size(), "[secret]");
      ++hidden;
    }
  }
  std::string plain;
  std::size_t done = 0;
  for (const SecretSpan& span :
       find_secrets(std::string_view(rest).substr(0, kMostSearched))) {
    plain.append(rest, done, span.begin - done);
    plain += fmt::format("[redacted {}]", to_string(span.rule));
    done = span.begin + span.length;
    ++hidden;
  }
  plain.append(rest, done);
  return plain;
}

Json ExchangeLog::kept(std::string_view bytes) const {
  if (bytes.empty()) return nullptr;
  std::size_t hidden = 0;
  const std::string plain = without_secrets(bytes, hidden);
  Json json;
  json["bytes"] = bytes.size();
  json["sha256"] = sha256(hidden == 0 ? bytes : std::string_view(plain)).hex();
  json["sha256_of"] =
      hidden == 0 ? "the bytes" : "the bytes with secrets replaced";
  json["text"] = lossless_utf8(plain.substr(0, kMostText));
  json["is_cut"] = plain.size() > kMostText;
  json["hidden"] = hidden;
  return json;
}

void ExchangeLog::add(const Exchange& exchange) {
  if (list_.size() >= kMostExchanges) {
    ++omitted_;
    return;
  }
  std::size_t hidden = 0;
  const auto line = [&](const std::string& text) {
    return lossless_utf8(without_secrets(text, hidden).substr(0, kMostText));
  };
  Json json;
  json["at"] = format_time(exchange.at);
  json["peer"] = line(exchange.peer);
  json["request"] = line(exchange.request);
  json["body"] = kept(exchange.body);
  json["end"] = to_string(exchange.end);
  json["status"] = exchange.status ? Json(*exchange.status) : Json(nullptr);
  json["answer"] = kept(exchange.answer);
  json["problem"] = line(exchange.problem);
  json["elapsed_ms"] = exchange.elapsed_ms;
  list_.push_back(std::move(json));
}

Json ExchangeLog::to_json() const {
  Json list = list_;
  if (omitted_ != 0) list.push_back({{"omitted", omitted_}});
  return list;
}

}  // namespace impound
