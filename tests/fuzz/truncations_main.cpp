// SPDX-License-Identifier: Apache-2.0
/// A file of every format that is read, cut off at every byte (or, of a larger
/// one, at a few hundred places): none may pass as whole. Prints a line for
/// each format: cuts made, cuts that passed, cuts that leave a whole file and
/// why.
///
///   truncations

#include <zlib.h>

#include <cstdio>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "tests/support/hdf5_writer.hpp"
#include "tests/support/pickle_writer.hpp"
#include "tests/support/protobuf_writer.hpp"
#include "tests/support/safetensors_builder.hpp"
#include "tests/support/scan_bytes.hpp"
#include "tests/unit/formats/gguf_builder.hpp"

namespace {

using namespace impound;
using namespace impound::test;
using namespace std::string_literals;

struct Sample {
  std::string format;
  std::string name;
  std::string bytes;
  /// Whether what is left after a cut is a whole file of its own, and why.
  std::function<bool(std::size_t)> is_whole = [](std::size_t) { return false; };
  std::string why;
};

std::string deflated(const std::string& content, int window) {
  z_stream stream{};
  if (deflateInit2(&stream, 6, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY) !=
      Z_OK) {
    return {};
  }
  std::string out(content.size() + 200, '\0');
  std::string in = content;
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  static_cast<void>(deflate(&stream, Z_FINISH));
  out.resize(stream.total_out);
  static_cast<void>(deflateEnd(&stream));
  return out;
}

std::string npy(const std::string& header, const std::string& body) {
  std::string padded = header;
  while ((10 + padded.size() + 1) % 64 != 0) padded += ' ';
  padded += '\n';
  return "\x93NUMPY\x01"s + '\0' + little(padded.size(), 2) + padded + body;
}

/// An object of one tensor, as torch.save writes it.
std::string torch_object() {
  return PickleWriter(2)
      .raw("}")
      .text("w")
      .global("torch._utils", "_rebuild_tensor_v2")
      .raw("((")
      .text("storage")
      .global("torch", "FloatStorage")
      .text("0")
      .text("cpu")
      .raw("K\x04tQK")
      .raw("\0K\x04\x85K\x01\x85\x89"s)
      .global("collections", "OrderedDict")
      .raw(")RtRs")
      .stop();
}

std::string torch_zip() {
  return make_zip({{.name = "archive/data.pkl", .content = torch_object()},
                   {.name = "archive/byteorder", .content = "little"},
                   {.name = "archive/data/0", .content = std::string(16, 'w')},
                   {.name = "archive/version", .content = "3\n"}});
}

std::string torch_legacy() {
  return "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."s +
         PickleWriter(2).raw("M\xe9\x03").stop() +
         PickleWriter(2).raw("}").stop() + torch_object() +
         PickleWriter(2).raw("]").text("0").raw("a").stop() + little(4, 8) +
         std::string(16, 'w');
}

std::string ended_tar(const std::vector<TarEntry>& entries) {
  std::string tar = make_tar(entries);
  // Two blocks of zeros, whether make_tar writes them or not.
  return tar + std::string(1024, '\0');
}

std::string torch_tar() {
  const std::string one = PickleWriter(2).raw("K\x01").stop();
  return ended_tar({{"storages", one +
                                     PickleWriter(2)
                                         .text("0")
                                         .text("cpu")
                                         .global("torch", "FloatStorage")
                                         .raw("\x87")
                                         .stop() +
                                     little(2, 8) + std::string(8, 'w') +
                                     PickleWriter(2).raw("]").stop()},
                    {"tensors", one + PickleWriter(2).raw("}").stop() +
                                    little(1, 4) + little(0, 4) + little(2, 8) +
                                    little(1, 8) + little(0, 8)},
                    {"pickle", PickleWriter(2).raw("}").stop()}});
}

std::string onnx() {
  ProtoWriter graph;
  graph.message(1, onnx_node("n", "Add"))
      .message(5, onnx_tensor("w", 4, std::string(16, 'w')));
  return onnx_model(graph);
}

ProtoWriter tf_graph() {
  return ProtoWriter()
      .message(1, ProtoWriter().text(1, "c").text(2, "Const"))
      .message(1, ProtoWriter().text(1, "i").text(2, "Identity").text(3, "c"));
}

std::string saved_model() {
  return ProtoWriter()
      .number(1, 1)
      .message(2, ProtoWriter().message(2, tf_graph()))
      .bytes();
}

std::string hdf5(bool is_new, bool is_variable) {
  Hdf5Writer writer;
  writer.is_new = is_new;
  writer.is_variable = is_variable;
  writer.attributes = {
      {"model_config", R"({"class_name":"Sequential","config":{}})"}};
  return writer.build();
}

/// Up to the last byte that is no white space all of a text is needed.
std::function<bool(std::size_t)> from_last_of(const std::string& text) {
  const std::size_t end = text.find_last_not_of(" \n") + 1;
  return [end](std::size_t cut) { return cut >= end; };
}

std::vector<Sample> samples() {
  std::vector<Sample> all;
  const auto add = [&](std::string format, std::string name,
                       std::string bytes) -> Sample& {
    Sample& sample = all.emplace_back();
    sample.format = std::move(format);
    sample.name = std::move(name);
    sample.bytes = std::move(bytes);
    return sample;
  };
  add("pickle 0", "x.pkl", "(dp0\nVa\np1\nI1\nsVb\np2\n(lp3\nF1.5\nas.");
  add("pickle 2", "x.pkl",
      PickleWriter(2).raw("}").text("key").raw("K\x01s").stop());
  add("pickle 4", "x.pkl",
      "\x80\x04\x95"s + little(10, 8) + "}\x8c\x03key\x94K\x01s.");
  add("torch-zip", "pytorch_model.bin", torch_zip());
  add("torch-legacy", "model.pt", torch_legacy());
  Sample& tar = add("torch-tar", "old.pth", torch_tar());
  const std::size_t tar_end = tar.bytes.find_last_not_of('\0') / 512 * 512;
  tar.is_whole = [tar_end](std::size_t cut) { return cut >= tar_end + 1024; };
  tar.why = "one block of zeros ends a tar; the rest is padding";
  Sample& plain = add("tar", "x.tar", ended_tar({{"a.txt", "some text"}}));
  plain.is_whole = [](std::size_t cut) { return cut >= 1024 + 512; };
  plain.why = "one block of zeros ends a tar; the rest is padding";
  add("zip", "x.zip", make_zip({{.name = "a.txt", .content = "some text"}}));
  add("numpy", "x.npy",
      npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }",
          std::string(16, 'x')));
  add("numpy objects", "x.npy",
      npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
          PickleWriter(2).raw("]").text("object").raw("a").stop()));
  PickleWriter entries(2);
  entries.raw("}");
  for (int i = 0; i < 20; ++i) {
    entries.text("key" + std::to_string(i)).raw("K\x01s");
  }
  const std::string packed = entries.stop();
  add("gzip", "x.pkl.gz", deflated(packed, 15 + 16));
  add("zlib", "x.joblib", deflated(packed, 15));
  add("safetensors", "model.safetensors",
      SafetensorsBuilder()
          .metadata("format", "pt")
          .tensor("a.weight", Dtype::bf16, {4, 2}, std::string(16, 'a'))
          .tensor("b.bias", Dtype::f32, {2}, std::string(8, 'b'))
          .build());
  Sample& gguf = add("gguf", "model.gguf", honest_gguf().build());
  const std::size_t numbers = gguf.bytes.find_last_not_of('\0') + 1;
  gguf.is_whole = [numbers](std::size_t cut) { return cut >= numbers; };
  gguf.why = "padding behind the last tensor, which readers do not need";
  add("onnx", "model.onnx", onnx());
  Sample& saved = add("SavedModel", "saved_model.pb", saved_model());
  saved.is_whole = [](std::size_t cut) { return cut == 2; };
  saved.why = "the version stands alone: a message of one whole field";
  Sample& frozen = add("GraphDef", "frozen.pb", tf_graph().bytes());
  const std::size_t first =
      ProtoWriter()
          .message(1, ProtoWriter().text(1, "c").text(2, "Const"))
          .bytes()
          .size();
  frozen.is_whole = [first](std::size_t cut) { return cut == first; };
  frozen.why = "a graph of the nodes before the cut: nodes are not counted";
  Sample& metadata =
      add("keras-metadata", "keras_metadata.pb",
          ProtoWriter()
              .message(1, ProtoWriter()
                              .text(3, "root")
                              .text(4, "_tf_keras_sequential")
                              .text(5, R"({"class_name":"Sequential"})"))
              .bytes());
  static_cast<void>(metadata);
  for (const bool is_new : {false, true}) {
    for (const bool is_variable : {false, true}) {
      add("hdf5 "s + (is_new ? "2" : "0") + (is_variable ? " heap" : ""),
          "model.h5", hdf5(is_new, is_variable));
    }
  }
  const auto text = [&](const char* format, const char* name,
                        const std::string& content) {
    Sample& sample = add(format, name, content);
    sample.is_whole = from_last_of(content);
    sample.why = "the last bytes are white space";
  };
  text("hf-config", "config.json", "{\"model_type\": \"llama\", \"a\": [1]}\n");
  text("tokenizer", "tokenizer.json",
       R"({"added_tokens":[],"normalizer":null,"model":{"vocab":{"a":0}}})");
  text("template-json", "chat_template.json",
       R"({"chat_template":"{{ messages[0]['content'] }}"})");
  text("keras-config", "config.json",
       R"({"class_name":"Sequential","config":{"layers":[]}})");
  text("index", "model.safetensors.index.json",
       "{\"metadata\":{},\"weight_map\":{\"a\":\"b.safetensors\"}}\n");
  text("modules", "modules.json",
       "[{\"idx\": 0, \"type\": "
       "\"sentence_transformers.models.Transformer\"}]\n");
  return all;
}

/// Every place of a small file, a few hundred of a large one.
std::set<std::size_t> cuts_of(std::size_t size) {
  constexpr std::size_t kMost = 400;
  std::set<std::size_t> cuts;
  const std::size_t step = size <= 4096 ? 1 : size / kMost;
  for (std::size_t cut = 0; cut < size; cut += step) cuts.insert(cut);
  for (std::size_t last = 1; last <= 32 && last <= size; ++last) {
    cuts.insert(size - last);
  }
  return cuts;
}

bool passes(const std::string& name, const std::string& bytes) {
  const FileReport report = scan_bytes(bytes, name);
  return report.read_to_end && report.verdict < Verdict::needs_review;
}

}  // namespace

int main() {
  bool has_failed = false;
  std::printf("%-16s %-30s %6s %6s %6s\n", "format", "name", "cuts", "passed",
              "whole");
  for (const Sample& sample : samples()) {
    if (!passes(sample.name, sample.bytes)) {
      has_failed = true;
      const FileReport report = scan_bytes(sample.bytes, sample.name);
      std::printf("%s: the whole file does not pass\n", sample.format.c_str());
      for (const ScanFinding& finding : report.findings) {
        std::printf("  %s %s\n", finding.rule.c_str(), finding.message.c_str());
      }
    }
    std::size_t cuts = 0;
    std::size_t passed = 0;
    std::size_t whole = 0;
    std::string places;
    for (const std::size_t cut : cuts_of(sample.bytes.size())) {
      if (sample.is_whole(cut)) {
        ++whole;
        continue;
      }
      ++cuts;
      if (!passes(sample.name, sample.bytes.substr(0, cut))) continue;
      ++passed;
      if (passed <= 8) places += " " + std::to_string(cut);
    }
    std::printf("%-16s %-30s %6zu %6zu %6zu%s%s\n", sample.format.c_str(),
                sample.name.c_str(), cuts, passed, whole,
                whole == 0 ? "" : "  ", whole == 0 ? "" : sample.why.c_str());
    if (passed != 0) {
      has_failed = true;
      std::printf("  passed as whole when cut at%s, of %zu bytes\n",
                  places.c_str(), sample.bytes.size());
    }
  }
  return has_failed ? 1 : 0;
}
