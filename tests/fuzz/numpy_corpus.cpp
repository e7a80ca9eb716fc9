// SPDX-License-Identifier: Apache-2.0
// rooms: base
/// Writes seeds for the fuzz target "numpy": small files of the kinds it reads.

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/pickle_writer.hpp"

using namespace impound::test;
using namespace std::string_literals;

void write_numpy_seeds(const std::filesystem::path& folder) {
  const auto put = [&folder](const char* name, const std::string& content) {
    std::ofstream(folder / name, std::ios::binary) << content;
  };
  const std::string call = PickleWriter(2).call("os", "system", "id").stop();
  const auto npy = [&put](const char* name, const std::string& header,
                          const std::string& body) {
    put(name, "\x93NUMPY\x01" + std::string(1, '\0') +
                  little(header.size(), 2) + header + body);
  };
  npy("plain", "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }\n",
      std::string(16, 'x'));
  npy("objects", "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n",
      call);
  npy("fields",
      "{'descr': [('a', '<f8'), ('b', '<i4', (2, 2))], 'fortran_order': True, "
      "'shape': (3,), }\n",
      std::string(72, 'x'));
}
