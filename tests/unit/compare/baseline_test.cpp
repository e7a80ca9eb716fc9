// SPDX-License-Identifier: Apache-2.0
#include "core/view/baseline.hpp"

#include "core/base/error.hpp"
#include "core/compare/model_diff.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/memory_tree.hpp"
#include "tests/support/safetensors_builder.hpp"

namespace impound::test {
namespace {

MemoryTree model() {
  return MemoryTree(MemoryTree::Files{
      {"config.json", "{}"},
      {"model.safetensors", SafetensorsBuilder()
                                .metadata("format", "pt")
                                .tensor("w", Dtype::bf16, {2, 2}, "aabbccdd")
                                .tensor("e", Dtype::f32, {0}, "")
                                .build()},
      {"odd\n\xffname", "x"}});
}

Json describe(const Tree& tree, unsigned threads = 2) {
  SilentProgress progress;
  const Cancellation cancellation;
  BaselineOptions options;
  options.name = "support-llm";
  options.made_at = 1'795'392'000'000'000'000;
  options.tool = "impound test";
  options.view.threads = threads;
  return make_baseline(tree, options, progress, cancellation);
}

TEST_CASE("a baseline says every file and tensor with its digest",
          "[compare][baseline]") {
  const MemoryTree tree = model();
  const Json json = describe(tree);
  CHECK(json["name"] == "support-llm");
  REQUIRE(json["files"].size() == 3);
  CHECK(json["files"][0]["path"] == "config.json");
  CHECK(json["files"][0]["sha256"] == sha256(std::string_view("{}")).hex());
  REQUIRE(json["tensors"].size() == 2);
  CHECK(json["tensors"][1]["name"] == "w");
  CHECK(json["tensors"][1]["dtype"] == "BF16");
  CHECK(json["tensors"][1]["sha256"] ==
        sha256(std::string_view("aabbccdd")).hex());
  CHECK(json["tensors"][0]["sha256"] == sha256(std::string_view("")).hex());
}

TEST_CASE("a baseline is the same for any number of threads [I9]",
          "[compare][baseline]") {
  SafetensorsBuilder builder;
  const std::string bytes(3'000'000, 'w');
  for (int i = 0; i < 6; ++i) {
    builder.tensor("t" + std::to_string(i), Dtype::u8, {bytes.size()}, bytes);
  }
  const MemoryTree tree(MemoryTree::Files{{"big.safetensors", builder.build()},
                                          {"small.txt", "x"}});
  const Json one = describe(tree, 1);
  CHECK(one == describe(tree, 2));
  CHECK(one == describe(tree, 5));
  CHECK(one["tensors"][3]["sha256"] == sha256(std::string_view(bytes)).hex());
}

TEST_CASE("a signed baseline reads back, byte-exact", "[compare][baseline]") {
  const MemoryTree tree = model();
  const SigningKey key = SigningKey::generate();
  const std::string text = sign_baseline(describe(tree), key);
  CHECK(looks_like_baseline(text.substr(0, 200)));
  const Baseline baseline = parse_baseline(text, "b.json");
  CHECK(baseline.signature == BaselineSignature::valid);
  CHECK(baseline.key_fingerprint == key.public_key().fingerprint().hex());
  CHECK(baseline.name == "support-llm");
  CHECK(baseline.sha256 == sha256(text));
  CHECK(baseline.view.files.size() == 3);
  CHECK(baseline.view.find_file("odd\n\xffname") != nullptr);

  SECTION("and matches the tree it was made from") {
    SilentProgress progress;
    const Cancellation cancellation;
    const ModelDiff diff =
        check_against(baseline, tree, {}, progress, cancellation);
    CHECK(diff.identical());
  }
  SECTION("stock tools find the signed bytes on the first line") {
    const std::string line = text.substr(0, text.find('\n'));
    CHECK(parse_json(line.substr(12), "line") == baseline.document);
  }
}

TEST_CASE("a baseline that was changed does not verify",
          "[compare][baseline][hostile]") {
  const MemoryTree tree = model();
  const SigningKey key = SigningKey::generate();
  const std::string text = sign_baseline(describe(tree), key);
  const auto state = [](const std::string& document) {
    return parse_baseline(document, "b.json").signature;
  };
  SECTION("one digest digit") {
    std::string tampered = text;
    const std::size_t at = tampered.find("\"sha256\":\"") + 10;
    tampered[at] = tampered[at] == '0' ? '1' : '0';
    CHECK(state(tampered) == BaselineSignature::invalid);
  }
  SECTION("white space alone") {
    CHECK(state(dump_pretty(parse_json(text, "x"))) ==
          BaselineSignature::invalid);
  }
  SECTION("another baseline smuggled in behind the signed one") {
    const std::string other =
        dump_line(describe(MemoryTree(MemoryTree::Files{{"evil.bin", "x"}})));
    std::string tampered = text;
    tampered.insert(tampered.rfind('}'), ",\"baseline\":" + other);
    CHECK(state(tampered) == BaselineSignature::invalid);
  }
  SECTION("signature of another key") {
    Json json = parse_json(text, "x");
    const std::string other =
        sign_baseline(describe(tree), SigningKey::generate());
    json["signature"]["public_key"] =
        parse_json(other, "x")["signature"]["public_key"];
    const std::string line = text.substr(0, text.find('\n'));
    CHECK(state(line + "\n,\"signature\":" + dump_line(json["signature"]) +
                "}\n") == BaselineSignature::invalid);
  }
  SECTION("signature taken away") {
    CHECK(state(write_baseline(describe(tree))) == BaselineSignature::absent);
  }
}

TEST_CASE("documents that are no baseline are refused with a reason",
          "[compare][baseline][hostile]") {
  const auto code = [](const std::string& text) {
    try {
      static_cast<void>(parse_baseline(text, "b.json"));
    } catch (const Error& error) {
      return error.code();
    }
    return Errc::io;
  };
  CHECK(code("") == Errc::malformed);
  CHECK(code("{}") == Errc::malformed);
  CHECK(code(R"({"baseline":{"format":"other"}})") == Errc::malformed);
  CHECK(code(R"({"baseline":{"format":"impound-baseline","version":2}})") ==
        Errc::unsupported);
  Json json = describe(model());
  json["files"][0]["sha256"] = "abc";
  CHECK(code(write_baseline(json)) == Errc::malformed);
  json = describe(model());
  json["tensors"][0]["shape"] = {-1};
  CHECK(code(write_baseline(json)) == Errc::malformed);
}

TEST_CASE("a baseline is not made over a hole", "[compare][baseline]") {
  MemoryTree tree = model();
  tree.break_file("config.json");
  CHECK_THROWS_AS(describe(tree), Error);
}

TEST_CASE("a view stops when it is told to", "[compare]") {
  const MemoryTree tree = model();
  SilentProgress progress;
  Cancellation cancellation;
  cancellation.request();
  CHECK_THROWS_AS(view_tree(tree, {}, progress, cancellation), Error);
}

}  // namespace
}  // namespace impound::test
