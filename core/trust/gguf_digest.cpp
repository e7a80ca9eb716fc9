// SPDX-License-Identifier: Apache-2.0
#include "core/trust/gguf_digest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/base/error.hpp"
#include "core/base/limits.hpp"
#include "core/base/reader.hpp"
#include "core/base/text.hpp"

namespace impound {
namespace {

constexpr std::size_t kPiece = 4 * limits::kMiB;

/// ef001206-dadc-5f6d-a15f-3359e577d4e5: llama.cpp's namespace.
constexpr std::array<unsigned char, 16> kUuidNamespace{
    0xef, 0x00, 0x12, 0x06, 0xda, 0xdc, 0x5f, 0x6d,
    0xa1, 0x5f, 0x33, 0x59, 0xe5, 0x77, 0xd4, 0xe5};

HashKind kind_of(GgufHash hash) {
  switch (hash) {
    case GgufHash::xxh64:
      return HashKind::xxh64;
    case GgufHash::xxh3:
      return HashKind::xxh3;
    case GgufHash::sha1:
    case GgufHash::uuid:
      return HashKind::sha1;
    case GgufHash::sha256:
      return HashKind::sha256;
  }
  return HashKind::sha256;
}

/// RFC 9562 section 5.5 from the SHA-1 over namespace and name.
std::string uuid_text(Bytes digest) {
  digest.resize(16);
  digest[6] = (digest[6] & std::byte{0x0F}) | std::byte{0x50};
  digest[8] = (digest[8] & std::byte{0x3F}) | std::byte{0x80};
  const std::string hex = to_hex(digest);
  return fmt::format("{}-{}-{}-{}-{}", hex.substr(0, 8), hex.substr(8, 4),
                     hex.substr(12, 4), hex.substr(16, 4), hex.substr(20));
}

GgufFile read_whole(const ByteSource& source, std::string_view name) {
  const Bytes head = source.head(0, 4);
  if (!is_gguf(head)) {
    throw Error(Errc::malformed, fmt::format("{}: no GGUF file", name));
  }
  GgufFile file = read_gguf(source);
  if (!file.complete) {
    throw Error(
        Errc::malformed,
        fmt::format("{}: the header could not be read to its end{}", name,
                    file.problems.empty()
                        ? std::string()
                        : ": " + file.problems.front().message));
  }
  return file;
}

/// A record is: length of the key, key, type, value. The key that is kept may
/// be shorter than the one in the file.
std::uint64_t bytes_before_value(const ByteSource& source, const GgufFile& file,
                                 const GgufEntry& entry) {
  const Bytes raw = source.head(entry.offset, 8);
  Reader reader(raw, "GGUF record");
  const std::uint64_t length =
      file.endian == Endian::big ? reader.u64_big() : reader.u64();
  if (entry.size < 12 || length > entry.size - 12) {
    throw Error(
        Errc::malformed,
        fmt::format("offset {}: a key longer than its record", entry.offset));
  }
  return 8 + length + 4;
}

/// One hash over the whole file, and afresh over each tensor.
class Lane {
 public:
  explicit Lane(GgufHash hash)
      : hash_(hash), whole_(kind_of(hash)), tensor_(kind_of(hash)) {
    if (hash == GgufHash::uuid) {
      whole_.update(std::as_bytes(std::span(kUuidNamespace)));
    }
  }

  void update(ByteView bytes, bool per_tensor) {
    whole_.update(bytes);
    if (per_tensor && hash_ != GgufHash::uuid) tensor_.update(bytes);
  }
  [[nodiscard]] std::string end_tensor() {
    const std::string hex = to_hex(tensor_.finish());
    tensor_ = StreamHash(kind_of(hash_));
    return hex;
  }
  [[nodiscard]] std::string end_file() {
    Bytes digest = whole_.finish();
    return hash_ == GgufHash::uuid ? uuid_text(std::move(digest))
                                   : to_hex(digest);
  }
  [[nodiscard]] GgufHash hash() const { return hash_; }

 private:
  GgufHash hash_;
  StreamHash whole_;
  StreamHash tensor_;
};

}  // namespace

std::string_view to_string(GgufHash hash) noexcept {
  switch (hash) {
    case GgufHash::xxh64:
      return "xxh64";
    case GgufHash::xxh3:
      return "xxh3";
    case GgufHash::sha1:
      return "sha1";
    case GgufHash::sha256:
      return "sha256";
    case GgufHash::uuid:
      return "uuid";
  }
  return "";
}

std::vector<GgufHashLine> gguf_hashes(const ByteSource& source,
                                      std::string_view source_name,
                                      const GgufHashOptions& options,
                                      Progress& progress,
                                      const Cancellation& cancellation) {
  const GgufFile file = read_whole(source, source_name);
  std::uint64_t total = 0;
  for (const GgufTensor& tensor : file.tensors) {
    if (!tensor.fits) {
      throw Error(Errc::malformed,
                  fmt::format("{}: tensor {} does not lie inside the file",
                              source_name, printable(tensor.info.name)));
    }
    total += tensor.info.size;
  }
  std::vector<Lane> lanes;
  for (const GgufHash hash : options.hashes) lanes.emplace_back(hash);
  std::vector<GgufHashLine> lines;
  Bytes piece(kPiece);
  std::uint64_t done = 0;
  progress.begin("hash tensors", total);
  for (const GgufTensor& tensor : file.tensors) {
    const TensorInfo& info = tensor.info;
    for (std::uint64_t at = 0; at < info.size;) {
      const auto count = static_cast<std::size_t>(
          std::min<std::uint64_t>(info.size - at, piece.size()));
      const std::span<std::byte> room = std::span(piece).first(count);
      source.read(info.offset + at, room);
      for (Lane& lane : lanes) lane.update(room, options.per_tensor);
      at += count;
      done += count;
      progress.advance(done, info.name);
      if (cancellation.requested()) {
        throw Error(Errc::io, "stopped before every tensor was hashed");
      }
    }
    if (!options.per_tensor) continue;
    for (Lane& lane : lanes) {
      if (lane.hash() == GgufHash::uuid) continue;  // an id, of files only
      lines.push_back(
          {std::string(to_string(lane.hash())), lane.end_tensor(), info.name});
    }
  }
  progress.end(fmt::format("{} tensors hashed", file.tensors.size()));
  for (Lane& lane : lanes) {
    lines.push_back({std::string(to_string(lane.hash())), lane.end_file(), ""});
  }
  return lines;
}

Digest gguf_metadata_hash(const ByteSource& source,
                          std::string_view source_name) {
  const GgufFile file = read_whole(source, source_name);
  std::vector<std::string> entries;
  for (const GgufEntry& entry : file.entries) {
    const std::uint64_t before = bytes_before_value(source, file, entry);
    const SubSource value(source, entry.offset + before, entry.size - before);
    entries.push_back(fmt::format("kv {} {} {}\n", lossless_utf8(entry.key),
                                  to_string(entry.type),
                                  sha256_of(value).hex()));
  }
  std::vector<std::string> tensors;
  for (const GgufTensor& tensor : file.tensors) {
    std::vector<std::uint64_t> stored = tensor.info.shape;
    std::ranges::reverse(stored);
    tensors.push_back(fmt::format("tensor {} {} {}\n",
                                  lossless_utf8(tensor.info.name), tensor.type,
                                  fmt::join(stored, "x")));
  }
  std::ranges::sort(entries);
  std::ranges::sort(tensors);
  Sha256 hash;
  hash.update(as_bytes("gguf-metadata 1\n"));
  for (const auto* list : {&entries, &tensors}) {
    for (const std::string& line : *list) hash.update(as_bytes(line));
  }
  return hash.finish();
}

bool GgufManifest::has(std::string_view hash) const {
  const auto found = values.lower_bound({std::string(hash), ""});
  return found != values.end() && found->first.first == hash;
}

GgufManifest parse_gguf_manifest(std::string_view text) {
  GgufManifest manifest;
  const auto word = [](std::string_view& rest) {
    rest = trim(rest);
    const std::size_t end = std::min(rest.find_first_of(" \t"), rest.size());
    const std::string found(rest.substr(0, end));
    rest.remove_prefix(end);
    return found;
  };
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view rest = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    std::string hash = word(rest);
    std::string value = word(rest);
    rest = trim(rest);
    // "  -  Ok": the verdict of a check whose output was kept as a manifest.
    if (const std::size_t verdict = rest.rfind("  -  ");
        verdict != std::string_view::npos) {
      rest = trim(rest.substr(0, verdict));
    }
    if (rest.empty()) continue;
    manifest.values.try_emplace({std::move(hash), std::string(rest)},
                                std::move(value));
  }
  return manifest;
}

std::string_view to_string(GgufManifestMatch match) noexcept {
  switch (match) {
    case GgufManifestMatch::not_found:
      return "Not Found";
    case GgufManifestMatch::mismatch:
      return "Mismatch";
    case GgufManifestMatch::ok:
      return "Ok";
  }
  return "Not Found";
}

GgufManifestMatch match_manifest(const GgufManifest& manifest,
                                 std::string_view hash, std::string_view value,
                                 std::string_view name) {
  const auto found =
      manifest.values.find({std::string(hash), std::string(name)});
  if (found == manifest.values.end()) return GgufManifestMatch::not_found;
  return found->second == value ? GgufManifestMatch::ok
                                : GgufManifestMatch::mismatch;
}

}  // namespace impound
