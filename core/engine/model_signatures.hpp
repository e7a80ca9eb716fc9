// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Signatures of models (OpenSSF Model Signing) as a person handles them:
/// verifying one, making one, the digest that both are about.

#include <filesystem>
#include <string>
#include <vector>

#include "core/crypto/ec_key.hpp"
#include "core/engine/session.hpp"
#include "core/trust/model_signature.hpp"

namespace impound {

/// Where the signature file of a request may lie.
enum class SignaturePlace : std::uint8_t {
  anywhere,       ///< on disk, in the model, or an item of the case
  with_evidence,  ///< in the model, or an item of the case
};

struct SignatureRequest {
  std::string subject;    ///< as open_model_side() takes it
  std::string signature;  ///< a path, a name in the model, or "E001/17"
  SignaturePlace place = SignaturePlace::anywhere;
  // Exactly one of the next four.
  std::string key;                             ///< file: PEM or DER
  std::vector<std::string> certificate_chain;  ///< files: PEM or DER
  bool sigstore = false;  ///< with certificate_chain: also against these
  bool unsigned_compare = false;
  std::string identity;  ///< sigstore only
  std::string issuer;    ///< sigstore only
  bool enforce_time = false;
  bool ignore_unsigned_files = false;
  std::vector<std::string> ignore;
  std::string folder;  ///< of the model in an exhibit; "" = found by itself
  unsigned threads = 0;
};

/// Verifies the signature of a folder, file, snapshot, bundle, baseline
/// document or exhibit of `case_file` (which may be null).
/// @throws Error{bad_input} for a request that contradicts itself or a
///         signature that is not there, Error{io}, Error{malformed} for a key
///         that is none.
[[nodiscard]] SignatureReport check_signature(const SignatureRequest& request,
                                              const CaseFile* case_file,
                                              const Clock& clock,
                                              Progress& progress,
                                              const Cancellation& cancellation);

/// Records a check in the chain as `verify` (and journals `answer`).
void record_signature_check(Session& session, const SignatureRequest& request,
                            const SignatureReport& report, const Json& answer);

/// Checks the signature inside a baseline document, of `key_file` if one is
/// named, and records it as `verify` (journaled).
/// @return ok, signer, reason.
/// @throws Error{unsupported} if `subject` is no baseline.
[[nodiscard]] Json check_baseline_signature(Session& session,
                                            const std::string& subject,
                                            const std::string& key_file);

/// What a baseline keeps of the signature of the model it describes.
/// @throws Error{integrity} if the report is none of a model that is as signed.
[[nodiscard]] Json baseline_provenance(const SignatureReport& report);

struct SignModelRequest {
  std::string model;  ///< a path
  SigningOptions options;
  bool sign_git_paths = false;
  /// The signature to be written; left out of what is signed. May be empty.
  std::filesystem::path out;
};

/// A model that was hashed for signing.
struct HashedModel {
  std::string name;
  SigningManifest manifest;
  SigningOptions options;  ///< with everything that is ignored
  Digest root;
};

/// @throws Error{io} if a file cannot be read, Error{bad_input} for what may
///         not be signed: links, sockets, devices.
[[nodiscard]] HashedModel hash_model(const SignModelRequest& request,
                                     Progress& progress,
                                     const Cancellation& cancellation);

}  // namespace impound
