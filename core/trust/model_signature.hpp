// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Verifying the signature of a model (OpenSSF Model Signing): who signed, what
/// exactly, and whether the files at hand are those.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/json.hpp"
#include "core/base/progress.hpp"
#include "core/evidence/tree.hpp"
#include "core/formats/model_statement.hpp"
#include "core/trust/signer_check.hpp"
#include "core/trust/signing_manifest.hpp"

namespace impound {

struct SignatureCheckOptions {
  SignatureTrust trust;
  std::vector<std::string> ignore;  ///< more paths than the signature ignores
  bool ignore_unsigned_files = false;
  std::string folder;          ///< the model's place in the tree
  std::string signature_name;  ///< for people: "model.sig"
  /// The signature's own path below the model, if it lies there.
  std::string signature_path;
  unsigned threads = 0;
};

enum class SignatureVerdict : std::uint8_t {
  verified,    ///< signed by whom it was held against, and unchanged
  findings,    ///< nothing differs, and there is something to look at
  unreadable,  ///< the signature or a file could not be read
  failed,      ///< it does not verify
};

[[nodiscard]] std::string_view to_string(SignatureVerdict verdict) noexcept;

/// One file or shard that is not what was signed.
struct SignatureDifference {
  enum class Kind : std::uint8_t { extra, missing, changed };
  Kind kind = Kind::changed;
  std::string name;  ///< as in a statement
  std::string path;
  std::uint64_t start = 0;  ///< shards: bytes of the file
  std::uint64_t end = 0;
  std::string expected;  ///< hexadecimal
  std::string actual;
};

struct SignatureReport {
  std::string signature_name;
  std::string signature_sha256;  ///< of the file
  std::string subject;           ///< where the model is
  SigstoreBundle bundle;
  ModelStatement statement;
  TrustKind trust = TrustKind::nothing;
  SignerReport signer;

  SignatureVerdict verdict = SignatureVerdict::failed;
  std::string reason;  ///< one sentence: what the verdict rests on
  /// As model_signing words them: "Hash mismatch for …".
  std::vector<std::string> mismatch;
  std::vector<SignatureDifference> differences;
  std::vector<SigningTrouble> unread;
  std::vector<std::string> unsigned_files;  ///< there, and not covered
  std::vector<SignatureFinding> findings;
  std::size_t matched = 0;  ///< files or shards that are what was signed
  std::uint64_t bytes = 0;  ///< hashed

  /// True for verdicts that say: nothing differs from what was signed.
  [[nodiscard]] bool ok() const noexcept {
    return verdict == SignatureVerdict::verified ||
           verdict == SignatureVerdict::findings;
  }
  [[nodiscard]] Json to_json() const;
  [[nodiscard]] std::string to_text() const;
};

/// Verifies a bundle against a tree. What is wrong with either is in the
/// report.
/// @throws Error{io} if it was told to stop.
[[nodiscard]] SignatureReport verify_model_signature(
    std::string_view bundle, const Tree& tree,
    const SignatureCheckOptions& options, Progress& progress,
    const Cancellation& cancellation);

/// What a signature claims, verified against nothing: verdict and reason mean
/// nothing then.
[[nodiscard]] SignatureReport describe_signature(std::string_view bundle,
                                                 std::string_view name,
                                                 TimeNs now);
[[nodiscard]] std::string claims_text(const SignatureReport& report);
[[nodiscard]] Json claims_json(const SignatureReport& report);

/// True for a name that a loader reads: weights, code, configuration.
[[nodiscard]] bool is_model_file_name(std::string_view name);

}  // namespace impound
