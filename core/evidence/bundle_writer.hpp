// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Writes one exhibit: read once, hashed and compressed on all cores.

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/progress.hpp"
#include "core/evidence/collector.hpp"
#include "core/evidence/item.hpp"

namespace impound {

struct BundleOptions {
  std::string case_id;
  std::string exhibit_id;  ///< "E001"
  /// Further lines of bag-info.txt, in this order ("Contact-Name", …).
  std::vector<std::pair<std::string, std::string>> bag_info;
  unsigned threads = 0;              ///< 0 = all cores
  int weights_level = 1;             ///< zstd level for incompressible data
  int text_level = 3;                ///< zstd level for text
  std::uint64_t expected_bytes = 0;  ///< for progress and free space; 0 unknown
};

/// What finish() made, everything that the custody entry needs.
struct SealedBundle {
  std::filesystem::path path;  ///< …/E001.tar.zst
  std::uint64_t size = 0;      ///< bytes of the bundle
  Digest sha256;               ///< of the bundle
  Digest manifest_sha256;      ///< of manifest-sha256.txt
  Digest tagmanifest_sha256;
  std::uint64_t frames = 0;
  std::uint64_t payload_bytes = 0;
  std::uint64_t items = 0;
  std::uint64_t gaps = 0;
  Json counts;               ///< outcome name → number of items+gaps
  std::string compression;   ///< "zstd, independent frames, level 1/3"
  Json seal;                 ///< E001.seal.json as written
  Digest seal_sha256;        ///< of E001.seal.json
  Digest verify_txt_sha256;  ///< of E001.VERIFY.txt
};

/// Writes `<exhibit>.tar.zst.partial` in a folder and, at finish(), renames it.
///
/// Not thread-safe towards its caller: one collector at a time. A destroyed
/// writer that did not finish leaves the .partial file where it is: evidence is
/// never deleted [I1].
class BundleWriter final : public EvidenceSink {
 public:
  /// @throws Error{io} if the file exists or cannot be created, or if less than
  ///         expected_bytes + limits::kReservedFreeBytes is free;
  ///         Error{integrity} if this machine computes wrong digests.
  BundleWriter(const std::filesystem::path& folder, BundleOptions options,
               const Clock& clock, const Cancellation& cancellation,
               Progress& progress);
  ~BundleWriter() override;

  /// Every item and gap from now on belongs to this collector.
  void begin_collector(std::string_view name);

  void file(const FileRequest& request) override;
  void entry(std::string_view name, const std::filesystem::path& path) override;
  void bytes(const BytesRequest& request) override;
  void gap(std::string_view subject, Outcome outcome,
           std::string_view reason) override;
  [[nodiscard]] bool must_stop() const override;

  /// Waits until everything handed in is hashed and written, then returns the
  /// items and gaps that became known since the last call, in order.
  struct Taken {
    std::vector<Item> items;
    std::vector<Gap> gaps;
  };
  [[nodiscard]] Taken drain();

  /// Adds meta/<name> (playbook source, acquisition entries). After the
  /// payload.
  void meta(std::string_view name, ByteView content);

  /// Writes manifests, the frame table, syncs, renames, syncs the folder, and
  /// writes the seal beside it. `chain_head` is the custody head at this moment
  /// (64 hex digits).
  /// @throws Error{io}: the .partial file stays.
  [[nodiscard]] SealedBundle finish(std::string_view chain_head);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace impound
