// SPDX-License-Identifier: Apache-2.0
#include "core/trust/model_signature.hpp"

#include "core/base/error.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/memory_tree.hpp"
#include "tests/support/signed_model.hpp"

namespace impound::test {
namespace {

using Catch::Contains;
using Verdict = SignatureVerdict;

const MemoryTree::Files kModel{{"config.json", "{}"},
                               {"sub/tokenizer.json", "[]"},
                               {"model.safetensors", "0123456789"}};

const EcSigningKey& key() {
  static const EcSigningKey kKey = EcSigningKey::generate(EcCurve::p384);
  return kKey;
}

std::string sign(const Tree& tree, const SigningOptions& options = {}) {
  return sign_model_statement(statement_of(tree, options), key());
}

SignatureReport check(const std::string& bundle, MemoryTree::Files files) {
  const MemoryTree tree(std::move(files), "folder", "/models/m");
  return verify(bundle, tree, trusting(key().public_key()));
}

TEST_CASE("A model that was signed verifies, whatever it is called",
          "[compare]") {
  const MemoryTree tree(kModel);
  const SignatureReport report = check(sign(tree), kModel);
  CHECK(report.verdict == Verdict::verified);
  CHECK(report.ok());
  CHECK(report.matched == 3);
  CHECK(report.signer.signer == key().public_key().hint());
  CHECK(report.to_json()["verdict"] == "verified");
  CHECK_THAT(report.to_text(), Contains("VERIFIED: 3 files are as signed"));
}

TEST_CASE("Every difference is worded as model_signing words it", "[compare]") {
  const MemoryTree tree(kModel);
  const std::string bundle = sign(tree);
  MemoryTree::Files files = kModel;
  files["model.safetensors"][3] = 'x';
  files["extra.py"] = "1";
  files["also"] = "2";
  files.erase("config.json");
  const SignatureReport report = check(bundle, files);
  CHECK(report.verdict == Verdict::failed);
  REQUIRE(report.mismatch.size() == 3);
  CHECK(report.mismatch[0] == "Extra files found in model 'm': also, extra.py");
  CHECK(report.mismatch[1] == "Missing files in model 'm': config.json");
  CHECK(report.mismatch[2] ==
        "Hash mismatch for 'model.safetensors': Expected '" +
            sha256("0123456789").hex() + "', Actual '" +
            sha256("012x456789").hex() + "'");
  CHECK(report.unsigned_files == std::vector<std::string>{"also", "extra.py"});
  CHECK(report.reason ==
        "the model is not what was signed: 1 changed, 1 missing, 2 extra");
}

TEST_CASE("Files that were not signed can be left aside, and are listed",
          "[compare]") {
  const std::string bundle = sign(MemoryTree(kModel));
  MemoryTree::Files files = kModel;
  files["extra.py"] = "1";
  const MemoryTree tree(files);
  SignatureCheckOptions options = trusting(key().public_key());
  options.ignore_unsigned_files = true;
  const SignatureReport report = verify(bundle, tree, options);
  CHECK(report.verdict == Verdict::verified);
  CHECK(report.unsigned_files == std::vector<std::string>{"extra.py"});
  files.erase("config.json");
  CHECK(verify(bundle, MemoryTree(files), options).verdict == Verdict::failed);
}

TEST_CASE("Every shard that differs is named with its bytes", "[compare]") {
  MemoryTree::Files files{{"w", std::string(30, 'w')}, {"empty", ""}};
  SigningOptions how;
  how.method = SigningMethod::shards;
  how.shard_size = 10;
  const std::string bundle = sign(MemoryTree(files), how);
  const SignatureReport same = check(bundle, files);
  CHECK(same.verdict == Verdict::verified);
  CHECK(has_finding(same, "empty-file-unsigned"));
  files["w"][12] = 'x';
  files["w"][29] = 'x';
  const SignatureReport report = check(bundle, files);
  REQUIRE(report.differences.size() == 2);
  CHECK(report.differences[0].name == "w:10:20");
  CHECK(report.differences[1].start == 20);
  CHECK(report.differences[1].end == 30);
  CHECK_THAT(report.to_text(),
             Contains("w: 2 of 3 shards differ: bytes 10–19, 20–29"));
  files["w"].resize(25);
  CHECK(check(bundle, files).mismatch.size() == 3);
}

TEST_CASE("A key that did not sign is told from a payload that was changed",
          "[compare]") {
  const MemoryTree tree(kModel);
  const std::string bundle = sign(tree);
  const EcSigningKey other = EcSigningKey::generate(EcCurve::p384);
  const SignatureReport unknown =
      verify(bundle, tree, trusting(other.public_key()));
  CHECK(unknown.verdict == Verdict::failed);
  CHECK_THAT(unknown.reason, Contains("Key mismatch") &&
                                 Contains(key().public_key().hint()) &&
                                 Contains(other.public_key().hint()));
  CHECK(unknown.bytes == 0);
  CHECK_THAT(unknown.to_text(), Contains("--unsigned-compare"));

  Json changed = parse_json(bundle, "test");
  std::string payload = statement_of(tree, {});
  payload.back() = ' ';
  changed["dsseEnvelope"]["payload"] = to_base64(as_bytes(payload));
  const SignatureReport broken = check(dump_line(changed), kModel);
  CHECK(broken.verdict == Verdict::failed);
  CHECK_THAT(broken.reason, Contains("not this key's over this payload"));
}

TEST_CASE("Without a key the files are held against the manifest only",
          "[compare]") {
  const MemoryTree tree(kModel);
  const std::string bundle = sign(tree);
  SignatureCheckOptions options;
  const SignatureReport same = verify(bundle, tree, options);
  CHECK(same.verdict == Verdict::findings);
  CHECK(same.signer.state == SignatureState::not_checked);
  CHECK(same.signer.signer.empty());
  CHECK_THAT(same.reason, Contains("NOT checked"));
  MemoryTree::Files files = kModel;
  files["config.json"] = "{ }";
  CHECK(verify(bundle, MemoryTree(files), options).verdict == Verdict::failed);
}

TEST_CASE("A root that is not over the resources as listed is inconsistent",
          "[compare]") {
  const MemoryTree tree(kModel);
  Json statement = parse_json(statement_of(tree, {}), "test");
  Json& resources = statement["predicate"]["resources"];
  std::swap(resources[0], resources[1]);
  const SignatureReport report =
      check(signed_bundle(dump_line(statement), key(),
                          {{"publicKey", {{"hint", ""}}}}),
            kModel);
  CHECK(report.verdict == Verdict::failed);
  CHECK_THAT(report.reason, Contains("Manifest is inconsistent"));
}

TEST_CASE("A signature that ignores what loaders read is pointed at",
          "[compare]") {
  const MemoryTree tree(kModel);
  SigningOptions how;
  how.ignore = {"model.safetensors", "sub", ".git"};
  const SignatureReport report = check(sign(tree, how), kModel);
  CHECK(report.verdict == Verdict::findings);
  CHECK(has_finding(report, "ignored-model-file"));
  CHECK(has_finding(report, "ignored-folder-hides-model-files"));
  CHECK(report.unsigned_files ==
        std::vector<std::string>{"model.safetensors", "sub/tokenizer.json"});

  how.ignore = {"."};
  const SignatureReport nothing =
      check(sign(tree, how), {{"evil.py", "import os"}});
  CHECK(nothing.verdict == Verdict::findings);
  CHECK(has_finding(nothing, "ignores-everything"));
  CHECK(has_finding(nothing, "signs-nothing"));

  // By the caller's own choice it is a note.
  SignatureCheckOptions options = trusting(key().public_key());
  options.ignore = {"notes.json"};
  MemoryTree::Files files = kModel;
  files["notes.json"] = "1";
  const SignatureReport asked = verify(sign(tree), MemoryTree(files), options);
  CHECK(asked.verdict == Verdict::verified);
  CHECK(has_finding(asked, "ignored-by-caller"));
}

TEST_CASE("The signature itself and git's own files are never extra",
          "[compare]") {
  const std::string bundle = sign(MemoryTree(kModel));
  MemoryTree::Files files = kModel;
  files["model.sig"] = bundle;
  files[".git/config"] = "x";
  SignatureCheckOptions options = trusting(key().public_key());
  // Known by its content where nobody says which file it is.
  CHECK(verify(bundle, MemoryTree(files), options).verdict ==
        Verdict::verified);
  files["model.sig"] += " ";
  CHECK(verify(bundle, MemoryTree(files), options).verdict == Verdict::failed);
  options.signature_path = "model.sig";
  CHECK(verify(bundle, MemoryTree(files), options).verdict ==
        Verdict::verified);
}

TEST_CASE("Links and unreadable files keep a model from verifying",
          "[compare]") {
  const std::string bundle = sign(MemoryTree(kModel));
  MemoryTree linked(kModel);
  linked.add_link("z", "config.json");
  const SignatureReport report =
      verify(bundle, linked, trusting(key().public_key()));
  CHECK(report.verdict == Verdict::failed);
  CHECK_THAT(report.mismatch.at(0), Contains("Cannot use 'z'"));
  MemoryTree broken(kModel);
  broken.break_file("config.json");
  const SignatureReport unread =
      verify(bundle, broken, trusting(key().public_key()));
  CHECK(unread.verdict == Verdict::unreadable);
  CHECK(unread.mismatch.empty());
  CHECK_FALSE(unread.ok());
}

TEST_CASE("Old envelopes and statements of model_signing 0.2 verify",
          "[compare]") {
  const std::string old =
      R"({"_type":"https://in-toto.io/Statement/v1","subject":[)"
      R"({"name":"a","digest":{"sha256":")" +
      sha256("it's").hex() +
      R"("}}],"predicateType":"https://model_signing/Digests/v0.1",)"
      R"("predicate":{"unused":"it's"}})";
  const Bytes signature = key().sign(dsse_pae_v02(kInTotoPayloadType, old));
  const std::string bundle = dump_line(bundle_of(
      old, signature,
      {{"publicKey",
        {{"rawBytes", to_base64(as_bytes(key().public_key().pem()))}}}}));
  const SignatureReport report = check(bundle, {{"a", "it's"}});
  CHECK(report.verdict == Verdict::verified);
  CHECK(has_finding(report, "old-envelope-encoding"));
  CHECK(has_finding(report, "old-statement"));
  CHECK(has_finding(report, "old-verification-material"));
  CHECK_FALSE(has_finding(report, "other-key-inside"));
  CHECK(check(bundle, {{"a", "its"}}).verdict == Verdict::failed);
}

TEST_CASE("BLAKE2b is computed, BLAKE3 is said not to be", "[compare]") {
  const MemoryTree tree(kModel);
  SigningOptions how;
  how.hash = HashKind::blake2b;
  CHECK(check(sign(tree, how), kModel).verdict == Verdict::verified);
  Json statement = parse_json(statement_of(tree, {}), "test");
  statement["predicate"]["serialization"]["hash_type"] = "blake3";
  for (Json& resource : statement["predicate"]["resources"]) {
    resource["algorithm"] = "blake3";
  }
  const SignatureReport report =
      check(signed_bundle(dump_line(statement), key(),
                          {{"publicKey", {{"hint", ""}}}}),
            kModel);
  CHECK(report.verdict == Verdict::unreadable);
  CHECK(report.signer.state == SignatureState::valid);
  CHECK_THAT(report.reason, Contains("BLAKE3"));
}

TEST_CASE(
    "A bundle that breaks a strict rule does not verify, one that is "
    "none is unreadable",
    "[compare]") {
  const std::string bundle = sign(MemoryTree(kModel));
  Json two = parse_json(bundle, "test");
  Json& signatures = two["dsseEnvelope"]["signatures"];
  signatures.push_back(signatures[0]);
  CHECK(check(dump_line(two), kModel).verdict == Verdict::failed);
  CHECK(check("not JSON", kModel).verdict == Verdict::unreadable);
  CHECK(check("{}", kModel).verdict == Verdict::unreadable);
}

TEST_CASE("The statement is laid out as model_signing lays it out",
          "[compare]") {
  SigningOptions how;
  how.method = SigningMethod::shards;
  how.ignore = {"b/", "./a", ".git", "a"};
  const MemoryTree tree(MemoryTree::Files{{"\xC3\xA4", "abc"}});
  CHECK(statement_of(tree, how) == R"({
  "_type": "https://in-toto.io/Statement/v1",
  "subject": [
    {
      "name": "model",
      "digest": {
        "sha256": "4f8b42c22dd3729b519ba6f68d2da7cc5b2d606d05daed5ad5128cc03e6c6358"
      }
    }
  ],
  "predicateType": "https://model_signing/signature/v1.0",
  "predicate": {
    "resources": [
      {
        "algorithm": "sha256-sharded-1000000000",
        "name": "\u00e4:0:3",
        "digest": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
      }
    ],
    "serialization": {
      "method": "shards",
      "hash_type": "sha256",
      "shard_size": 1000000000.0,
      "allow_symlinks": false,
      "ignore_paths": [
        ".git",
        "a",
        "b"
      ]
    }
  }
})");
  CHECK_THROWS_AS(statement_of(MemoryTree(MemoryTree::Files{{"\xff", ""}}), {}),
                  Error);
  CHECK_THROWS_AS(
      statement_of(MemoryTree(MemoryTree::Files{{"a:b", "x"}}), how), Error);
}

}  // namespace
}  // namespace impound::test
