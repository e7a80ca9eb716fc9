// SPDX-License-Identifier: Apache-2.0
#include "core/trust/mbom.hpp"

#include <algorithm>

#include "core/base/error.hpp"
#include "core/crypto/named_digest.hpp"
#include "core/trust/mbom_identity.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/memory_tree.hpp"
#include "tests/support/safetensors_builder.hpp"

namespace impound::test {
namespace {

MemoryTree billed_model(const std::string& config =
                            R"({"model_type":"gptj",)"
                            R"("architectures":["GPTJForCausalLM"]})") {
  return MemoryTree(MemoryTree::Files{
      {"config.json", config},
      {"model.safetensors", SafetensorsBuilder()
                                .tensor("w", Dtype::bf16, {2, 2}, "aabbccdd")
                                .build()},
      {"tokenizer_config.json", R"({"chat_template":"a\nb"})"}});
}

ModelView view_of_tree(const Tree& tree) {
  SilentProgress progress;
  const Cancellation cancellation;
  return view_tree(tree, {.threads = 1, .folder = {}}, progress, cancellation);
}

std::string bill_of(const ModelView& view) {
  return write_mbom(view, read_model_facts(view),
                    {.name = "gpt-j",
                     .author = "Ada",
                     .organisation = "Example",
                     .made_at = 1'795'392'000'000'000'000,
                     .tool_version = "1"});
}

MbomReport check(const std::string& text, const ModelView& view) {
  return check_mbom(text, "bill.json", view, read_model_facts(view));
}

/// The claims of a kind and state, as "at: stated".
std::vector<std::string> claims(const MbomReport& report, std::string_view kind,
                                ClaimState state) {
  std::vector<std::string> list;
  for (const MbomClaim& claim : report.claims) {
    if (claim.kind == kind && claim.state == state) {
      list.push_back(claim.at + ": " + claim.stated);
    }
  }
  return list;
}

TEST_CASE("a bill of material holds for the model it was made of",
          "[compare][mbom]") {
  const MemoryTree tree = billed_model();
  const ModelView view = view_of_tree(tree);
  const std::string text = bill_of(view);
  CHECK(text == bill_of(view));
  const MbomReport report = check(text, view);
  CHECK(report.count(ClaimState::fails) == 0);
  CHECK(claims(report, "hash", ClaimState::holds).size() == 4);
  CHECK(claims(report, "architecture", ClaimState::holds).size() == 2);
  CHECK(claims(report, "chat-template", ClaimState::holds) ==
        std::vector<std::string>{"/metadata/component/properties/5: " +
                                 sha256(std::string_view("a\nb")).hex() +
                                 "  tokenizer_config.json"});
  CHECK(claims(report, "completeness", ClaimState::holds).size() == 1);
}

TEST_CASE("a bill of material fails where the bytes differ",
          "[compare][mbom]") {
  const MemoryTree good = billed_model();
  const std::string text = bill_of(view_of_tree(good));

  SECTION("in a file") {
    const MemoryTree bad = billed_model(R"({"model_type":"llama"})");
    const MbomReport report = check(text, view_of_tree(bad));
    CHECK(claims(report, "hash", ClaimState::fails).size() == 2);
    CHECK(claims(report, "architecture", ClaimState::fails) ==
          std::vector<std::string>{
              "/metadata/component/modelCard/modelParameters/"
              "architectureFamily: gptj"});
  }
  SECTION("in a file that is not listed") {
    MemoryTree::Files files{{"backdoor.py", "x"}};
    for (const TreeFile& file : good.files()) {
      const auto source = good.open(file);
      const Bytes bytes = source->head(0, source->size());
      files.emplace(file.name, std::string(as_text(bytes)));
    }
    const MemoryTree more(files);
    const MbomReport report = check(text, view_of_tree(more));
    const auto failed = claims(report, "completeness", ClaimState::fails);
    REQUIRE(failed.size() == 1);
    CHECK(std::any_of(report.claims.begin(), report.claims.end(),
                      [](const MbomClaim& claim) {
                        return claim.found == "not listed: backdoor.py";
                      }));
  }
  SECTION("in a file that is gone") {
    const MemoryTree less(MemoryTree::Files{{"config.json", "{}"}});
    const MbomReport report = check(text, view_of_tree(less));
    CHECK(claims(report, "file", ClaimState::fails).size() == 2);
  }
}

TEST_CASE("statements that bytes cannot show are listed, none passed over",
          "[compare][mbom]") {
  const MemoryTree tree = billed_model();
  const MbomReport report = check(
      R"({"bomFormat":"CycloneDX","specVersion":"1.5","metadata":{"component":{
        "type":"machine-learning-model","name":"m","licenses":[{"license":{"id":"MIT"}}],
        "hashes":[{"alg":"BLAKE3","content":"00"},{"alg":"SHA-1","content":"ab"}],
        "modelCard":{"modelParameters":{"task":"chat"},"considerations":{"users":["x"]}},
        "properties":[{"name":"other","value":"y"}]}},
        "components":[{"type":"library","name":"torch","version":"2.1",
          "hashes":[{"alg":"SHA-256","content":"ff"}]}],
        "signature":{"algorithm":"ES256"},"vulnerabilities":[]})",
      view_of_tree(tree));
  std::vector<std::string> at;
  for (const MbomClaim& claim : report.claims) {
    if (claim.state == ClaimState::unchecked) at.push_back(claim.at);
  }
  CHECK(at == std::vector<std::string>{
                  "/metadata/component/licenses",
                  "/metadata/component/hashes/0",
                  "/metadata/component/modelCard/modelParameters/task",
                  "/metadata/component/modelCard/considerations",
                  "/metadata/component/properties/0", "/components/0/version",
                  "/components/0/hashes/0", "/signature", "/vulnerabilities"});
  CHECK(claims(report, "hash", ClaimState::fails) ==
        std::vector<std::string>{"/metadata/component/hashes/1: ab"});
}

TEST_CASE("a look-alike organisation fails", "[compare][mbom]") {
  const MemoryTree tree = billed_model();
  ModelView view = view_of_tree(tree);
  view.locator = "/c/models--EleuterAI--gpt-j-6B/snapshots/0123abcd";
  view.revision = "0123abcd";
  const MbomReport report = check(
      R"({"bomFormat":"CycloneDX","specVersion":"1.6","metadata":{"component":{
        "type":"machine-learning-model","name":"gpt-j-6B","group":"EleutherAI",
        "version":"0123abcd",
        "purl":"pkg:huggingface/EleutherAI/gpt-j-6B@0123abcd"}}})",
      view);
  CHECK(claims(report, "repository", ClaimState::fails) ==
        std::vector<std::string>{
            "/metadata/component/group: EleutherAI/gpt-j-6B",
            "/metadata/component/purl: EleutherAI/gpt-j-6B"});
  CHECK(claims(report, "revision", ClaimState::holds).size() == 2);
}

TEST_CASE("digests by their CycloneDX names", "[compare][mbom]") {
  const SpanSource source(as_bytes("abc"));
  // FIPS 180-4, FIPS 202 and RFC 7693 examples.
  CHECK(named_digest("SHA-1", source) ==
        "a9993e364706816aba3e25717850c26c9cd0d89d");
  CHECK(named_digest("SHA3-256", source) ==
        "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532");
  CHECK(named_digest("BLAKE2b-512", source)->substr(0, 16) ==
        "ba80a53f981c4d0d");
  CHECK_FALSE(named_digest("BLAKE3", source));
}

TEST_CASE("package URLs of Hugging Face", "[compare][mbom]") {
  const auto purl = parse_huggingface_purl("pkg:huggingface/a%2Eb/c@12?x=y");
  REQUIRE(purl);
  CHECK(purl->repository == "a.b/c");
  CHECK(purl->revision == "12");
  CHECK(parse_huggingface_purl("pkg:huggingface/a%2")->repository == "a%2");
  CHECK_FALSE(parse_huggingface_purl("pkg:pypi/torch@2"));
  CHECK(is_model_spec("1.5"));
  CHECK(is_model_spec("1.10"));
  CHECK_FALSE(is_model_spec("1.4"));
  CHECK_FALSE(is_model_spec("2.0"));
  CHECK_FALSE(is_model_spec("1."));
}

TEST_CASE("what is no CycloneDX JSON is refused with its name",
          "[compare][mbom][hostile]") {
  const MemoryTree tree = billed_model();
  const ModelView view = view_of_tree(tree);
  for (const char* text :
       {"", "<bom/>", "{}", "[]", R"({"bomFormat":"CycloneDX"})",
        R"({"bomFormat":"CycloneDX","specVersion":"1.4"})",
        R"({"bomFormat":"CycloneDX","specVersion":15})"}) {
    INFO(text);
    CHECK_THROWS_WITH(check(text, view), Catch::StartsWith("bill.json"));
  }
}

TEST_CASE("odd shapes inside are statements, not crashes",
          "[compare][mbom][hostile]") {
  const MemoryTree tree = billed_model();
  const MbomReport report = check(
      R"({"bomFormat":"CycloneDX","specVersion":"1.6","metadata":{"component":
        {"hashes":{},"properties":7,"modelCard":[],"components":[null,
        {"type":"file","name":7,"hashes":[1]}]}},
        "components":{"a":1},"compositions":[3,{"aggregate":"complete"}]})",
      view_of_tree(tree));
  CHECK(report.count(ClaimState::holds) == 0);
  CHECK(report.count(ClaimState::fails) == 2);  // unnamed file; completeness
}

}  // namespace
}  // namespace impound::test
