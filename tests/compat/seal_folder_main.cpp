// SPDX-License-Identifier: Apache-2.0
/// Seals a folder as exhibit E001, for tests that read bundles with stock
/// tools:
///
///   seal_folder_main <source folder> <folder for the bundle>

#include <algorithm>
#include <cstdio>
#include <vector>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/evidence/bundle_writer.hpp"

namespace impound {
namespace {

void seal(const fs::path& source, const fs::path& evidence) {
  const SystemClock clock;
  const Cancellation cancellation;
  SilentProgress progress;
  BundleOptions options;
  options.case_id = "IR-2026.001";
  options.exhibit_id = "E001";
  BundleWriter writer(evidence, options, clock, cancellation, progress);
  writer.begin_collector("model-files");
  std::vector<fs::path> found;
  for (const auto& entry : fs::recursive_directory_iterator(source)) {
    found.push_back(entry.path());
  }
  std::ranges::sort(found);
  for (const fs::path& path : found) {
    const std::string name = path.lexically_relative(source).native();
    const auto stat = stat_path(path, Links::refuse);
    if (stat && stat->kind == FileKind::regular) {
      writer.file({.name = name, .path = path});
    } else {
      writer.entry(name, path);
    }
  }
  writer.gap("/absent", Outcome::missing, "No such file or directory");
  writer.meta("playbook/100% note.txt", as_bytes("a metadata member\n"));
  const SealedBundle sealed = writer.finish(std::string(64, '0'));
  std::printf("%llu items\n", static_cast<unsigned long long>(sealed.items));
}

}  // namespace
}  // namespace impound

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  try {
    impound::seal(argv[1], argv[2]);
  } catch (const impound::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
