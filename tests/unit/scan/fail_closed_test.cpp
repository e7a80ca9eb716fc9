// SPDX-License-Identifier: Apache-2.0
/// What is not recognised is not clean: loaders read what a name, a place or a
/// magic promises, however it is spelled and wherever it begins.

#include <map>
#include <string>

#include "tests/support/catch.hpp"
#include "tests/support/hdf5_writer.hpp"
#include "tests/support/pickle_writer.hpp"
#include "tests/support/protobuf_writer.hpp"
#include "tests/support/scan_bytes.hpp"

using namespace impound;
using namespace impound::test;
using namespace std::string_literals;

namespace {

const std::string kCall = "cos\nsystem\n(S'id'\ntR.";

std::string blanks(std::size_t count) { return std::string(count, ' '); }

}  // namespace

TEST_CASE("a call behind any spelling of a number is malicious") {
  const std::string number = GENERATE(
      as<std::string>{}, "I0x10\n0", "I1_0\n0", "I\v7\n0", "L0b1L\n0",
      "F+1.5\n0", "F1_0.5\n0", "NI1\n0p+5\n0", "Np 5\n0g5\n0", "Np5_0\n0");
  INFO(number);
  CHECK(scan_bytes(number + kCall, "x").verdict == Verdict::malicious);
  CHECK(scan_bytes("I5\0\n0"s + kCall, "x").verdict == Verdict::malicious);
  const std::string zip =
      make_zip({{.name = "archive/data.pkl", .content = number + kCall}});
  CHECK(scan_bytes(zip, "x").verdict == Verdict::malicious);
}

TEST_CASE("a call beyond the head is malicious") {
  std::string items;
  for (int i = 0; i < 30000; ++i) items += "I1\n";
  const std::string far = "(" + items + "1" + kCall;
  CHECK(scan_bytes(far, "x").verdict == Verdict::malicious);
  const std::string line = "V" + std::string(300000, 'v') + "\n0" + kCall;
  CHECK(scan_bytes(line, "x").verdict == Verdict::malicious);
  const std::string zip =
      make_zip({{.name = "archive/data.pkl", .content = far}});
  CHECK(scan_bytes(zip, "x").verdict == Verdict::malicious);
}

TEST_CASE("a call that a frame hides from one of the loaders is malicious") {
  const std::string call = "cos\nsystem\nVid\n\x85R(";
  const std::string bytes = "\x80\x05(\x95"s + little(2, 8) +
                            "B\x07\x01\0\0\0\0"s + call +
                            std::string(261 - call.size(), 'N') + "1N.";
  const FileReport report = scan_bytes(bytes, "x");
  CHECK(report.verdict == Verdict::malicious);
  CHECK(has(report, "pickle-frame"));
}

TEST_CASE("a number that one unpickler refuses is reviewed") {
  const FileReport report = scan_bytes("F1_0.5\n.", "x.pkl");
  CHECK(report.verdict == Verdict::needs_review);
  CHECK(has(report, "pickle-loaders-differ"));
}

TEST_CASE("what a name promises and nobody can read is reviewed") {
  const std::string name = GENERATE(
      as<std::string>{}, "model.safetensors", "model.gguf", "model.onnx",
      "pytorch_model.bin", "model.pt", "model.pth", "last.ckpt", "x.pkl",
      "X.PKL", "x.pickle", "x.joblib", "model.h5", "model.keras", "x.npy",
      "x.npz", "saved_model.pb", "data.pkl", "config.json", "tokenizer.json",
      "modules.json", "model.safetensors.index.json", "tokenizer_config.json");
  INFO(name);
  const std::string content =
      GENERATE(as<std::string>{}, "", "\xff\xfe garbage of no format \x01",
               "a page of HTML");
  INFO(content);
  const FileReport report = scan_bytes(content, name);
  CHECK(report.verdict == Verdict::needs_review);
  CHECK_FALSE(report.read_to_end);
  CHECK(scan_files({{name, content}}).exit_code() == 1);
}

TEST_CASE("what is called nothing in particular may be anything") {
  for (const char* name : {"README.md", "merges.txt", "x", "a.json", "b.dat"}) {
    const FileReport report = scan_bytes("\xff\xfe garbage \x01", name);
    CHECK(report.verdict == Verdict::no_code);
    CHECK(report.read_to_end);
  }
}

TEST_CASE("data.pkl of a zip is promised to be a pickle") {
  const FileReport report = scan_bytes(
      make_zip({{.name = "archive/data.pkl", .content = "\xff no pickle"}}),
      "x");
  CHECK(report.verdict == Verdict::needs_review);
  CHECK(has(report, "file-not-as-named"));
  CHECK_FALSE(report.read_to_end);
}

TEST_CASE("numbers beside the file that describes them are no checkpoint") {
  const std::string numbers = "\xff\xfe\x01\x02 raw numbers";
  const auto verdict_of_bin = [&](std::map<std::string, std::string> files) {
    const ScanReport report = scan_files(std::move(files));
    for (const FileReport& each : report.files) {
      if (each.path.ends_with(".bin")) return each.verdict;
    }
    return Verdict::malicious;
  };
  CHECK(verdict_of_bin({{"m/openvino_model.bin", numbers},
                        {"m/openvino_model.xml", "<net/>"}}) ==
        Verdict::no_code);
  CHECK(verdict_of_bin({{"m/group1-shard1of1.bin", numbers},
                        {"m/model.json", "{}"}}) == Verdict::no_code);
  CHECK(verdict_of_bin({{"m/pytorch_model.bin", numbers},
                        {"m/model.json", "{}"}}) == Verdict::needs_review);
}

TEST_CASE("what an ONNX model or a cache index names is no checkpoint") {
  const std::string numbers = "\xff\xfe\x01\x02 raw numbers";
  const auto verdict_of = [&](std::map<std::string, std::string> files,
                              std::string_view name) {
    const ScanReport report = scan_files(std::move(files));
    for (const FileReport& each : report.files) {
      if (each.path == name) return each.verdict;
    }
    return Verdict::malicious;
  };
  const std::string index =
      R"({"records":[{"dataPath":"params_shard_0.bin"}]})";
  CHECK(verdict_of({{"m/params_shard_0.bin", numbers},
                    {"m/ndarray-cache.json", index}},
                   "m/params_shard_0.bin") == Verdict::no_code);
  CHECK(verdict_of({{"m/params_shard_1.bin", numbers},
                    {"m/ndarray-cache.json", index}},
                   "m/params_shard_1.bin") == Verdict::needs_review);
  CHECK(verdict_of({{"m/params_shard_0.bin", numbers},
                    {"other/ndarray-cache.json", index}},
                   "m/params_shard_0.bin") == Verdict::needs_review);
  ProtoWriter graph;
  graph.message(1, onnx_node("n", "Add", ""))
      .message(
          5,
          ProtoWriter()
              .number(2, 1)
              .text(8, "w")
              .message(13,
                       ProtoWriter().text(1, "location").text(2, "weights.bin"))
              .number(14, 1));
  CHECK(verdict_of(
            {{"m/weights.bin", numbers}, {"m/model.onnx", onnx_model(graph)}},
            "m/weights.bin") == Verdict::no_code);
  CHECK(verdict_of(
            {{"m/other.bin", numbers}, {"m/model.onnx", onnx_model(graph)}},
            "m/other.bin") == Verdict::needs_review);
}

TEST_CASE("what torch looks up is a checkpoint, whatever lies beside it") {
  const std::string numbers = "\xff\xfe\x01\x02 raw numbers";
  for (const std::string name :
       {"pytorch_model.bin", "pytorch_model-00001-of-00002.bin",
        "adapter_model.bin", "diffusion_pytorch_model.fp16.bin",
        "training_args.bin", "optimizer.bin"}) {
    INFO(name);
    const std::string stem = name.substr(0, name.size() - 4);
    const ScanReport report = scan_files(
        {{name, numbers},
         {stem + ".xml", "<net/>"},
         {"ndarray-cache.json", R"({"dataPath":")" + name + R"("})"}});
    for (const FileReport& each : report.files) {
      if (each.path == name) CHECK(each.verdict == Verdict::needs_review);
    }
  }
  // And what an index of a checkpoint names.
  const ScanReport report =
      scan_files({{"part.bin", numbers},
                  {"part.xml", "<net/>"},
                  {"x.bin.index.json", R"({"weight_map":{"w":"part.bin"}})"}});
  CHECK(report.files.at(0).path == "part.bin");
  CHECK(report.files.at(0).verdict == Verdict::needs_review);
}

TEST_CASE(
    "numbers in an archive are described by what lies beside them there") {
  const std::string numbers = "\xff\xfe\x01\x02 raw numbers";
  CHECK(scan_bytes(make_zip({{.name = "m/model.xml", .content = "<net/>"},
                             {.name = "m/model.bin", .content = numbers}}),
                   "x")
            .verdict == Verdict::no_code);
  CHECK(scan_bytes(make_zip({{.name = "o/model.xml", .content = "<net/>"},
                             {.name = "m/model.bin", .content = numbers}}),
                   "x")
            .verdict == Verdict::needs_review);
  CHECK(scan_bytes(make_tar({{.name = "m/model.xml", .content = "<net/>"},
                             {.name = "m/model.bin", .content = numbers}}),
                   "x")
            .verdict == Verdict::no_code);
}

TEST_CASE("a promised file that its reader gives up is a finding") {
  // Begins as what it is called, and cannot be read to its end.
  for (const auto& [name, content] : std::map<std::string, std::string>{
           {"x.gz", "\x1f\x8b\x08\0\0\0\0\0\0\x03 no deflate \xff"s},
           {"x.7z", "7z\xbc\xaf\x27\x1c\0\x04 and nothing more"s},
           {"config.json", "{\"auto_map\": [[[[ "}}) {
    INFO(name);
    const ScanReport report = scan_files({{name, content}});
    CHECK(report.files.at(0).verdict == Verdict::needs_review);
    CHECK_FALSE(report.files.at(0).read_to_end);
    CHECK(report.exit_code() == 1);
  }
  // Of a name that promises nothing, nothing is known: 3.
  const ScanReport report =
      scan_files({{"x", "7z\xbc\xaf\x27\x1c\0\x04 and nothing more"s}});
  CHECK_FALSE(report.files.at(0).read_to_end);
  CHECK(report.exit_code() == 3);
}

TEST_CASE("bytes that a format does not account for are not read to the end") {
  const std::string junk = "\xff\xfe junk \x01";
  Hdf5Writer hdf5;
  hdf5.attributes = {{"a", "b"}};
  const std::string zip =
      make_zip({{.name = "a.txt", .content = "text of a member"}});
  const std::string header = R"({"a":{"dtype":"U8","shape":[1],)"
                             R"("data_offsets":[0,1]}})";
  const std::map<std::string, std::string> wholes = {
      {"x.h5", hdf5.build()},
      {"x.zip", zip},
      {"x.pkl", "\x80\x02]."},
      {"x.safetensors", little(header.size(), 8) + header + "\x07"},
      {"x.tar", make_tar({{.name = "a.txt", .content = "text"}})}};
  for (const auto& [name, whole] : wholes) {
    INFO(name);
    CHECK(scan_bytes(whole, name).read_to_end);
    CHECK(scan_bytes(whole, name).verdict < Verdict::needs_review);
    const FileReport longer = scan_bytes(whole + junk, name);
    CHECK_FALSE(longer.read_to_end);
    CHECK(longer.verdict == Verdict::needs_review);
  }
}

TEST_CASE("blanks before a JSON text hide nothing of it") {
  const std::string pad = blanks(70000);
  CHECK(has(scan_bytes(pad + R"({"auto_map":{"AutoModel":"m.Model"}})",
                       "config.json"),
            "hf-auto-map"));
  CHECK(has(scan_bytes(pad + R"({"auto_map":{"AutoModel":"m.Model"}})", "x"),
            "hf-auto-map"));
  CHECK(has(scan_bytes("{" + pad + R"("a\u0075to_map":{"AutoModel":"m.M"}})",
                       "other.json"),
            "hf-auto-map"));
  const std::string keras =
      R"({"class_name":"Lambda","config":{"function":["YQ=="]}})";
  CHECK(scan_bytes(keras, "x").verdict >= Verdict::needs_review);
  CHECK(scan_bytes(pad + keras, "x").verdict >= Verdict::needs_review);
  CHECK(scan_bytes("{" + pad + keras.substr(1), "x").verdict >=
        Verdict::needs_review);
  const std::string chat = R"({"chat_template":"{{ cycler.__init__ }}"})";
  CHECK(scan_bytes(pad + chat, "tokenizer_config.json").verdict >=
        Verdict::needs_review);
}

TEST_CASE("a byte order mark before a JSON text hides nothing of it") {
  for (const char* name : {"config.json", "x"}) {
    CHECK(has(
        scan_bytes("\xef\xbb\xbf"s + R"( {"auto_map":{"AutoModel":"m.Model"}})",
                   name),
        "hf-auto-map"));
  }
}

TEST_CASE("a field that protobuf skips hides no graph") {
  // A number, bytes, and a group, of fields that no format of ours has.
  const std::string unknown =
      GENERATE(as<std::string>{}, "\xf8\x3f\x01", "\xfa\x3f\x01x",
               "\xfb\x3f\x08\x01\xfc\x3f", "\xfd\x3f\x01\x02\x03\x04");
  ProtoWriter graph;
  graph.message(1, onnx_node("n", "Run", "com.other"));
  const FileReport onnx = scan_bytes(unknown + onnx_model(graph), "x");
  CHECK(onnx.format == "onnx");
  CHECK(has(onnx, "onnx-custom-domain"));
  ProtoWriter tf;
  tf.raw(unknown).message(
      1, ProtoWriter().raw(unknown).text(1, "r").text(2, "ReadFile"));
  const std::string saved =
      unknown + ProtoWriter()
                    .number(1, 1)
                    .message(2, ProtoWriter().raw(unknown).message(2, tf))
                    .bytes();
  CHECK(has(scan_bytes(saved, "x"), "savedmodel-file-read"));
  CHECK(has(scan_bytes(tf.bytes(), "x"), "savedmodel-file-read"));
}

TEST_CASE("an HDF5 file that is shorter than it declares is not whole") {
  Hdf5Writer writer;
  writer.is_new = GENERATE(false, true);
  writer.attributes = {{"model_config", R"({"class_name":"Sequential"})"}};
  const std::string whole = writer.build();
  CHECK(scan_bytes(whole, "x.h5").read_to_end);
  const FileReport cut = scan_bytes(whole.substr(0, whole.size() - 1), "x.h5");
  CHECK_FALSE(cut.read_to_end);
  CHECK(cut.verdict == Verdict::needs_review);
  CHECK(has(cut, "hdf5-truncated"));
}

TEST_CASE("a protobuf that is no graph keeps the promise of its name") {
  CHECK(scan_bytes(ProtoWriter().number(1, 7).number(5, 9).bytes(),
                   "fingerprint.pb")
            .verdict == Verdict::no_code);
}

TEST_CASE("what Python's json takes beyond JSON is no damage") {
  for (const char* name : {"config.json", "trainer_state.json"}) {
    for (const char* text :
         {R"({"time_step_limit": [0.0, Infinity]})", R"({"loss": NaN})",
          R"({"a": -Infinity, "b": "NaN and \"Infinity\""})",
          R"({"half": "\ud800 of a pair"})", R"({"pair": "\ud83d\ude00"})"}) {
      INFO(name << ": " << text);
      const FileReport report = scan_bytes(text, name);
      CHECK(report.verdict == Verdict::no_code);
      CHECK(report.read_to_end);
    }
  }
  // And it hides nothing.
  CHECK(has(scan_bytes(R"({"a": NaN, "auto_map": {"AutoModel": "m.Model"}})",
                       "config.json"),
            "hf-auto-map"));
  CHECK(scan_bytes(R"({"a": Nan})", "config.json").verdict ==
        Verdict::needs_review);
}
