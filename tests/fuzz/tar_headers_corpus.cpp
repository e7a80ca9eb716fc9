// SPDX-License-Identifier: Apache-2.0
// rooms: storage
/// Writes seeds for the fuzz target "tar_headers": members of every kind.

#include <filesystem>
#include <fstream>

#include "core/storage/tar.hpp"

using namespace impound;

void write_tar_headers_seeds(const std::filesystem::path& folder) {
  const auto put = [&folder](const char* name, const TarMember& member) {
    const Bytes headers = encode_tar_headers(member, 7);
    std::ofstream(folder / name, std::ios::binary) << as_text(headers);
  };
  TarMember member;
  member.name = "./data/model.safetensors";
  member.size = 12'345;
  member.mode = 0640;
  member.mtime_ns = 1'795'392'000'000'000'000;
  put("plain", member);
  member.name = "./data/" + std::string(180, 'n');
  member.size = 1ULL << 40U;
  member.uid = 1ULL << 30U;
  member.mtime_ns = -1'500'000'000;
  member.atime_ns = member.ctime_ns = 1'795'392'000'123'456'789;
  member.xattrs = {{"user.a=b", "x\ny"}, {"user.c%", std::string(3, '\0')}};
  put("every_record", member);
  TarMember link;
  link.name = "./data/" + std::string(60, 'd') + "/" + std::string(90, 'f');
  link.type = TarType::symlink;
  link.link = std::string(120, '\xE9');
  put("link", link);
  link.type = TarType::directory;
  link.link.clear();
  put("folder", link);
}
