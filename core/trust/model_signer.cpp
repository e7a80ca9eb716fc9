// SPDX-License-Identifier: Apache-2.0
#include "core/trust/model_signer.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.hpp"
#include "core/base/json.hpp"
#include "core/base/text.hpp"
#include "core/crypto/dsse.hpp"
#include "core/formats/sigstore_bundle.hpp"

namespace impound {
namespace {

std::string algorithm_of(const SigningOptions& options) {
  const std::string hash(to_string(options.hash));
  return options.method == SigningMethod::files
             ? hash
             : fmt::format("{}-sharded-{}", hash, options.shard_size);
}

void refuse_unwritable(const SigningEntry& entry, SigningMethod method) {
  if (!is_utf8(entry.path)) {
    throw Error(Errc::bad_input,
                fmt::format("{}: a name that is no UTF-8 cannot be signed",
                            printable(entry.path)));
  }
  if (method == SigningMethod::shards &&
      entry.path.find(':') != std::string::npos) {
    throw Error(Errc::bad_input,
                fmt::format("{}: a name with ':' cannot be signed by shards, "
                            "whose names are split at it; sign by files",
                            printable(entry.path)));
  }
}

/// As protobuf's JSON writer does: two spaces, everything ASCII, no LF.
std::string indented(const Json& json) {
  return json.dump(2, ' ', true, Json::error_handler_t::strict);
}

}  // namespace

std::string write_model_statement(const SigningManifest& manifest,
                                  const SigningOptions& options,
                                  std::string_view model_name) {
  const std::string algorithm = algorithm_of(options);
  Json resources = Json::array();
  for (const SigningEntry& entry : manifest.entries) {
    refuse_unwritable(entry, options.method);
    resources.push_back({{"algorithm", algorithm},
                         {"name", signed_name(entry, options.method)},
                         {"digest", to_hex(entry.digest)}});
  }
  std::vector<std::string> ignored;
  for (const std::string& path : options.ignore) {
    ignored.push_back(plain_signed_path(path));
  }
  std::ranges::sort(ignored);
  ignored.erase(std::unique(ignored.begin(), ignored.end()), ignored.end());
  Json serialization;
  serialization["method"] = to_string(options.method);
  serialization["hash_type"] = to_string(options.hash);
  if (options.method == SigningMethod::shards) {
    // A number of protobuf's Struct is a double and printed as one.
    serialization["shard_size"] = static_cast<double>(options.shard_size);
  }
  serialization["allow_symlinks"] = options.allow_symlinks;
  if (!ignored.empty()) serialization["ignore_paths"] = ignored;
  Json subject;
  subject["name"] = lossless_utf8(model_name);
  subject["digest"]["sha256"] = root_of(manifest).hex();
  Json statement;
  statement["_type"] = kInTotoStatementType;
  statement["subject"] = Json::array({std::move(subject)});
  statement["predicateType"] = kModelPredicateType;
  statement["predicate"]["resources"] = std::move(resources);
  statement["predicate"]["serialization"] = std::move(serialization);
  return indented(statement);
}

std::string sign_model_statement(std::string_view statement,
                                 const EcSigningKey& key) {
  const Bytes signature = key.sign(dsse_pae(kInTotoPayloadType, statement));
  Json bundle;
  bundle["mediaType"] = kSigstoreMediaType;
  bundle["verificationMaterial"]["publicKey"]["hint"] = key.public_key().hint();
  bundle["verificationMaterial"]["tlogEntries"] = Json::array();
  Json& envelope = bundle["dsseEnvelope"];
  envelope["payload"] = to_base64(as_bytes(statement));
  envelope["payloadType"] = kInTotoPayloadType;
  Json entry;
  entry["sig"] = to_base64(signature);
  entry["keyid"] = "";
  envelope["signatures"] = Json::array({std::move(entry)});
  return dump_line(bundle);
}

}  // namespace impound
