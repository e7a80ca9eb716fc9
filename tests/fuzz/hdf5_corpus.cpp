// rooms: formats
// SPDX-License-Identifier: Apache-2.0
/// hdf5_corpus FOLDER: writes seeds for the HDF5 fuzzer, in every layout.

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/hdf5_writer.hpp"

void write_hdf5_seeds(const std::filesystem::path& folder) {
  for (const bool is_new : {false, true}) {
    for (const bool is_variable : {false, true}) {
      impound::test::Hdf5Writer writer;
      writer.is_new = is_new;
      writer.is_variable = is_variable;
      writer.attributes = {
          {"model_config",
           R"({"class_name":"Lambda","config":{"function":["YQ=="]}})"}};
      writer.dimensions = {16, 4};
      writer.external_links = {{"x", "/etc/passwd"}};
      writer.dense_attributes = {{"model_config", "{}"}, {"other", "text"}};
      const std::string name = std::string(is_new ? "new" : "old") +
                               (is_variable ? "-variable" : "-fixed");
      std::ofstream(folder / name, std::ios::binary) << writer.build();
    }
  }
}
