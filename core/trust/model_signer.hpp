// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Writing the signature of a model (OpenSSF Model Signing), so that
/// model_signing and every other verifier of the format reads it.

#include <string>
#include <string_view>

#include "core/crypto/ec_key.hpp"
#include "core/trust/signing_manifest.hpp"

namespace impound {

/// The in-toto statement over a manifest: JSON, indented by two, names escaped
/// to ASCII. `options` are those the manifest was made with; their ignored
/// paths are signed too.
/// @throws Error{bad_input} for a name that is no UTF-8 or that no reader of
///         the format could split again.
[[nodiscard]] std::string write_model_statement(const SigningManifest& manifest,
                                                const SigningOptions& options,
                                                std::string_view model_name);

/// The bundle around a signed statement: one line of JSON, no LF at its end.
[[nodiscard]] std::string sign_model_statement(std::string_view statement,
                                               const EcSigningKey& key);

}  // namespace impound
