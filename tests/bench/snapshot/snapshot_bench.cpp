// SPDX-License-Identifier: Apache-2.0
/// Takes and verifies a folder without a case, where run.py finds no program:
/// what the room evidence costs by itself.
///
///   snapshot_bench take <folder> <folder for the bundle>
///   snapshot_bench verify <bundle>

#include <cstdio>
#include <string_view>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/evidence/bundle_writer.hpp"
#include "core/evidence/verify.hpp"

namespace impound {
namespace {

void take(const fs::path& folder, const fs::path& evidence) {
  const SystemClock clock;
  const Cancellation never;
  SilentProgress silent;
  BundleOptions options;
  options.case_id = "BENCH";
  options.exhibit_id = "E001";
  BundleWriter writer(evidence, options, clock, never, silent);
  writer.begin_collector("model-files");
  for (const auto& entry : fs::directory_iterator(folder)) {
    writer.file({.name = entry.path().filename(), .path = entry.path()});
  }
  static_cast<void>(writer.finish(std::string(64, '0')));
}

bool verify(const fs::path& bundle) {
  const Cancellation never;
  SilentProgress silent;
  return verify_bundle(bundle, {}, never, silent).ok();
}

}  // namespace
}  // namespace impound

int main(int argc, char** argv) {
  const std::string_view act = argc > 2 ? argv[1] : "";
  try {
    if (act == "take" && argc == 4) {
      impound::take(argv[2], argv[3]);
      return 0;
    }
    if (act == "verify") return impound::verify(argv[2]) ? 0 : 1;
  } catch (const impound::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 2;
}
