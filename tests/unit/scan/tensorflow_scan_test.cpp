// SPDX-License-Identifier: Apache-2.0
/// TensorFlow graphs, binary and as text.

#include "core/formats/tensorflow/savedmodel.hpp"
#include "core/scan/tensorflow_ops.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/protobuf_writer.hpp"
#include "tests/support/scan_bytes.hpp"

using namespace impound;
using namespace impound::test;

namespace {

ProtoWriter attribute(std::string_view key, const ProtoWriter& value) {
  return ProtoWriter().text(1, key).message(2, value);
}

ProtoWriter node(std::string_view name, std::string_view op,
                 const std::vector<std::string>& inputs = {}) {
  ProtoWriter out;
  out.text(1, name).text(2, op);
  for (const std::string& input : inputs) out.text(3, input);
  return out;
}

ProtoWriter constant(std::string_view name, std::string_view text) {
  return node(name, "Const")
      .message(5, attribute("value",
                            ProtoWriter().message(
                                8, ProtoWriter().number(1, 7).text(8, text))));
}

struct Model {
  ProtoWriter graph;
  ProtoWriter function_nodes;
  std::string asset = "vocab.txt";

  [[nodiscard]] std::string build() const {
    ProtoWriter whole = graph;
    ProtoWriter function;
    function.message(1, ProtoWriter().text(1, "__inference_f"));
    function.raw(function_nodes.bytes());
    whole.message(2, ProtoWriter().message(1, function));
    ProtoWriter meta;
    meta.message(1, ProtoWriter().text(4, "serve"))
        .message(2, whole)
        .message(5, ProtoWriter().text(1, "__saved_model_init_op"))
        .message(6, ProtoWriter().text(2, asset));
    return ProtoWriter().number(1, 1).message(2, meta).bytes();
  }
};

/// What tf.saved_model.save writes: variables, a saver, a table of an asset.
Model honest() {
  Model model;
  for (const ProtoWriter& each :
       {node("w", "VarHandleOp"), node("saver_filename", "Placeholder"),
        constant("part", "_temp/part"),
        node("join", "StringJoin", {"saver_filename", "part"}),
        constant("names", "layer/kernel/.ATTRIBUTES/VARIABLE_VALUE"),
        node("save", "SaveV2", {"join", "names", "names"}),
        constant("asset", "vocab.txt"),
        node("table", "InitializeTableFromTextFileV2", {"h", "asset"}),
        node("check", "Assert"), node("call", "StatefulPartitionedCall")}) {
    model.graph.message(1, each);
  }
  for (const ProtoWriter& each :
       {node("mul", "MatMul", {"x", "w:output:0"}),
        node("image", "DecodeJpeg", {"bytes"}),
        node("say", "PrintV2", {"x"})
            .message(5, attribute("output_stream",
                                  ProtoWriter().text(2, "stderr")))}) {
    model.function_nodes.message(3, each);
  }
  return model;
}

bool is_clean(const FileReport& report) {
  return report.verdict == Verdict::no_code && report.read_to_end;
}

void check_function(const std::vector<ProtoWriter>& nodes,
                    std::string_view rule, Severity severity,
                    std::string_view evidence) {
  INFO(rule);
  Model model = honest();
  for (const ProtoWriter& each : nodes) model.function_nodes.message(3, each);
  const FileReport report = scan_bytes(model.build(), "saved_model.pb");
  REQUIRE(has(report, rule));
  const ScanFinding* finding = find(report, rule);
  CHECK(finding->severity == severity);
  CHECK(finding->evidence.find(evidence) != std::string::npos);
  CHECK(finding->message.find("function __inference_f") != std::string::npos);
}

}  // namespace

TEST_CASE("an ordinary SavedModel passes") {
  const FileReport report = scan_bytes(honest().build(), "saved_model.pb");
  CHECK(report.format == "tensorflow");
  CHECK(is_clean(report));
  CHECK(report.findings.size() == 1);
  CHECK(has(report, "savedmodel-init-op"));
}

TEST_CASE("a SavedModel with the functions that TensorFlow adds passes") {
  // As tf.saved_model.save writes __inference__traced_save and _restore: the
  // prefix is an argument, and only its ending is a constant.
  Model model = honest();
  const auto pattern = [](std::string_view text) {
    return attribute("pattern", ProtoWriter().text(2, text));
  };
  for (const ProtoWriter& each :
       {node("StaticRegexFullMatch", "StaticRegexFullMatch", {"file_prefix"})
            .message(5, pattern("^s3://.*")),
        constant("Const", ".part"),
        constant("Const_1", "_temp/part"),
        node("Select", "Select",
             {"StaticRegexFullMatch:output:0", "Const:output:0",
              "Const_1:output:0"}),
        node("StringJoin", "StringJoin", {"file_prefix", "Select:output:0"}),
        node("num_shards", "Const"),
        node("ShardedFilename/shard", "Const"),
        node("ShardedFilename", "ShardedFilename",
             {"StringJoin:output:0", "ShardedFilename/shard:output:0",
              "num_shards:output:0"}),
        constant("names",
                 "layer_with_weights-0/kernel/.ATTRIBUTES/"
                 "VARIABLE_VALUE"),
        node("Read/DisableCopyOnRead", "DisableCopyOnRead", {"w"}),
        node("Read/ReadVariableOp", "ReadVariableOp", {"w"}),
        node(
            "SaveV2", "SaveV2",
            {"ShardedFilename:filename:0", "names:output:0", "names:output:0"}),
        node("prefixes", "Pack", {"ShardedFilename:filename:0", "^SaveV2"}),
        node("MergeV2Checkpoints", "MergeV2Checkpoints",
             {"prefixes:output:0", "file_prefix"}),
        node("RestoreV2", "RestoreV2",
             {"file_prefix", "names:output:0", "names:output:0"}),
        node("AssignVariableOp", "AssignVariableOp",
             {"assignvariableop_kernel", "Identity:output:0"}),
        node("NoOp", "NoOp", {"^AssignVariableOp"}),
        node("cond", "StatelessIf"),
        node("loop", "While"),
        node("call", "__inference_f"),
        node("gelu", "Erf"),
        node("attention", "Einsum"),
        node("norm", "FusedBatchNormV3"),
        node("lstm", "TensorListFromTensor"),
        node("ids", "LookupTableFindV2"),
        node("parse", "ParseExampleV2"),
        node("jpeg", "DecodeJpeg"),
        node("split", "StringSplitV2"),
        node("drop", "RandomUniform")}) {
    model.function_nodes.message(3, each);
  }
  const FileReport report = scan_bytes(model.build(), "saved_model.pb");
  for (const ScanFinding& finding : report.findings) {
    INFO(finding.rule << " " << finding.message);
    CHECK(finding.severity == Severity::info);
  }
  CHECK(is_clean(report));
}

TEST_CASE("an operator on no list needs a review") {
  Model model = honest();
  model.function_nodes.message(3, node("x", "QuietlyDoSomething"));
  const FileReport report = scan_bytes(model.build(), "saved_model.pb");
  REQUIRE(has(report, "savedmodel-unknown-operator"));
  CHECK(find(report, "savedmodel-unknown-operator")->evidence ==
        "QuietlyDoSomething (1 times)");
  CHECK(report.verdict == Verdict::needs_review);
}

TEST_CASE("no operator only computes and reaches out as well") {
  std::size_t count = 0;
  const Json lists = tensorflow_ops_to_json();
  for (const auto& [category, ops] : lists.items()) {
    for (const Json& op : ops) {
      INFO(op);
      CHECK(only_computes(op.get<std::string>()));
      CHECK(tf_reach(op.get<std::string>()) == TfReach::none);
      ++count;
    }
  }
  CHECK(count > 1000);
}

TEST_CASE("operators that leave the model, inside a function") {
  check_function(
      {constant("p", "/etc/passwd"), node("same", "Identity", {"p:output:0"}),
       node("r", "ReadFile", {"same:output:0"})},
      "savedmodel-file-read", Severity::high, "ReadFile('/etc/passwd')");
  check_function(
      {constant("p", "/root/.ssh/authorized_keys"),
       constant("c", "ssh-ed25519 AAAA"), node("w", "WriteFile", {"p", "c"})},
      "savedmodel-file-write", Severity::critical, "'ssh-ed25519 AAAA'");
  check_function({constant("p", "/tmp/x"), constant("n", "a"),
                  node("s", "SaveV2", {"p", "n"})},
                 "savedmodel-checkpoint-path", Severity::high, "'/tmp/x'");
  check_function({constant("a", "../"), constant("b", "x"),
                  node("j", "StringJoin", {"a", "b"}),
                  node("s", "MergeV2Checkpoints", {"j", "j"})},
                 "savedmodel-checkpoint-path", Severity::high, "'../'");
  check_function(
      {node("p", "EagerPyFunc")
           .message(5, attribute("token", ProtoWriter().text(2, "pyfunc_0")))},
      "savedmodel-python", Severity::high, "pyfunc_0");
  check_function(
      {node("p", "PrintV2", {"x"})
           .message(5, attribute("output_stream",
                                 ProtoWriter().text(2, "file:///tmp/x")))},
      "savedmodel-print-file", Severity::high, "file:///tmp/x");
  check_function(
      {node("d", "DebugIdentityV2", {"x"})
           .message(5,
                    attribute("debug_urls",
                              ProtoWriter().message(
                                  1, ProtoWriter().text(2, "grpc://evil:1"))))},
      "savedmodel-debug-address", Severity::high, "grpc://evil:1");
  check_function({node("c", "Evil>Run")}, "savedmodel-custom-operator",
                 Severity::medium, "Evil>Run");
  check_function({constant("p", "C:\\x"),
                  node("t", "InitializeTableFromTextFileV2", {"h", "p"})},
                 "savedmodel-table-path", Severity::high, "C:");
}

TEST_CASE("assets that leave the folder") {
  Model model = honest();
  model.asset = GENERATE("../../etc/passwd", "/etc/passwd");
  CHECK(has(scan_bytes(model.build()), "savedmodel-asset-path"));
}

TEST_CASE("a frozen graph is a graph too") {
  Model model = honest();
  model.graph.message(1, constant("p", "/x"))
      .message(1, node("r", "ReadFile", {"p"}));
  const FileReport report = scan_bytes(model.graph.bytes(), "frozen.pb");
  CHECK(report.format == "tensorflow");
  CHECK(has(report, "savedmodel-file-read"));
}

TEST_CASE("SavedModels as text") {
  const std::string honest_text = R"(# made by hand
saved_model_schema_version: 1
meta_graphs {
  meta_info_def { tags: "serve" stripped_default_attrs: true }
  graph_def {
    node { name: "x" op: "Placeholder"
           attr { key: "shape" value { shape { dim { size: -1 } } } } }
    library { function { signature { name: "f" }
      node_def { name: "m" op: "MatMul" input: "x" input: 'w' } } }
    versions { producer: 1645 }
  }
  asset_file_def < filename: "a.txt" >
}
)";
  CHECK(is_clean(scan_bytes(honest_text, "saved_model.pbtxt")));

  SECTION("with an operator that reads, its path in escapes and pieces") {
    std::string bad = honest_text;
    bad.insert(bad.find("node_def"), R"(
      node_def { name: "p" op: "Const" attr { key: "value" value { tensor {
        dtype: DT_STRING string_val: "\057etc" "/pass\x77d" } } } }
      node_def { name: "r" op: "Read" 'File' input: ["p:output:0"] }
)");
    const FileReport report = scan_bytes(bad, "saved_model.pbtxt");
    REQUIRE(has(report, "savedmodel-file-read"));
    CHECK(find(report, "savedmodel-file-read")->evidence ==
          "ReadFile('/etc/passwd')");
  }
  SECTION("cut anywhere") {
    for (std::size_t size = honest_text.find("graph_def");
         size < honest_text.rfind('}'); size += 3) {
      INFO(size);
      CHECK_FALSE(is_clean(scan_bytes(honest_text.substr(0, size))));
    }
  }
  SECTION("nested without end") {
    std::string deep = "meta_graphs ";
    for (int i = 0; i < 100'000; ++i) deep += "{ a ";
    const FileReport report = scan_bytes(deep);
    CHECK(has(report, "savedmodel-malformed"));
    CHECK_FALSE(report.read_to_end);
  }
}

TEST_CASE("binary graphs that are cut or damaged") {
  const std::string whole = honest().build();
  for (std::size_t size = 1; size < whole.size(); ++size) {
    static_cast<void>(scan_bytes(whole.substr(0, size)));
  }
  for (std::size_t i = 0; i < whole.size(); i += 3) {
    std::string damaged = whole;
    damaged[i] = '\xff';
    static_cast<void>(scan_bytes(damaged));
  }
  const FileReport cut = scan_bytes(honest().graph.bytes() + "\x0a\x7f");
  CHECK(has(cut, "savedmodel-malformed"));
  CHECK_FALSE(cut.read_to_end);
}

TEST_CASE("other files are no TensorFlow") {
  for (const char* text :
       {"", "\n\nimport os\n", "version: 1\nnode: a\n", "{\"node\": 1}",
        "node_modules/\n", "\x08\x01\x12\x07pytorch"}) {
    const SpanSource source(as_bytes(text));
    CHECK(recognise_tensorflow_file(source) == TfKind::none);
  }
}
