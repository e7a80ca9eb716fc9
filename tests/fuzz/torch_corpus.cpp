// SPDX-License-Identifier: Apache-2.0
// rooms: base
/// Writes seeds for the fuzz target "torch": small files of the kinds it reads.

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/pickle_writer.hpp"

using namespace impound::test;
using namespace std::string_literals;

void write_torch_seeds(const std::filesystem::path& folder) {
  const auto put = [&folder](const char* name, const std::string& content) {
    std::ofstream(folder / name, std::ios::binary) << content;
  };
  const std::string call = PickleWriter(2).call("os", "system", "id").stop();
  const std::string object = PickleWriter(2)
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
  put("zip",
      make_zip({{.name = "archive/data.pkl", .content = object},
                {.name = "archive/byteorder", .content = "little"},
                {.name = "archive/data/0", .content = std::string(16, 'w')},
                {.name = "archive/version", .content = "3\n"}}));
  const std::string magic =
      "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."s;
  const std::string empty = PickleWriter(2).raw("}").stop();
  put("legacy", magic + PickleWriter(2).raw("M\xe9\x03").stop() + empty +
                    object +
                    PickleWriter(2).raw("]").text("0").raw("a").stop() +
                    little(4, 8) + std::string(16, 'w'));
  const std::string one = PickleWriter(2).raw("K\x01").stop();
  put("tar",
      make_tar({{"storages", one +
                                 PickleWriter(2)
                                     .text("0")
                                     .text("cpu")
                                     .global("torch", "FloatStorage")
                                     .raw("\x87")
                                     .stop() +
                                 little(2, 8) + std::string(8, 'w') +
                                 PickleWriter(2).raw("]").stop()},
                {"tensors", one + empty + little(1, 4) + little(0, 4) +
                                little(2, 8) + little(1, 8) + little(0, 8)},
                {"pickle", call}}));
}
