// SPDX-License-Identifier: Apache-2.0
// rooms: base
/// Writes seeds for the fuzz target "zip": small files of the kinds it reads.

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/pickle_writer.hpp"

using namespace impound::test;
using namespace std::string_literals;

void write_zip_seeds(const std::filesystem::path& folder) {
  const auto put = [&folder](const char* name, const std::string& content) {
    std::ofstream(folder / name, std::ios::binary) << content;
  };
  const std::string call = PickleWriter(2).call("os", "system", "id").stop();
  put("two", make_zip({{.name = "a/data.pkl", .content = call},
                       {.name = "a/version", .content = "3\n"}}));
  put("hidden", make_zip({{.name = "a", .content = call, .is_listed = false},
                          {.name = "b", .content = "x"}}));
  put("prefix", make_zip({{.name = "a", .content = call, .flags = 1}}, "MZ"));
  put("tar", make_tar({{"a", call}, {"b/c", "text"}}));
}
