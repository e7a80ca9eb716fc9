// rooms: formats
// SPDX-License-Identifier: Apache-2.0
/// sigstore_corpus FOLDER: writes seeds for the sigstore fuzzer.

#include <filesystem>
#include <fstream>
#include <string>

#include "core/base/bytes.hpp"

namespace {

const std::string kDigest(64, 'a');

void write(const std::filesystem::path& folder, const char* name,
           const std::string& content) {
  std::ofstream(folder / name, std::ios::binary) << content;
}

std::string bundle(const std::string& payload, const std::string& material) {
  return R"({"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json",)"
         R"("verificationMaterial":)" +
         material + R"(,"dsseEnvelope":{"payload":")" +
         impound::to_base64(impound::as_bytes(payload)) +
         R"(","payloadType":"application/vnd.in-toto+json",)"
         R"("signatures":[{"sig":"MEUCIQ==","keyid":""}]}})";
}

std::string statement(const std::string& name, const std::string& how) {
  return R"({"_type":"https://in-toto.io/Statement/v1","subject":)"
         R"([{"name":"m","digest":{"sha256":")" +
         kDigest +
         R"("}}],"predicateType":"https://model_signing/signature/v1.0",)"
         R"("predicate":{"resources":[{"algorithm":"sha256","name":")" +
         name + R"(","digest":")" + kDigest + R"("}],"serialization":)" + how +
         "}}";
}

}  // namespace

void write_sigstore_seeds(const std::filesystem::path& folder) {
  const std::string files = statement(
      "a/b", R"({"method":"files","hash_type":"sha256","allow_symlinks":false,)"
             R"("ignore_paths":[".git","model.sig"]})");
  const std::string shards =
      statement("a/b:0:8",
                R"({"method":"shards","hash_type":"sha256","shard_size":8.0})");
  const std::string old =
      R"({"_type":"https://in-toto.io/Statement/v1","subject":)"
      R"([{"name":"a","digest":{"sha256":")" +
      kDigest + R"("}}],"predicateType":"https://model_signing/Digests/v0.1"})";
  write(folder, "statement-files", files);
  write(folder, "statement-shards", shards);
  write(folder, "statement-old", old);
  write(folder, "key",
        bundle(files, R"({"publicKey":{"hint":"ab"},"tlogEntries":[]})"));
  write(folder, "old-key", bundle(old, R"({"publicKey":{"rawBytes":"a2V5"}})"));
  write(folder, "chain",
        bundle(shards, R"({"x509CertificateChain":{"certificates":)"
                       R"([{"rawBytes":"AQ=="},{"rawBytes":"Ag=="}]}})"));
  write(folder, "keyless",
        bundle(files,
               R"({"certificate":{"rawBytes":"AQ=="},"tlogEntries":)"
               R"([{"logIndex":"1","kindVersion":{"kind":"dsse"}}],)"
               R"("timestampVerificationData":{"rfc3161Timestamps":[{}]}})"));
  write(folder, "deep", std::string(5000, '['));
}
