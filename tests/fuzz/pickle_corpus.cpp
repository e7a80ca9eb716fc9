// SPDX-License-Identifier: Apache-2.0
// rooms: base
/// Writes seeds for the fuzz target "pickle": small files of the kinds it
/// reads.

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/pickle_writer.hpp"

using namespace impound::test;
using namespace std::string_literals;

void write_pickle_seeds(const std::filesystem::path& folder) {
  const auto put = [&folder](const char* name, const std::string& content) {
    std::ofstream(folder / name, std::ios::binary) << content;
  };
  const std::string call = PickleWriter(2).call("os", "system", "id").stop();
  put("call", call);
  put("text", "(dp0\nS'a'\np1\nI1\nsV\\u006fs\np2\n0(ios\nsystem\nS'id'\no.");
  put("frame", "\x80\x04\x95" + little(call.size() - 2, 8) + call.substr(2));
  put("stack-global", PickleWriter(4)
                          .stack_global("a.b", "C")
                          .raw(")\x81}\x94"
                               "b")
                          .stop());
  put("nested",
      PickleWriter(4).bytes(call).text("gAJjb3MKc3lzdGVtCg==").stop());
  put("stream", call + "garbage" + call);
  put("numbers",
      "\x80\x02(I01\nL12L\nF1.5\nK\x01M\x01\x02J\x01\x02\x03\x04"
      "\x8a\x02\x01\x80G\x3f\xf0" +
          std::string(6, '\0') + "t.");
  put("joblib", PickleWriter(2)
                    .global("joblib.numpy_pickle", "NumpyArrayWrapper")
                    .raw(")\x81}(")
                    .text("shape")
                    .raw("K\x04\x85")
                    .text("dtype")
                    .global("numpy", "dtype")
                    .text("u1")
                    .raw("\x85Rub1234")
                    .stop());
}
