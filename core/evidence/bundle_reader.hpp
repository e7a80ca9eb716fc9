// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Opens a sealed bundle for reading: members by seeking, frames by table.

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/base/json.hpp"
#include "core/base/source.hpp"
#include "core/evidence/item.hpp"

namespace impound {

/// A bundle, read-only. Trusts nothing in it: every size is bounded, every
/// digest that is used is checked by whoever reads a whole item.
class BundleReader {
 public:
  /// @throws Error{io}, Error{malformed} naming file, offset, expectation;
  ///         Error{unsupported} for a newer format version.
  explicit BundleReader(const std::filesystem::path& bundle);
  ~BundleReader();

  [[nodiscard]] const std::vector<Item>& items() const;
  [[nodiscard]] const std::vector<Gap>& gaps() const;
  [[nodiscard]] const Item* find(std::string_view name) const;
  [[nodiscard]] const Item* find(std::uint64_t number) const;

  /// Random access to the content of a regular item (hard links resolved),
  /// decoding only the frames touched. The reader outlives the source.
  [[nodiscard]] std::unique_ptr<ByteSource> open(const Item& item) const;

  /// A tag or meta member: "bag-info.txt", "meta/playbook/playbook.lua".
  [[nodiscard]] std::vector<std::string> meta_names() const;
  [[nodiscard]] std::string meta(std::string_view name) const;

  /// E001.seal.json beside the bundle; null if it is missing.
  [[nodiscard]] const Json& seal() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Unpacks items into `folder` (created; existing files are never replaced),
/// checking every digest while writing; modes and times restored, owners only
/// as root. Returns the problems, empty if all is well.
[[nodiscard]] std::vector<std::string> extract_items(
    const BundleReader& reader, const std::vector<const Item*>& items,
    const std::filesystem::path& folder);

}  // namespace impound
