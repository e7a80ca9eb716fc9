// SPDX-License-Identifier: Apache-2.0
#pragma once
/// One file or record inside an exhibit, as meta/files.jsonl describes it.

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/fs.hpp"
#include "core/base/json.hpp"
#include "core/crypto/digest.hpp"
#include "core/evidence/collector.hpp"
#include "core/evidence/outcome.hpp"

namespace impound {

struct Item {
  std::uint64_t number = 0;  ///< 1, 2, 3 …: E001/17
  std::string name;          ///< below data/; raw bytes
  FileKind kind = FileKind::regular;
  std::string source;  ///< path or URI as found; raw bytes
  std::string found_as;
  std::string collector;  ///< which collector took it
  Outcome outcome = Outcome::ok;
  std::string reason;               ///< why outcome is not ok
  std::uint64_t size_declared = 0;  ///< when it was opened
  std::uint64_t size_read = 0;      ///< bytes really got from the source
  std::uint64_t size_stored = 0;    ///< bytes in the bundle
  /// Where its member begins in the uncompressed tar: how a reader seeks.
  std::uint64_t member_offset = 0;
  Digest sha256;  ///< of the stored bytes
  std::uint32_t mode = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  TimeNs mtime_ns = 0;
  TimeNs ctime_ns = 0;
  TimeNs atime_ns = 0;
  std::string link_target;  ///< symlink: as found; hard link: item name
  bool is_hard_link = false;
  std::vector<ByteRange> ranges;  ///< parts of the source; empty = all
  std::vector<ByteRange> holes;   ///< sparse parts of the source, as zeros here
  Json notes = Json::object();

  [[nodiscard]] Json to_json() const;
  /// @throws Error{malformed} naming `source`.
  [[nodiscard]] static Item from_json(const Json& json,
                                      std::string_view source);
};

/// Something asked for and not obtained, as meta/skipped.jsonl describes it.
struct Gap {
  std::string subject;  ///< path or URI as asked for
  std::string collector;
  Outcome outcome = Outcome::failed;
  std::string reason;
  TimeNs at = 0;

  [[nodiscard]] Json to_json() const;
  [[nodiscard]] static Gap from_json(const Json& json, std::string_view source);
};

}  // namespace impound
