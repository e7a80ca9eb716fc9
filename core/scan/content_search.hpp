// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Searches the bytes of a file, in order, for programs and secrets that have
/// no business in a model.

#include <array>
#include <bitset>
#include <cstdint>

#include "core/base/bytes.hpp"
#include "core/scan/file_scanner.hpp"

namespace impound {

/// Fed with consecutive blocks; what crosses their border is found.
class ContentSearch {
 public:
  /// `context` receives the findings and outlives the search.
  explicit ContentSearch(ScanContext& context);

  void feed(ByteView block);
  void finish();

  /// Findings of one kind reported in one file.
  static constexpr int kMaxOfAKind = 20;

 private:
  void search(ByteView window, std::size_t decisive);
  void examine(ByteView from, std::uint64_t offset);
  void report(std::string_view rule, Severity severity, std::uint64_t offset,
              std::string message, std::string evidence);

  /// Bytes that a pattern may need behind its first one.
  static constexpr std::size_t kReach = 4096;

  ScanContext& context_;
  Bytes carried_;             ///< not yet decided: the end of what was fed
  std::uint64_t offset_ = 0;  ///< of carried_ in the file
  std::array<int, 8> reported_{};
};

}  // namespace impound
