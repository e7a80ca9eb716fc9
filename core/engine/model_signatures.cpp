// SPDX-License-Identifier: Apache-2.0
#include "core/engine/model_signatures.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/engine/exhibits.hpp"
#include "core/engine/model_sides.hpp"
#include "core/evidence/bundle_reader.hpp"

namespace impound {
namespace {

std::string whole_text(const ByteSource& source, const std::string& name) {
  if (source.size() > kMaxSigstoreBundle) {
    throw Error(
        Errc::limit,
        fmt::format("{}: {} bytes, a signature has at most {}", printable(name),
                    source.size(), kMaxSigstoreBundle));
  }
  return std::string(as_text(source.head(0, source.size())));
}

/// `path` relative to the folder `root`; empty if it does not lie below it.
std::string path_below(const fs::path& root, const fs::path& path) {
  std::error_code failure;
  const fs::path real = fs::weakly_canonical(path, failure);
  if (failure) return {};
  const fs::path relative = real.lexically_relative(root);
  if (relative.empty() || relative == "." || *relative.begin() == "..") {
    return {};
  }
  return relative.generic_string();
}

/// The signature file of a request, wherever it lies.
struct FoundSignature {
  std::string text;
  std::string path_in_model;  ///< empty if it lies elsewhere
};

class SignatureSearch {
 public:
  SignatureSearch(const SignatureRequest& request, const Tree& tree,
                  const std::string& folder, const CaseFile* case_file)
      : request_(request),
        tree_(tree),
        folder_(folder),
        case_file_(case_file) {}

  [[nodiscard]] FoundSignature find() const {
    const std::string& name = request_.signature;
    const bool is_on_disk = request_.place == SignaturePlace::anywhere &&
                            stat_path(name, Links::follow);
    if (is_on_disk) {
      return {whole_text(*open_source(fs::canonical(name)), name),
              tree_.kind() == "exhibit" || tree_.kind() == "file"
                  ? std::string()
                  : path_below(tree_.locator(), name)};
    }
    for (const std::string& path : {prefixed(name), name}) {
      const auto& files = tree_.files();
      const auto file = std::ranges::find(files, path, &TreeFile::name);
      if (file == files.end() || file->kind != FileKind::regular) continue;
      return {whole_text(*tree_.open(*file), name), in_model(path)};
    }
    if (const auto item = parse_exhibit_reference(name);
        item && item->item != 0 && case_file_ != nullptr) {
      return from_item(*item);
    }
    throw Error(Errc::bad_input,
                fmt::format("there is no signature {}: neither a file {}nor "
                            "one in {}",
                            printable(name),
                            request_.place == SignaturePlace::anywhere
                                ? ""
                                : "that the run may read ",
                            printable(request_.subject)));
  }

 private:
  [[nodiscard]] std::string prefixed(const std::string& name) const {
    return folder_.empty() ? name : folder_ + "/" + name;
  }
  [[nodiscard]] std::string in_model(const std::string& path) const {
    if (folder_.empty()) return path;
    return path.starts_with(folder_ + "/") ? path.substr(folder_.size() + 1)
                                           : std::string();
  }
  [[nodiscard]] FoundSignature from_item(const ExhibitReference& item) const {
    const fs::path bundle = bundle_of(*case_file_, item.exhibit);
    const BundleReader reader(bundle);
    const Item* found = reader.find(item.item);
    if (found == nullptr) {
      throw Error(Errc::bad_input,
                  fmt::format("{} has no item {}", item.exhibit, item.item));
    }
    return {whole_text(*reader.open(*found), request_.signature),
            tree_.locator() == bundle.native() ? in_model(found->name)
                                               : std::string()};
  }

  const SignatureRequest& request_;
  const Tree& tree_;
  const std::string& folder_;
  const CaseFile* case_file_;
};

SignatureTrust trust_of(const SignatureRequest& request, const Clock& clock) {
  const bool has_key = !request.key.empty();
  const bool has_chain = !request.certificate_chain.empty();
  const int ways = static_cast<int>(has_key) +
                   static_cast<int>(has_chain || request.sigstore) +
                   static_cast<int>(request.unsigned_compare);
  if (ways != 1) {
    throw Error(Errc::bad_input,
                "a signature is verified with one of: a public key, a "
                "certificate chain, the certificate of a keyless signature "
                "(sigstore), or not at all (unsigned compare)");
  }
  if (!request.sigstore &&
      !(request.identity.empty() && request.issuer.empty())) {
    throw Error(Errc::bad_input,
                "identity and issuer are of keyless signatures (sigstore)");
  }
  SignatureTrust trust;
  trust.now = clock.now();
  trust.enforce_time = request.enforce_time;
  trust.identity = request.identity;
  trust.issuer = request.issuer;
  if (has_key) {
    trust.kind = TrustKind::key;
    trust.key = EcPublicKey::from_text(
        read_text_file(request.key, limits::kMaxSmallFile),
        printable(request.key));
  } else if (request.sigstore) {
    trust.kind = TrustKind::sigstore;
  } else if (has_chain) {
    trust.kind = TrustKind::certificates;
  }
  for (const std::string& file : request.certificate_chain) {
    auto certificates = Certificate::from_text(
        read_text_file(file, limits::kMaxSmallFile), printable(file));
    std::ranges::move(certificates, std::back_inserter(trust.roots));
  }
  return trust;
}

/// The exhibit that a subject names, as open_model_side() takes it.
std::string exhibit_of(const CaseFile& case_file,
                       const SignatureRequest& request) {
  const auto reference = parse_exhibit_reference(request.subject);
  const bool is_exhibit =
      reference && (case_file.exhibit(reference->exhibit) ||
                    !stat_path(request.subject, Links::follow));
  return is_exhibit ? reference->exhibit : std::string();
}

/// What a caller leaves out is named as they see it: relative to the model, or
/// as a path on disk.
std::vector<std::string> below_model(const std::vector<std::string>& paths,
                                     const fs::path& model) {
  std::vector<std::string> below;
  for (const std::string& path : paths) {
    // An absolute path is one of this machine, not of the model.
    if (fs::path(path).is_absolute() ||
        (!stat_path(model / path, Links::refuse) &&
         stat_path(path, Links::refuse))) {
      const std::string found = path_below(model, path);
      if (!found.empty()) {
        below.push_back(found);
        continue;
      }
    }
    below.push_back(plain_signed_path(path));
  }
  return below;
}

}  // namespace

SignatureReport check_signature(const SignatureRequest& request,
                                const CaseFile* case_file, const Clock& clock,
                                Progress& progress,
                                const Cancellation& cancellation) {
  SignatureCheckOptions options;
  options.trust = trust_of(request, clock);
  ModelSide side = open_model_side(request.subject, case_file);
  // A baseline is signed as the file it is.
  if (!side.tree) side.tree = open_path_tree(request.subject);
  const Tree& tree = *side.tree;
  options.folder = request.folder;
  if (options.folder.empty()) options.folder = model_folder(tree);
  const FoundSignature found =
      SignatureSearch(request, tree, options.folder, case_file).find();
  options.signature_name = request.signature;
  options.signature_path = found.path_in_model;
  options.ignore = below_model(request.ignore, tree.locator());
  options.ignore_unsigned_files = request.ignore_unsigned_files;
  options.threads = request.threads;
  return verify_model_signature(found.text, tree, options, progress,
                                cancellation);
}

void record_signature_check(Session& session, const SignatureRequest& request,
                            const SignatureReport& report, const Json& answer) {
  EntryDraft draft = session.draft("verify");
  if (const std::string exhibit = exhibit_of(session.case_file, request);
      !exhibit.empty()) {
    draft.item = exhibit;
  }
  draft.purpose = "provenance of a model";
  draft.detail["what"] =
      fmt::format("model signature {} of {}", lossless_utf8(request.signature),
                  lossless_utf8(request.subject));
  draft.detail["expected"] =
      report.trust == TrustKind::nothing
          ? "files as the manifest of the signature says"
          : fmt::format("a valid signature ({}) over these files",
                        to_string(report.trust));
  draft.detail["found"] = lossless_utf8(report.reason);
  draft.detail["result"] = report.ok() ? "ok" : "failed";
  draft.detail["verdict"] = to_string(report.verdict);
  draft.detail["signer"] = report.signer.signer;
  draft.detail["not_verified"] = report.signer.unverified;
  draft.detail["signature_sha256"] = report.signature_sha256;
  draft.detail["root_sha256"] = report.statement.root_sha256;
  draft.detail["result_sha256"] = sha256(dump_line(answer)).hex();
  draft.outcome = report.ok() ? Outcome::ok : Outcome::failed;
  session.case_file.append({draft}, session.examiner, session.journal(answer));
}

Json check_baseline_signature(Session& session, const std::string& subject,
                              const std::string& key_file) {
  const ModelSide side = open_model_side(subject, &session.case_file);
  if (!side.baseline) {
    throw Error(Errc::unsupported,
                printable(subject) +
                    " is no baseline: of other things name the signature file");
  }
  const Baseline& baseline = *side.baseline;
  bool ok = baseline.signature == BaselineSignature::valid;
  std::string reason =
      ok ? "the key in the document signed exactly these bytes"
         : std::string(to_string(baseline.signature)) + " signature" +
               (baseline.signature_problem.empty() ? "" : ": ") +
               baseline.signature_problem;
  if (!key_file.empty()) {
    const std::string expected =
        PublicKey::from_pem(read_text_file(key_file, limits::kMaxSmallFile),
                            printable(key_file))
            .fingerprint()
            .hex();
    if (ok && expected != baseline.key_fingerprint) {
      ok = false;
      reason = "signed, but by another key than " + expected;
    }
  }
  Json answer;
  answer["ok"] = ok;
  answer["signer"] = baseline.key_fingerprint;
  answer["reason"] = reason;
  EntryDraft draft = session.draft("verify");
  draft.purpose = "provenance of a baseline";
  draft.detail["what"] = "signature of " + lossless_utf8(subject);
  draft.detail["expected"] = "a valid signature";
  draft.detail["found"] = lossless_utf8(reason);
  draft.detail["result"] = ok ? "ok" : "failed";
  draft.outcome = ok ? Outcome::ok : Outcome::failed;
  session.case_file.append({draft}, session.examiner, session.journal(answer));
  return answer;
}

Json baseline_provenance(const SignatureReport& report) {
  if (!report.ok() || report.signer.state != SignatureState::valid) {
    throw Error(Errc::integrity,
                fmt::format("{}: the signature of the model does not verify: "
                            "{}",
                            printable(report.signature_name), report.reason));
  }
  Json json;
  json["kind"] = "model-signature";
  json["signature_sha256"] = report.signature_sha256;
  json["predicate_type"] = report.statement.predicate_type;
  json["root_sha256"] = report.statement.root_sha256;
  json["trust"] = to_string(report.trust);
  json["signer"] = report.signer.signer;
  json["verdict"] = to_string(report.verdict);
  json["not_verified"] = report.signer.unverified;
  Json rules = Json::array();
  for (const SignatureFinding& finding : report.findings) {
    rules.push_back(finding.rule);
  }
  json["findings"] = std::move(rules);
  return json;
}

HashedModel hash_model(const SignModelRequest& request, Progress& progress,
                       const Cancellation& cancellation) {
  const auto tree = open_path_tree(request.model);
  const fs::path root = tree->locator();
  HashedModel model;
  model.name = root.filename().native();
  model.options = request.options;
  model.options.ignore = below_model(request.options.ignore, root);
  if (!request.sign_git_paths) {
    for (const std::string_view path : git_paths()) {
      model.options.ignore.emplace_back(path);
    }
  }
  if (!request.out.empty() && tree->kind() != "file") {
    const std::string own = path_below(root, request.out);
    if (!own.empty()) model.options.ignore.push_back(own);
  }
  if (tree->kind() == "file") model.options.ignore.clear();
  model.manifest =
      hash_for_signing(*tree, model.options, progress, cancellation);
  for (const auto* list : {&model.manifest.unread, &model.manifest.refused}) {
    if (list->empty()) continue;
    const SigningTrouble& first = list->front();
    throw Error(list == &model.manifest.unread ? Errc::io : Errc::bad_input,
                fmt::format("cannot sign {}: it {}", printable(first.path),
                            first.reason));
  }
  if (!model.manifest.followed.empty() && !model.options.allow_symlinks) {
    throw Error(Errc::bad_input,
                fmt::format("cannot sign {}: it is a symlink of a cache; "
                            "--allow-symlinks signs what it leads to",
                            printable(model.manifest.followed.front())));
  }
  if (!tree->problems().empty()) {
    throw Error(Errc::io,
                "cannot sign everything: " + tree->problems().front());
  }
  model.root = root_of(model.manifest);
  return model;
}

}  // namespace impound
