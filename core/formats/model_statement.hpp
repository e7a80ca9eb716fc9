// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The in-toto statement inside a model signature (OpenSSF Model Signing): the
/// digests that somebody signed, and how they are to be computed again.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/formats/problem.hpp"

namespace impound {

inline constexpr std::string_view kInTotoStatementType =
    "https://in-toto.io/Statement/v1";
inline constexpr std::string_view kModelPredicateType =
    "https://model_signing/signature/v1.0";
/// model_signing 0.2: the files are the subjects, and there is no root digest.
inline constexpr std::string_view kOldModelPredicateType =
    "https://model_signing/Digests/v0.1";
/// Files or shards of one statement; more is the problem "statement-too-large".
inline constexpr std::size_t kMaxSignedResources = 1'000'000;
/// Ignored paths of one statement, each held against every file of the model;
/// signers have ten. More is "statement-too-large", too.
inline constexpr std::size_t kMaxIgnoredPaths = 1000;

/// One digest that was signed.
struct SignedResource {
  std::string name;  ///< as written
  /// Its file below the model, components joined by one '/'; "." is the model
  /// itself. May hold ".." and then names nothing.
  std::string path;
  std::uint64_t start = 0;  ///< shards: first byte
  std::uint64_t end = 0;    ///< shards: behind the last byte
  std::string algorithm;    ///< "sha256", "sha256-sharded-1000000000"
  Bytes digest;
};

enum class SigningMethod : std::uint8_t { files, shards };

/// "files", "shards".
[[nodiscard]] std::string_view to_string(SigningMethod method) noexcept;

struct ModelStatement {
  std::string predicate_type;
  std::string model_name;   ///< informative; empty in old statements
  std::string root_sha256;  ///< hexadecimal, lower case; empty in old ones
  bool is_old = false;      ///< the predicate of model_signing 0.2
  std::vector<SignedResource> resources;  ///< in the order listed
  SigningMethod method = SigningMethod::files;
  std::string hash_type;  ///< "sha256", "blake2b", "blake3"
  std::uint64_t shard_size = 0;
  bool allow_symlinks = false;
  std::vector<std::string> ignore_paths;  ///< as written

  /// "statement-…"; high or worse: a strict rule is broken, and the statement
  /// cannot be verified.
  Problems problems;
};

/// Reads a payload. Strict: types, exactly one subject, every digest of the
/// length of its hash. Lenient where writers differ: numbers of a shard as
/// integer or double, "blake2" for "blake2b", ':' in the names of sharded
/// files.
[[nodiscard]] ModelStatement read_model_statement(std::string_view payload);

/// "a//./b/" as "a/b"; "." for nothing: how model_signing writes a path.
[[nodiscard]] std::string plain_signed_path(std::string_view path);

}  // namespace impound
