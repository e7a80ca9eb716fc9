// SPDX-License-Identifier: Apache-2.0
/// Keras models, as config.json of a .keras file and as HDF5.

#include "core/base/json.hpp"
#include "core/formats/hdf5/keras.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/hdf5_writer.hpp"
#include "tests/support/pickle_writer.hpp"
#include "tests/support/protobuf_writer.hpp"
#include "tests/support/scan_bytes.hpp"

using namespace impound;
using namespace impound::test;

namespace {

Json layer(std::string_view class_name, Json config,
           std::string_view module = "keras.layers") {
  return {{"module", module},
          {"class_name", class_name},
          {"config", std::move(config)},
          {"registered_name", nullptr}};
}

Json model(Json layers) {
  return {{"module", "keras"},
          {"class_name", "Sequential"},
          {"config", {{"name", "sequential"}, {"layers", std::move(layers)}}},
          {"registered_name", nullptr},
          {"build_config", {{"input_shape", {nullptr, 28, 28, 1}}}}};
}

Json honest() {
  return model(Json::array(
      {layer("InputLayer", {{"dtype", "float32"}, {"name", "input"}}),
       layer("Conv2D",
             {{"name", "conv1/conv"},
              {"activation", "relu"},
              {"kernel_initializer", layer("GlorotUniform", {{"seed", nullptr}},
                                           "keras.initializers")}}),
       layer("Activation", {{"activation",
                             {{"module", "builtins"},
                              {"class_name", "function"},
                              {"config", "gelu"},
                              {"registered_name", "function"}}}}),
       layer("StringLookup", {{"vocabulary", {"a", "b"}}}),
       layer("TFOpLambda", {{"function", "math.multiply"}})}));
}

FileReport scan_keras(const Json& config) {
  return scan_bytes(
      make_zip({{.name = "metadata.json",
                 .content = R"({"keras_version": "3.3.3"})"},
                {.name = "config.json", .content = dump_line(config)}}),
      "m.keras");
}

Json with(Json bad) { return model(Json::array({std::move(bad)})); }

}  // namespace

TEST_CASE("an ordinary Keras model is no finding") {
  CHECK(scan_keras(honest()).findings.empty());
  CHECK(scan_bytes(dump_pretty(honest()), "config.json").findings.empty());
  Hdf5Writer writer;
  writer.is_variable = true;
  writer.attributes = {{"model_config", dump_line(honest())}};
  const FileReport report = scan_bytes(writer.build(), "m.h5");
  CHECK(report.format == "hdf5");
  CHECK(report.findings.empty());
}

TEST_CASE("what a Keras configuration may not construct") {
  const auto check = [](const Json& bad, std::string_view rule,
                        Severity severity) {
    INFO(rule << ": " << dump_line(bad));
    const FileReport report = scan_keras(with(bad));
    REQUIRE(has(report, rule));
    CHECK(find(report, rule)->severity == severity);
    CHECK(find(report, rule)->member.starts_with("config.json!config.layers["));
  };
  check(layer("Lambda", {{"function",
                          {{"class_name", "__lambda__"},
                           {"config", {{"code", "4wAAb3Muc3lzdGVt"}}}}}}),
        "keras-lambda", Severity::critical);
  check(
      layer("Lambda", {{"function", Json::array({"4wAA", nullptr, nullptr})}}),
      "keras-lambda", Severity::critical);
  check(layer("Lambda", {{"function", "my_function"}}), "keras-lambda",
        Severity::high);
  check(layer("system", "id", "os"), "keras-module", Severity::critical);
  check(layer("function", "eval", "builtins"), "keras-module",
        Severity::critical);
  check(layer("Mine", {{"units", 3}}, "my_project.layers"), "keras-module",
        Severity::high);
  check({{"class_name", "function"},
         {"fn_module", "subprocess"},
         {"config", "run"}},
        "keras-module", Severity::critical);
  check(layer("function", "get_file", "keras.utils"), "keras-gadget",
        Severity::critical);
  check(layer("TFOpLambda", {{"function", "io.write_file"}}), "keras-gadget",
        Severity::critical);
  check(layer("function", "enable_unsafe_deserialization", "keras.config"),
        "keras-unsafe-deserialization", Severity::critical);
  check(layer("TorchModuleWrapper", {{"module", "gASV"}}), "keras-torch-module",
        Severity::critical);
  check(layer("TFSMLayer", {{"filepath", "/tmp/x"}}), "keras-foreign-model",
        Severity::high);
  check(layer("StringLookup", {{"vocabulary", "/etc/passwd"}}),
        "keras-vocabulary-file", Severity::high);
  check(layer("TextVectorization", {{"vocabulary", "vocab.txt"}}),
        "keras-vocabulary-file", Severity::medium);
  check(layer("Dense", {{"name", "../../x"}}), "keras-path", Severity::high);
  Json custom = layer("Mine", Json::object(), "keras.layers");
  custom["registered_name"] = "pack>Mine";
  check(custom, "keras-custom-object", Severity::medium);
}

TEST_CASE("a Keras configuration is found under escapes and any depth") {
  Json deep = layer("Lambda", {{"function", "f"}});
  for (int i = 0; i < 6; ++i) {
    deep = layer("TimeDistributed", {{"layer", deep}});
  }
  CHECK(has(scan_keras(with(deep)), "keras-lambda"));
  CHECK(has(scan_bytes(R"({"class\u005fname": "Lambda", "config": {}})",
                       "anything.json"),
            "keras-lambda"));
}

TEST_CASE("Keras in HDF5, read or at least searched") {
  const std::string bad =
      dump_line(with(layer("Lambda", {{"function", Json::array({"4wAA"})}})));
  Hdf5Writer writer;
  SECTION("read") {
    writer.attributes = {{"model_config", bad}};
    const FileReport report = scan_bytes(writer.build());
    REQUIRE(has(report, "keras-lambda"));
    CHECK(find(report, "keras-lambda")->member.starts_with("model_config."));
    CHECK(report.verdict == Verdict::malicious);
    CHECK(report.read_to_end);
  }
  SECTION("searched") {
    writer.has_lost_attributes = true;
    const FileReport report = scan_bytes(writer.build() + bad);
    REQUIRE(has(report, "keras-heuristic"));
    CHECK(find(report, "keras-heuristic")->message.starts_with("heuristic"));
    CHECK_FALSE(report.read_to_end);
  }
  SECTION("a link into another file") {
    writer.external_links = {{"x", "/etc/passwd"}};
    CHECK(has(scan_bytes(writer.build()), "hdf5-external"));
  }
  SECTION("no JSON") {
    writer.attributes = {{"model_config", "{\"class_name\": \"Lambda\", "}};
    const FileReport report = scan_bytes(writer.build());
    CHECK(has(report, "keras-heuristic"));
    CHECK(has(report, "file-unread"));
  }
}

TEST_CASE("the metadata of Keras beside a SavedModel") {
  const auto object = [](std::string_view path, const Json& metadata) {
    return ProtoWriter()
        .number(2, 3)
        .text(3, path)
        .text(4, "_tf_keras_layer")
        .text(5, dump_line(metadata))
        .message(6, ProtoWriter().number(1, 2));
  };
  const std::string honest_file =
      ProtoWriter().message(1, object("root", honest())).bytes();
  const FileReport clean = scan_bytes(honest_file, "keras_metadata.pb");
  CHECK(clean.format == "keras-metadata");
  CHECK(clean.findings.empty());

  const Json lambda = layer("Lambda", {{"function", Json::array({"4wAA"})}});
  const std::string bad_file =
      honest_file +
      ProtoWriter().message(1, object("root.layer-1", lambda)).bytes();
  const FileReport bad = scan_bytes(bad_file);
  REQUIRE(has(bad, "keras-lambda"));
  CHECK(find(bad, "keras-lambda")->member.starts_with("root.layer-1"));
  CHECK(bad.verdict == Verdict::malicious);

  CHECK(has(scan_bytes(honest_file + "\x0a\x7f"), "keras-metadata"));
  CHECK_FALSE(scan_bytes(honest_file + "\x0a\x7f").read_to_end);
}
