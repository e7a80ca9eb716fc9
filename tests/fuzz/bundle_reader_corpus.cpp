// SPDX-License-Identifier: Apache-2.0
// rooms: evidence
/// Writes seeds for the fuzz target "bundle_reader": a bundle, its seal, and
/// its tar behind the two bytes that say where the metadata begin.

#include <filesystem>
#include <fstream>

#include "core/base/fs.hpp"
#include "core/evidence/bundle_index.hpp"
#include "core/evidence/bundle_writer.hpp"

using namespace impound;

void write_bundle_reader_seeds(const std::filesystem::path& folder) {
  const fs::path work = folder.parent_path() / "bundle_reader.work";
  fs::remove_all(work);
  fs::create_directories(work / "evidence");
  std::ofstream(work / "file") << "some content\n";
  fs::create_hard_link(work / "file", work / "again");
  fs::create_symlink("file", work / "link");

  const SystemClock clock;
  const Cancellation never;
  SilentProgress silent;
  BundleOptions options;
  options.case_id = "IR-1";
  options.exhibit_id = "E001";
  options.threads = 1;
  BundleWriter writer(work / "evidence", options, clock, never, silent);
  writer.begin_collector("model-files");
  writer.entry("folder", work / "evidence");
  writer.file({.name = "folder/file", .path = work / "file"});
  writer.file({.name = "again", .path = work / "again"});
  writer.entry("link", work / "link");
  writer.bytes({.name = "naïve\nname", .content = as_bytes("x")});
  writer.bytes({.name = std::string(300, 'n'), .content = as_bytes("long")});
  writer.gap("/absent", Outcome::missing, "No such file or directory");
  const SealedBundle sealed = writer.finish(std::string(64, '0'));

  const auto put = [&](const char* name, ByteView bytes) {
    std::ofstream(folder / name, std::ios::binary) << as_text(bytes);
  };
  const auto file = open_source(sealed.path);
  put("bundle", file->head(0, file->size()));
  const auto seal = open_source(work / "evidence" / "E001.seal.json");
  put("seal", seal->head(0, seal->size()));
  const FrameIndex index = read_frame_index(*file, "E001");
  const TarSource tar(*file, index, "E001");
  const std::uint64_t block = index.meta.tar_offset / 512;
  Bytes seed{static_cast<std::byte>(block & 0xFF),
             static_cast<std::byte>(block >> 8)};
  const Bytes content = tar.head(0, tar.size());
  seed.insert(seed.end(), content.begin(), content.end());
  put("tar", seed);
  fs::remove_all(work);
}
