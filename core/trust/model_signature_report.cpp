// SPDX-License-Identifier: Apache-2.0
/// What was found out about a signature, for people and for programs.

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/base/text.hpp"
#include "core/trust/model_signature.hpp"

namespace impound {
namespace {

/// Lines of one kind that people are shown; programs get all of them.
constexpr std::size_t kMaxLines = 20;

std::string_view to_string(SignatureDifference::Kind kind) {
  switch (kind) {
    case SignatureDifference::Kind::extra:
      return "extra";
    case SignatureDifference::Kind::missing:
      return "missing";
    case SignatureDifference::Kind::changed:
      return "changed";
  }
  return "changed";
}

Json texts(const std::vector<std::string>& list) {
  Json json = Json::array();
  for (const std::string& one : list) json.push_back(lossless_utf8(one));
  return json;
}

Json certificate_json(const SignerReport& signer) {
  if (!signer.certificate) return nullptr;
  const CertificateFacts& facts = *signer.certificate;
  return {{"subject", facts.subject},
          {"issuer", facts.issuer},
          {"serial", facts.serial},
          {"alternative_names", facts.alternative_names},
          {"oidc_issuer", facts.oidc_issuer},
          {"not_before", format_time(facts.not_before)},
          {"not_after", format_time(facts.not_after)},
          {"expired_now", signer.is_expired},
          {"self_signed", facts.is_self_signed},
          {"key", facts.key},
          {"may_sign", facts.may_sign},
          {"sha256", facts.sha256}};
}

Json signature_json(const SignatureReport& report) {
  const ModelStatement& statement = report.statement;
  Json json;
  json["file"] = lossless_utf8(report.signature_name);
  json["sha256"] = report.signature_sha256;
  json["media_type"] = lossless_utf8(report.bundle.media_type);
  json["material"] = to_string(report.bundle.material);
  json["key_hint"] = lossless_utf8(report.bundle.key_hint);
  json["predicate_type"] = lossless_utf8(statement.predicate_type);
  json["model"] = lossless_utf8(statement.model_name);
  json["root"] = statement.root_sha256.empty()
                     ? Json(nullptr)
                     : Json("sha256:" + statement.root_sha256);
  json["method"] = to_string(statement.method);
  json["hash"] = statement.hash_type;
  if (statement.method == SigningMethod::shards) {
    json["shard_size"] = statement.shard_size;
  }
  json["allow_symlinks"] = statement.allow_symlinks;
  json["ignore_paths"] = texts(statement.ignore_paths);
  json["resources"] = statement.resources.size();
  Json log = Json::array();
  for (const SigstoreLogEntry& entry : report.bundle.log_entries) {
    log.push_back({{"kind", entry.kind},
                   {"log_index", entry.log_index},
                   {"integrated_time", entry.integrated_time}});
  }
  json["log_entries"] = std::move(log);
  Json problems = Json::array();
  for (const Problems* list : {&report.bundle.problems, &statement.problems}) {
    for (const Problem& problem : *list) {
      problems.push_back({{"rule", problem.rule},
                          {"severity", to_string(problem.severity)},
                          {"message", problem.message}});
    }
  }
  json["problems"] = std::move(problems);
  return json;
}

/// "3 of 14 shards differ: bytes 0–999999999 and …", by file.
std::vector<std::string> places(const SignatureReport& report) {
  std::map<std::string, std::vector<const SignatureDifference*>> by_file;
  for (const SignatureDifference& one : report.differences) {
    if (one.kind == SignatureDifference::Kind::changed) {
      by_file[one.path].push_back(&one);
    }
  }
  std::map<std::string, std::size_t> shards;
  for (const SignedResource& resource : report.statement.resources) {
    ++shards[resource.path];
  }
  std::vector<std::string> lines;
  for (auto& [path, list] : by_file) {
    std::ranges::sort(list, {}, &SignatureDifference::start);
    std::string ranges;
    for (std::size_t i = 0; i < list.size() && i < kMaxLines; ++i) {
      ranges += fmt::format("{}{}–{}", i == 0 ? "" : ", ", list[i]->start,
                            list[i]->end - 1);
    }
    lines.push_back(fmt::format("{}: {} of {} shards differ: bytes {}{}",
                                printable(path), list.size(), shards[path],
                                ranges, list.size() > kMaxLines ? ", …" : ""));
  }
  return lines;
}

std::string row(std::string_view name, std::string_view text) {
  return fmt::format("  {:<12} {}\n", name, text);
}

std::string certificate_rows(const CertificateFacts& facts, bool is_expired) {
  std::string text = row(
      "certificate", facts.subject.empty() ? "(no subject)" : facts.subject);
  for (const std::string& name : facts.alternative_names) {
    text += row("", "names " + name);
  }
  text += row("", "issued by " + facts.issuer +
                      (facts.is_self_signed ? " (self-signed)" : ""));
  if (!facts.oidc_issuer.empty()) {
    text += row("", "holder identified by " + facts.oidc_issuer);
  }
  text += row("", fmt::format("valid {} to {}{}",
                              format_time(facts.not_before).substr(0, 19),
                              format_time(facts.not_after).substr(0, 19),
                              is_expired ? ", not now" : ""));
  text += row("", "sha256 " + facts.sha256);
  return text;
}

std::string claim_rows(const SignatureReport& report) {
  const ModelStatement& statement = report.statement;
  const std::size_t count = statement.resources.size();
  const std::string_view unit =
      statement.method == SigningMethod::files ? "file" : "shard";
  std::string how = fmt::format("{} {}{}, {}", count, unit,
                                count == 1 ? "" : "s", statement.hash_type);
  if (statement.method == SigningMethod::shards) {
    how += fmt::format(" of {} bytes each", statement.shard_size);
  }
  std::string text = row("signature", printable(report.signature_name));
  if (!statement.predicate_type.empty()) {
    text += row("claims", (statement.is_old
                               ? "a model without a name"
                               : fmt::format("model \"{}\"",
                                             printable(statement.model_name))) +
                              ", " + how);
    if (!statement.root_sha256.empty()) {
      text += row("root", "sha256:" + statement.root_sha256);
    }
  }
  return text;
}

std::string_view headline(SignatureVerdict verdict) {
  switch (verdict) {
    case SignatureVerdict::verified:
      return "VERIFIED";
    case SignatureVerdict::findings:
      return "UNCHANGED, WITH FINDINGS";
    case SignatureVerdict::unreadable:
      return "COULD NOT BE VERIFIED";
    case SignatureVerdict::failed:
      return "DOES NOT VERIFY";
  }
  return "DOES NOT VERIFY";
}

std::string list_rows(std::string_view name,
                      const std::vector<std::string>& list) {
  std::string text;
  for (std::size_t i = 0; i < list.size() && i < kMaxLines; ++i) {
    text += row(i == 0 ? name : "", printable(list[i]));
  }
  if (list.size() > kMaxLines) {
    text += row("", fmt::format("… and {} more; --json lists all",
                                list.size() - kMaxLines));
  }
  return text;
}

std::string signer_rows(const SignatureReport& report) {
  const SignerReport& signer = report.signer;
  std::string text;
  if (signer.state == SignatureState::valid) {
    text += row("signed by", fmt::format("{} {} ({})", to_string(report.trust),
                                         signer.signer, signer.curve));
  } else if (signer.state == SignatureState::not_checked) {
    text += row("signed by", report.bundle.key_hint.empty()
                                 ? "NOT CHECKED"
                                 : "NOT CHECKED; it names key " +
                                       printable(report.bundle.key_hint));
  }
  if (signer.certificate) {
    text += certificate_rows(*signer.certificate, signer.is_expired);
  }
  if (!signer.chain.empty()) {
    text += row("chain", fmt::format("{}", fmt::join(signer.chain, " ← ")));
  }
  for (const std::string& what : signer.unverified) {
    text += row("", what + ": NOT verified");
  }
  return text;
}

}  // namespace

Json SignatureReport::to_json() const {
  Json json;
  json["verdict"] = to_string(verdict);
  json["ok"] = ok();
  json["reason"] = reason;
  json["subject"] = lossless_utf8(subject);
  json["signature"] = signature_json(*this);
  json["trust"] = to_string(trust);
  json["signature_state"] = to_string(signer.state);
  json["signer"] = signer.signer;
  json["curve"] = signer.curve;
  json["certificate"] = certificate_json(signer);
  json["chain"] = signer.chain;
  json["not_verified"] = signer.unverified;
  json["matched"] = matched;
  json["bytes"] = bytes;
  json["mismatch"] = mismatch;
  Json differing = Json::array();
  for (const SignatureDifference& one : differences) {
    Json entry;
    entry["status"] = to_string(one.kind);
    entry["name"] = lossless_utf8(one.name);
    entry["path"] = lossless_utf8(one.path);
    if (statement.method == SigningMethod::shards) {
      entry["start"] = one.start;
      entry["end"] = one.end;
    }
    entry["expected"] = one.expected;
    entry["actual"] = one.actual;
    differing.push_back(std::move(entry));
  }
  json["differences"] = std::move(differing);
  Json failures = Json::array();
  for (const SigningTrouble& one : unread) {
    failures.push_back({{"path", lossless_utf8(one.path)},
                        {"reason", lossless_utf8(one.reason)}});
  }
  json["unread"] = std::move(failures);
  json["unsigned_files"] = texts(unsigned_files);
  Json found = Json::array();
  for (const SignatureFinding& one : findings) {
    found.push_back({{"rule", one.rule},
                     {"severity", to_string(one.severity)},
                     {"message", lossless_utf8(one.message)},
                     {"paths", texts(one.paths)}});
  }
  json["findings"] = std::move(found);
  return json;
}

std::string SignatureReport::to_text() const {
  std::string text = fmt::format("{}: {}\n", headline(verdict), reason);
  text += row("model", printable(subject));
  text += claim_rows(*this);
  text += signer_rows(*this);
  text += list_rows("differs", mismatch);
  if (statement.method == SigningMethod::shards) {
    text += list_rows("where", places(*this));
  }
  std::vector<std::string> lines;
  for (const SigningTrouble& one : unread) {
    lines.push_back(printable(one.path) + ": " + one.reason);
  }
  text += list_rows("unread", lines);
  text += list_rows("not covered", unsigned_files);
  for (const SignatureFinding& one : findings) {
    text +=
        row(to_string(one.severity), one.rule + ": " + printable(one.message));
    text += list_rows("", one.paths);
  }
  if (verdict == SignatureVerdict::failed &&
      signer.state == SignatureState::invalid) {
    text +=
        "The files were not looked at. --unsigned-compare holds them against "
        "the manifest\nin the signature, which then proves nothing about who "
        "made it.\n";
  }
  return text;
}

Json claims_json(const SignatureReport& report) {
  Json json = signature_json(report);
  json["certificate"] = certificate_json(report.signer);
  Json list = Json::array();
  for (const SignedResource& resource : report.statement.resources) {
    list.push_back({{"name", lossless_utf8(resource.name)},
                    {"algorithm", lossless_utf8(resource.algorithm)},
                    {"digest", to_hex(resource.digest)}});
  }
  json["resources"] = std::move(list);
  return json;
}

std::string claims_text(const SignatureReport& report) {
  std::string text = "CLAIMS of a model signature; nothing was verified\n";
  text += claim_rows(report);
  text += row("sha256", report.signature_sha256);
  if (report.bundle.material == SigstoreMaterial::public_key) {
    text += row("key", report.bundle.key_hint.empty()
                           ? "not named (older format)"
                           : printable(report.bundle.key_hint));
  }
  if (report.signer.certificate) {
    text +=
        certificate_rows(*report.signer.certificate, report.signer.is_expired);
  }
  for (const SigstoreLogEntry& entry : report.bundle.log_entries) {
    text +=
        row("log entry", fmt::format("{} index {} at {}", entry.kind,
                                     entry.log_index, entry.integrated_time));
  }
  text += list_rows("ignores", report.statement.ignore_paths);
  std::vector<std::string> lines;
  for (const SignedResource& resource : report.statement.resources) {
    lines.push_back(to_hex(resource.digest).substr(0, 16) + "… " +
                    resource.name);
  }
  text += list_rows("signs", lines);
  for (const Problems* list :
       {&report.bundle.problems, &report.statement.problems}) {
    for (const Problem& problem : *list) {
      text += row(to_string(problem.severity),
                  problem.rule + ": " + problem.message);
    }
  }
  return text;
}

}  // namespace impound
