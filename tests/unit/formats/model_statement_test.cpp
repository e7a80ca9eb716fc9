// SPDX-License-Identifier: Apache-2.0
#include "core/formats/model_statement.hpp"

#include "core/base/json.hpp"
#include "tests/support/catch.hpp"

namespace impound::test {
namespace {

const std::string kDigest(64, 'a');

Json honest() {
  return parse_json(R"({"_type": "https://in-toto.io/Statement/v1",
    "subject": [{"name": "m", "digest": {"sha256": ")" +
                        kDigest + R"("}}],
    "predicateType": "https://model_signing/signature/v1.0",
    "predicate": {
      "resources": [{"algorithm": "sha256", "name": "a/b", "digest": ")" +
                        kDigest + R"("}],
      "serialization": {"method": "files", "hash_type": "sha256",
        "allow_symlinks": true, "ignore_paths": [".git", "x.sig"]}}})",
                    "test");
}

ModelStatement read(const Json& json) {
  return read_model_statement(dump_line(json));
}

std::string broken(const Json& json) {
  for (const Problem& problem : read(json).problems) {
    if (problem.severity >= Severity::high) return problem.rule;
  }
  return "";
}

Json sharded(const Json& size, const std::string& name) {
  Json statement = honest();
  Json& predicate = statement["predicate"];
  predicate["serialization"]["method"] = "shards";
  predicate["serialization"]["shard_size"] = size;
  predicate["resources"][0]["name"] = name;
  predicate["resources"][0]["algorithm"] = "sha256-sharded-8";
  return statement;
}

TEST_CASE("A statement is read as model_signing writes it", "[formats]") {
  const ModelStatement statement = read(honest());
  CHECK(statement.problems.empty());
  CHECK(statement.model_name == "m");
  CHECK(statement.root_sha256 == kDigest);
  CHECK(statement.method == SigningMethod::files);
  CHECK(statement.allow_symlinks);
  CHECK(statement.ignore_paths == std::vector<std::string>{".git", "x.sig"});
  REQUIRE(statement.resources.size() == 1);
  CHECK(statement.resources[0].path == "a/b");
  CHECK(to_hex(statement.resources[0].digest) == kDigest);
}

TEST_CASE("Shards are read with sizes of either kind of number", "[formats]") {
  for (const Json& size : {Json(8), Json(8.0)}) {
    const ModelStatement statement = read(sharded(size, "a:b/c.bin:8:15"));
    CHECK(statement.problems.empty());
    CHECK(statement.shard_size == 8);
    REQUIRE(statement.resources.size() == 1);
    CHECK(statement.resources[0].path == "a:b/c.bin");
    CHECK(statement.resources[0].start == 8);
    CHECK(statement.resources[0].end == 15);
  }
  CHECK(read(sharded(Json(1000000000.0), "a:0:1")).shard_size == 1000000000);
  for (const Json& size :
       {Json(0), Json(-1), Json(0.5), Json(1e300), Json("8"), Json(nullptr)}) {
    CHECK(broken(sharded(size, "a:0:1")) == "statement-shard-size");
  }
  for (const char* name : {"a", "a:1", "a:1:1", "a:2:1", ":1:2", "a:-1:2",
                           "a:0x1:2", "a:1:99999999999999999999", "a::1"}) {
    INFO(name);
    CHECK(broken(sharded(8, name)) == "statement-name");
  }
}

TEST_CASE("The hashes that signers use are known, others are named",
          "[formats]") {
  Json statement = honest();
  Json& predicate = statement["predicate"];
  predicate["serialization"]["hash_type"] = "blake2b";
  predicate["resources"][0]["algorithm"] = "blake2b";
  predicate["resources"][0]["digest"] = std::string(128, 'b');
  CHECK(broken(statement).empty());
  // What model_signing calls it inside.
  predicate["serialization"]["hash_type"] = "blake2";
  CHECK(read(statement).hash_type == "blake2b");
  CHECK(broken(statement).empty());
  predicate["serialization"]["hash_type"] = "blake3";
  predicate["resources"][0]["algorithm"] = "blake3";
  predicate["resources"][0]["digest"] = kDigest;
  CHECK(broken(statement).empty());
  predicate["serialization"]["hash_type"] = "md5";
  CHECK(broken(statement) == "statement-hash");
  predicate["serialization"]["hash_type"] = "sha256";
  CHECK(broken(statement) == "statement-algorithm");
}

TEST_CASE("The statement of model_signing 0.2 lists files as subjects",
          "[formats]") {
  const Json old = parse_json(
      R"({"_type":"https://in-toto.io/Statement/v1","subject":[
        {"name":"a","digest":{"sha256":")" +
          kDigest +
          R"("},"annotations":{"actual_hash_algorithm":"file-sha256"}},
        {"name":"./b","digest":{"sha256":")" +
          kDigest + R"("}}],
        "predicateType":"https://model_signing/Digests/v0.1",
        "predicate":{"unused":"x"}})",
      "test");
  const ModelStatement statement = read(old);
  CHECK(statement.problems.empty());
  CHECK(statement.is_old);
  CHECK(statement.root_sha256.empty());
  REQUIRE(statement.resources.size() == 2);
  CHECK(statement.resources[1].path == "b");
}

TEST_CASE("Every strict rule of a statement is a problem", "[formats]") {
  Json statement = honest();
  statement["_type"] = "https://in-toto.io/Statement/v0.1";
  CHECK(broken(statement) == "statement-type");
  statement = honest();
  statement["predicateType"] = "https://slsa.dev/provenance/v1";
  CHECK(broken(statement) == "statement-predicate");
  statement = honest();
  statement["subject"].push_back(statement["subject"][0]);
  CHECK(broken(statement) == "statement-subject");
  statement["subject"] = "m";
  CHECK(broken(statement) == "statement-subject");
  statement = honest();
  statement["subject"][0]["digest"]["sha256"] = "ab";
  CHECK(broken(statement) == "statement-digest");
  statement = honest();
  statement["predicate"]["resources"][0]["digest"] = std::string(64, 'x');
  CHECK(broken(statement) == "statement-digest");
  statement = honest();
  statement["predicate"]["serialization"]["method"] = "tensors";
  CHECK(broken(statement) == "statement-method");
  statement = honest();
  statement["predicate"].erase("serialization");
  CHECK(broken(statement) == "statement-serialization");
  statement = honest();
  statement["predicate"]["resources"] = 7;
  CHECK(broken(statement) == "statement-resources");
  statement = honest();
  statement["predicate"]["serialization"]["ignore_paths"] = Json::array({1});
  CHECK(broken(statement) == "statement-ignore");
  statement["predicate"]["serialization"]["ignore_paths"] =
      std::vector<std::string>(kMaxIgnoredPaths + 1, "a");
  CHECK(broken(statement) == "statement-too-large");
  CHECK(read_model_statement("no JSON").problems.at(0).rule ==
        "statement-not-json");
}

TEST_CASE("A name listed twice with two digests is no statement", "[formats]") {
  Json statement = honest();
  Json& resources = statement["predicate"]["resources"];
  resources.push_back(resources[0]);
  CHECK(broken(statement).empty());
  CHECK(read(statement).problems.size() == 1);
  resources[1]["digest"] = std::string(64, 'b');
  CHECK(broken(statement) == "statement-twice");
}

TEST_CASE("Paths are plain as PurePosixPath makes them", "[formats]") {
  CHECK(plain_signed_path("a/b") == "a/b");
  CHECK(plain_signed_path("./a//b/./c/") == "a/b/c");
  CHECK(plain_signed_path(".") == ".");
  CHECK(plain_signed_path("") == ".");
  CHECK(plain_signed_path("../x") == "../x");
  CHECK(plain_signed_path("/x/y") == "/x/y");
}

}  // namespace
}  // namespace impound::test
