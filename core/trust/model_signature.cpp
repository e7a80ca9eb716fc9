// SPDX-License-Identifier: Apache-2.0
#include "core/trust/model_signature.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "core/base/error.hpp"
#include "core/base/text.hpp"

namespace impound {
namespace {

/// What a loader reads, or what is run with a model.
constexpr std::array kModelEndings{
    std::string_view(".safetensors"), std::string_view(".gguf"),
    std::string_view(".ggml"),        std::string_view(".bin"),
    std::string_view(".pt"),          std::string_view(".pth"),
    std::string_view(".ckpt"),        std::string_view(".pkl"),
    std::string_view(".pickle"),      std::string_view(".joblib"),
    std::string_view(".npy"),         std::string_view(".npz"),
    std::string_view(".onnx"),        std::string_view(".h5"),
    std::string_view(".keras"),       std::string_view(".pb"),
    std::string_view(".pbtxt"),       std::string_view(".tflite"),
    std::string_view(".msgpack"),     std::string_view(".engine"),
    std::string_view(".data"),        std::string_view(".model"),
    std::string_view(".py"),          std::string_view(".pyc"),
    std::string_view(".so"),          std::string_view(".sh"),
    std::string_view(".json"),        std::string_view(".jinja")};

/// Strict rules are those of severity high and above.
const Problem* strict_problem(const Problems& problems) {
  const auto found = std::ranges::find_if(problems, [](const Problem& problem) {
    return problem.severity >= Severity::high;
  });
  return found == problems.end() ? nullptr : &*found;
}

HashKind hash_kind(const ModelStatement& statement) {
  return statement.hash_type == "blake2b" ? HashKind::blake2b
                                          : HashKind::sha256;
}

SigningEntry entry_of(const SignedResource& resource) {
  return {resource.path, resource.start, resource.end, {}};
}

class SignatureChecking {
 public:
  SignatureChecking(std::string_view bundle, const Tree& tree,
                    const SignatureCheckOptions& options)
      : tree_(tree), options_(options) {
    report_.subject = tree.locator();
    report_.trust = options.trust.kind;
    report_.signature_name = options.signature_name;
    report_.signature_sha256 = sha256(bundle).hex();
    report_.bundle = read_sigstore_bundle(bundle);
  }

  [[nodiscard]] SignatureReport run(Progress& progress,
                                    const Cancellation& cancellation) {
    if (is_readable() && is_signed() && is_consistent()) {
      report_.bundle.payload.clear();
      compare(hash(progress, cancellation));
      judge();
    }
    report_.bundle.payload.clear();
    return std::move(report_);
  }

 private:
  void conclude(SignatureVerdict verdict, std::string reason) {
    report_.verdict = verdict;
    report_.reason = std::move(reason);
  }
  void find(Severity severity, std::string rule, std::string message,
            std::vector<std::string> paths = {}) {
    report_.findings.push_back(
        {std::move(rule), severity, std::move(message), std::move(paths)});
  }

  bool is_readable() {
    const SigstoreBundle& bundle = report_.bundle;
    const Problem* problem = strict_problem(bundle.problems);
    if (!bundle.has_envelope()) {
      conclude(SignatureVerdict::unreadable, problem == nullptr
                                                 ? "there is no signed envelope"
                                                 : problem->message);
      return false;
    }
    if (problem != nullptr) {
      conclude(SignatureVerdict::failed, problem->message);
      return false;
    }
    return true;
  }

  bool is_signed() {
    report_.signer = check_signer(report_.bundle, options_.trust);
    std::ranges::move(report_.signer.findings,
                      std::back_inserter(report_.findings));
    report_.signer.findings.clear();
    if (report_.signer.state != SignatureState::invalid) return true;
    conclude(SignatureVerdict::failed, report_.signer.reason);
    return false;
  }

  bool is_consistent() {
    report_.statement = read_model_statement(report_.bundle.payload);
    const ModelStatement& statement = report_.statement;
    for (const Problem& problem : statement.problems) {
      if (problem.severity < Severity::high) {
        find(problem.severity, problem.rule, problem.message);
      }
    }
    if (const Problem* problem = strict_problem(statement.problems)) {
      conclude(SignatureVerdict::failed, problem->message);
      return false;
    }
    if (statement.is_old) {
      find(Severity::low, "old-statement",
           "signed by model_signing 0.2: the statement has no root digest and "
           "does not say what was ignored");
    } else if (!root_fits()) {
      return false;
    }
    if (statement.hash_type == "blake3") {
      conclude(SignatureVerdict::unreadable,
               "the files are signed by BLAKE3 digests, which this build "
               "cannot compute; the signature itself is " +
                   std::string(to_string(report_.signer.state)));
      return false;
    }
    return true;
  }

  /// Over the digests in the order in which they are listed.
  bool root_fits() {
    SigningRoot root;
    for (const SignedResource& resource : report_.statement.resources) {
      root.add(resource.digest);
    }
    const std::string found = root.finish().hex();
    if (found == report_.statement.root_sha256) return true;
    conclude(SignatureVerdict::failed,
             fmt::format("Manifest is inconsistent. Root digest is {}, but the "
                         "included resources hash to {}",
                         report_.statement.root_sha256, found));
    return false;
  }

  SigningManifest hash(Progress& progress, const Cancellation& cancellation) {
    const ModelStatement& statement = report_.statement;
    SigningOptions how;
    how.method = statement.method;
    how.hash = hash_kind(statement);
    how.shard_size = statement.shard_size;
    how.allow_symlinks = statement.allow_symlinks;
    how.folder = options_.folder;
    how.threads = options_.threads;
    for (const std::string& path : statement.ignore_paths) {
      how.ignore.push_back(path);
    }
    for (const std::string& path : options_.ignore) how.ignore.push_back(path);
    for (const std::string_view path : git_paths()) {
      how.ignore.emplace_back(path);
    }
    if (!options_.signature_path.empty()) {
      how.ignore.push_back(options_.signature_path);
    }
    if (options_.ignore_unsigned_files) {
      for (const SignedResource& resource : statement.resources) {
        how.only.insert(resource.path);
      }
      // An empty set would mean everything.
      how.only.insert("");
    }
    return hash_for_signing(tree_, how, progress, cancellation);
  }

  void compare(const SigningManifest& manifest) {
    const SigningMethod method = report_.statement.method;
    std::map<std::string, const SigningEntry*> actual;
    for (const SigningEntry& entry : manifest.entries) {
      actual[signed_name(entry, method)] = &entry;
    }
    std::map<std::string, const SignedResource*> expected;
    for (const SignedResource& resource : report_.statement.resources) {
      expected[signed_name(entry_of(resource), method)] = &resource;
    }
    for (const auto& [name, entry] : actual) {
      if (expected.contains(name) || is_this_signature(*entry)) continue;
      note_difference(SignatureDifference::Kind::extra, name, *entry, {},
                      entry->digest);
    }
    const std::set<std::string> not_hashed = paths_not_hashed(manifest);
    for (const auto& [name, resource] : expected) {
      if (actual.contains(name)) continue;
      if (not_hashed.contains(resource->path)) continue;
      note_difference(SignatureDifference::Kind::missing, name,
                      entry_of(*resource), resource->digest, {});
    }
    for (const auto& [name, resource] : expected) {
      const auto found = actual.find(name);
      if (found == actual.end()) continue;
      if (found->second->digest == resource->digest) {
        ++report_.matched;
        continue;
      }
      note_difference(SignatureDifference::Kind::changed, name, *found->second,
                      resource->digest, found->second->digest);
    }
    report_.bytes = manifest.bytes;
    report_.unread = manifest.unread;
    word_differences();
    for (const SigningTrouble& refused : manifest.refused) {
      report_.mismatch.push_back(fmt::format(
          "Cannot use '{}': it {}", printable(refused.path), refused.reason));
    }
    list_uncovered(manifest);
    note_oddities(manifest);
  }

  /// A copy of the signature beside the model is no part of it.
  [[nodiscard]] bool is_this_signature(const SigningEntry& entry) const {
    return to_hex(entry.digest) == report_.signature_sha256;
  }

  /// Paths that are named with the reason why they were not hashed.
  static std::set<std::string> paths_not_hashed(
      const SigningManifest& manifest) {
    std::set<std::string> paths;
    for (const auto* list : {&manifest.unread, &manifest.refused}) {
      for (const SigningTrouble& trouble : *list) paths.insert(trouble.path);
    }
    return paths;
  }

  void note_difference(SignatureDifference::Kind kind, const std::string& name,
                       const SigningEntry& entry, const Bytes& expected,
                       const Bytes& actual) {
    report_.differences.push_back({kind, name, entry.path, entry.start,
                                   entry.end, to_hex(expected),
                                   to_hex(actual)});
  }

  void word_differences() {
    const std::string model = printable(base_name(report_.subject));
    for (const auto kind : {SignatureDifference::Kind::extra,
                            SignatureDifference::Kind::missing}) {
      std::string names;
      for (const SignatureDifference& one : report_.differences) {
        if (one.kind != kind) continue;
        names += (names.empty() ? "" : ", ") + printable(one.name);
      }
      if (names.empty()) continue;
      report_.mismatch.push_back(fmt::format(
          "{} in model '{}': {}",
          kind == SignatureDifference::Kind::extra ? "Extra files found"
                                                   : "Missing files",
          model, names));
    }
    for (const SignatureDifference& one : report_.differences) {
      if (one.kind != SignatureDifference::Kind::changed) continue;
      report_.mismatch.push_back(
          fmt::format("Hash mismatch for '{}': Expected '{}', Actual '{}'",
                      printable(one.name), one.expected, one.actual));
    }
  }

  /// Every file that is there and that no signed digest speaks of.
  void list_uncovered(const SigningManifest& manifest) {
    std::set<std::string> covered;
    for (const SignedResource& resource : report_.statement.resources) {
      covered.insert(resource.path);
    }
    const std::string prefix =
        options_.folder.empty() ? "" : options_.folder + "/";
    for (const TreeFile& file : tree_.files()) {
      if (file.kind == FileKind::directory) continue;
      if (!file.name.starts_with(prefix)) continue;
      const std::string path = tree_.kind() == "file"
                                   ? std::string(".")
                                   : file.name.substr(prefix.size());
      if (path == options_.signature_path || covered.contains(path)) continue;
      report_.unsigned_files.push_back(path);
    }
    find_hidden(manifest);
  }

  void find_hidden(const SigningManifest& manifest) {
    const std::vector<std::string>& signed_away =
        report_.statement.ignore_paths;
    for (const std::string& raw : signed_away) {
      const std::string path = plain_signed_path(raw);
      if (path == options_.signature_path) continue;
      if (path == ".") {
        find(Severity::critical, "ignores-everything",
             "the signature ignores the whole model: it protects nothing");
      } else if (is_model_file_name(path)) {
        find(Severity::high, "ignored-model-file",
             fmt::format("the signature leaves out {}, a file that loaders "
                         "read: whoever changes it is not noticed",
                         printable(path)),
             {path});
      }
    }
    std::vector<std::string> hidden;
    std::vector<std::string> asked_away;
    std::vector<std::string> named;
    for (const std::string& path : signed_away) {
      named.push_back(plain_signed_path(path));
    }
    for (const std::string& path : manifest.ignored) {
      if (path == options_.signature_path || !is_model_file_name(path)) {
        continue;
      }
      if (std::ranges::find(named, path) != named.end()) continue;  // said
      const bool is_by_caller =
          is_ignored(path, options_.ignore) && !is_ignored(path, named);
      (is_by_caller ? asked_away : hidden).push_back(path);
    }
    if (!hidden.empty()) {
      find(Severity::high, "ignored-folder-hides-model-files",
           "files that loaders read lie where the signature does not look",
           std::move(hidden));
    }
    if (!asked_away.empty()) {
      find(Severity::low, "ignored-by-caller",
           "files that loaders read were left out as asked",
           std::move(asked_away));
    }
  }

  void note_oddities(const SigningManifest& manifest) {
    if (!manifest.empty.empty()) {
      find(Severity::low, "empty-file-unsigned",
           "empty files have no shard: one more or one less of them is not "
           "noticed",
           manifest.empty);
    }
    if (report_.statement.resources.empty()) {
      find(Severity::high, "signs-nothing",
           "the signature lists no file: it protects nothing");
    }
    if (!manifest.followed.empty() && !report_.statement.allow_symlinks) {
      find(Severity::info, "links-of-a-cache",
           "links of the cache were followed to the files they store; "
           "model_signing itself refuses them",
           manifest.followed);
    }
    if (!tree_.problems().empty()) {
      find(Severity::medium, "model-incomplete",
           fmt::format("not everything could be looked at: {}",
                       fmt::join(tree_.problems(), "; ")));
    }
    const auto& resources = report_.statement.resources;
    if (tree_.kind() != "file" && resources.size() == 1 &&
        resources.front().path == "." && !report_.differences.empty()) {
      find(Severity::info, "signature-of-one-file",
           fmt::format("this signature is of the single file {}: name that "
                       "file as the model",
                       printable(report_.statement.model_name)));
    }
  }

  void judge() {
    const std::string_view unit =
        report_.statement.method == SigningMethod::files ? "file" : "shard";
    const std::size_t count = report_.matched;
    const std::string counted =
        fmt::format("{} {}{}", count, unit, count == 1 ? "" : "s");
    if (!report_.mismatch.empty()) {
      return conclude(SignatureVerdict::failed,
                      "the model is not what was signed: " + difference_text());
    }
    if (!report_.unread.empty()) {
      return conclude(
          SignatureVerdict::unreadable,
          fmt::format("{} file{} could not be read", report_.unread.size(),
                      report_.unread.size() == 1 ? "" : "s"));
    }
    const bool has_findings =
        std::ranges::any_of(report_.findings, [](const auto& finding) {
          return finding.severity >= Severity::medium;
        });
    if (options_.trust.kind == TrustKind::nothing) {
      return conclude(SignatureVerdict::findings,
                      counted + (count == 1 ? " is" : " are") +
                          " as the manifest says; who signed it was NOT "
                          "checked");
    }
    conclude(
        has_findings ? SignatureVerdict::findings : SignatureVerdict::verified,
        counted + (count == 1 ? " is" : " are") + " as signed" +
            (has_findings ? ", and there is something to look at" : ""));
  }

  [[nodiscard]] std::string difference_text() const {
    std::array<std::size_t, 3> counts{};
    for (const SignatureDifference& one : report_.differences) {
      ++counts[static_cast<std::size_t>(one.kind)];
    }
    std::vector<std::string> parts;
    if (counts[2] > 0) parts.push_back(fmt::format("{} changed", counts[2]));
    if (counts[1] > 0) parts.push_back(fmt::format("{} missing", counts[1]));
    if (counts[0] > 0) parts.push_back(fmt::format("{} extra", counts[0]));
    const std::size_t refused = static_cast<std::size_t>(std::ranges::count_if(
        report_.mismatch, [](const std::string& sentence) {
          return sentence.starts_with("Cannot use");
        }));
    if (refused > 0) parts.push_back(fmt::format("{} refused", refused));
    return fmt::format("{}", fmt::join(parts, ", "));
  }

  const Tree& tree_;
  const SignatureCheckOptions& options_;
  SignatureReport report_;
};

}  // namespace

std::string_view to_string(SignatureVerdict verdict) noexcept {
  switch (verdict) {
    case SignatureVerdict::verified:
      return "verified";
    case SignatureVerdict::findings:
      return "findings";
    case SignatureVerdict::unreadable:
      return "unreadable";
    case SignatureVerdict::failed:
      return "failed";
  }
  return "failed";
}

bool is_model_file_name(std::string_view name) {
  const std::string lower = to_lower_ascii(name);
  return std::ranges::any_of(kModelEndings, [&](std::string_view ending) {
    return lower.ends_with(ending);
  });
}

SignatureReport verify_model_signature(std::string_view bundle,
                                       const Tree& tree,
                                       const SignatureCheckOptions& options,
                                       Progress& progress,
                                       const Cancellation& cancellation) {
  return SignatureChecking(bundle, tree, options).run(progress, cancellation);
}

SignatureReport describe_signature(std::string_view bundle,
                                   std::string_view name, TimeNs now) {
  SignatureReport report;
  report.signature_name = name;
  report.signature_sha256 = sha256(bundle).hex();
  report.bundle = read_sigstore_bundle(bundle);
  if (!report.bundle.payload.empty()) {
    report.statement = read_model_statement(report.bundle.payload);
  }
  if (!report.bundle.certificates.empty()) {
    const Certificate leaf = Certificate::from_der(
        report.bundle.certificates.front(), "the signing certificate");
    report.signer.certificate = leaf.facts();
    report.signer.is_expired =
        now < leaf.facts().not_before || now > leaf.facts().not_after;
  }
  return report;
}

}  // namespace impound
