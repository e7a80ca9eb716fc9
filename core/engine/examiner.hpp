// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Who acts: an Ed25519 key on disk and the name, organisation and role that go
/// with it into every custody entry.

#include <filesystem>
#include <string>

#include "core/casefile/custody.hpp"
#include "core/crypto/signature.hpp"

namespace impound {

struct ExaminerProfile {
  std::string name;
  std::string org;
  std::string role;
  std::filesystem::path key_file;
  std::string fingerprint;  ///< SHA-256 of the public key, 64 hex digits
};

/// Makes a key (PEM PKCS#8, mode 0600) and the profile in config_folder().
/// An empty `key_file` means config_folder()/examiner.key; an empty passphrase
/// leaves the key unencrypted.
/// @throws Error{bad_input} if there is a profile or a key file already.
[[nodiscard]] ExaminerProfile create_examiner(const ExaminerProfile& wanted,
                                              const std::string& passphrase);

/// Whether somebody ran 'impound examiner init' here.
[[nodiscard]] bool has_profile();

/// @throws Error{bad_input} if nobody ran 'impound examiner init' yet.
[[nodiscard]] ExaminerProfile load_profile();

/// examiner.json: what a lead needs to let this examiner into a case. It holds
/// no secret.
[[nodiscard]] std::filesystem::path card_file();

/// Makes a new key for the examiner there is, beside the old one, which stays:
/// open cases must still be told with it (impound case signer rotate).
/// @throws Error{bad_input} if there is no examiner, Error{io}.
[[nodiscard]] ExaminerProfile renew_examiner(const std::string& passphrase);

/// Loads the key and states how its owner was identified. `key_file` replaces
/// the profile's if it is not empty.
/// @throws Error{bad_input} if others may read the key file or the passphrase
/// is
///         wrong, Error{io}, Error{malformed}.
[[nodiscard]] Examiner load_examiner(const std::filesystem::path& key_file,
                                     const PassphrasePrompt& passphrase);

}  // namespace impound
