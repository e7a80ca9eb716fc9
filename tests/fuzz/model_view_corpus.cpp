// SPDX-License-Identifier: Apache-2.0
// rooms: base formats
/// Writes seeds for the fuzz target "model_view": one small file of each
/// format.

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/hdf5_writer.hpp"
#include "tests/support/pickle_writer.hpp"
#include "tests/support/protobuf_writer.hpp"
#include "tests/support/safetensors_builder.hpp"
#include "tests/unit/formats/gguf_builder.hpp"

using namespace impound;
using namespace impound::test;
using namespace std::string_literals;

void write_model_view_seeds(const std::filesystem::path& folder) {
  const auto put = [&folder](const char* name, const std::string& content) {
    std::ofstream(folder / name, std::ios::binary) << content;
  };
  put("safetensors", SafetensorsBuilder()
                         .metadata("format", "pt")
                         .tensor("w", Dtype::f32, {2, 2}, std::string(16, 'w'))
                         .tensor("b", Dtype::bf16, {3}, std::string(6, 'b'))
                         .build());
  put("gguf", honest_gguf().build());
  GgufBuilder big = honest_gguf();
  big.big = true;
  put("gguf-big", big.build());
  const std::string object =
      PickleWriter(2)
          .raw("}")
          .text("w")
          .global("torch._utils", "_rebuild_tensor_v2")
          .raw("((")
          .text("storage")
          .global("torch", "FloatStorage")
          .text("0")
          .text("cpu")
          .raw("K\x06tQK\0K\x03K\x02\x86K\x01K\x03\x86\x89"s)
          .global("collections", "OrderedDict")
          .raw(")RtRs")
          .stop();
  put("torch",
      make_zip({{.name = "archive/data.pkl", .content = object},
                {.name = "archive/byteorder", .content = "big"},
                {.name = "archive/data/0", .content = std::string(24, 'w')}}));
  put("legacy", "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."s +
                    PickleWriter(2).raw("M\xe9\x03").stop() +
                    PickleWriter(2).raw("}").stop() + object +
                    PickleWriter(2).raw("]").text("0").raw("a").stop() +
                    little(6, 8) + std::string(24, 'w'));
  const std::string one = PickleWriter(2).raw("K\x01").stop();
  const auto triple = [](char key, char second) {
    return PickleWriter(2)
        .raw("K"s + key + "K" + second)
        .global("torch", "FloatStorage")
        .raw("\x87")
        .stop();
  };
  put("tar",
      make_tar({{"storages", one + triple(1, 0) + little(6, 8) +
                                 std::string(24, 'w') +
                                 PickleWriter(2).raw("]").stop()},
                {"tensors", one + triple(2, 1) + little(1, 4) + little(0, 4) +
                                little(3, 8) + little(2, 8) + little(0, 8)},
                {"pickle",
                 PickleWriter(2).raw("}").text("w").raw("K\x02Qs").stop()}}));
  std::string header =
      "{'descr': '>f4', 'fortran_order': True, 'shape': (2, 3), }";
  header.resize(117, ' ');
  header += '\n';
  const std::string array = "\x93NUMPY\x01\0"s + little(header.size(), 2) +
                            header + std::string(24, 'a');
  put("npy", array);
  put("npz", make_zip({{.name = "w.npy", .content = array}}));
  put("pickle", PickleWriter(2)
                    .raw("}")
                    .text("w")
                    .global("numpy.core.multiarray", "_reconstruct")
                    .global("numpy", "ndarray")
                    .raw("K\0\x85"s + "C\x01" + "b\x87R(K\x01K\x03\x85")
                    .global("numpy", "dtype")
                    .text("f8")
                    .raw("\x89\x88\x87R(K\x03")
                    .text(">")
                    .raw("NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb\x89"s)
                    .raw("C\x18" + std::string(24, 'a') + "tbs")
                    .stop());
  put("joblib", PickleWriter(4)
                    .raw("}")
                    .text("w")
                    .global("joblib.numpy_pickle", "NumpyArrayWrapper")
                    .raw(")\x81}(")
                    .text("shape")
                    .raw("K\x02K\x03\x86")
                    .text("order")
                    .text("F")
                    .text("dtype")
                    .global("numpy", "dtype")
                    .text("f4")
                    .raw("\x89\x88\x87R")
                    .raw("ub" + std::string(24, 'a') + "s")
                    .stop());
  Hdf5Writer hdf5;
  hdf5.dimensions = {4, 3};
  put("hdf5", hdf5.build());
  put("keras",
      make_zip({{.name = "config.json", .content = "{}"},
                {.name = "model.weights.h5", .content = hdf5.build()}}));
  put("onnx",
      onnx_model(
          ProtoWriter()
              .message(5, onnx_tensor("w", 4, std::string(16, 'w')))
              .message(5, onnx_external("e", 16, "d.bin"))
              .message(
                  5, ProtoWriter().number(1, 2).number(2, 7).text(8, "v").text(
                         7, "\x05\xff\x01"))));
}
