// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The scan of one file with all that is packed in it.

#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/progress.hpp"
#include "core/scan/file_scanner.hpp"
#include "core/scan/scan.hpp"

namespace impound {

class FileScan final : public ScanContext {
 public:
  /// Everything outlives the scan.
  FileScan(const Tree& tree, const TreeFile& file, const ScanOptions& options,
           const Cancellation& cancellation);

  /// Scans `source`, the bytes of the file.
  [[nodiscard]] FileReport run(const ByteSource& source);

  void add(ScanFinding finding) override;
  void judge(Verdict verdict) override;
  void unread(std::uint64_t offset, std::string_view why) override;
  void scan_member(std::string_view name, std::uint64_t offset,
                   const ByteSource& source, MemberBytes bytes) override;
  void list_members(std::span<const std::string_view> names) override;
  [[nodiscard]] bool spend(std::uint64_t bytes) override;
  [[nodiscard]] std::uint64_t budget() const override;
  [[nodiscard]] const TreeFile* sibling(std::string_view name) const override;
  [[nodiscard]] const Tree& tree() const override { return tree_; }
  [[nodiscard]] std::string_view tree_name() const override {
    return file_.name;
  }
  [[nodiscard]] const ScanOptions& options() const override { return options_; }
  [[nodiscard]] bool cancelled() const override {
    return cancellation_.requested();
  }

  /// Findings kept of one file; the rest is counted.
  static constexpr std::size_t kMaxFindings = 1000;
  /// Members scanned in one file, at all levels.
  static constexpr std::uint64_t kMaxMembers = 2'000'000;

  // Work is paid by the bytes that somebody had to store: a small file that
  // unpacks to very much is a trap, whatever its depth. Real models in packed
  // form shrink to a half or a tenth, of zeros alone to a thousandth: what
  // passes the bound is said to be not read to its end, never called clean.
  /// Bytes unpacked of any file, however small: a few seconds.
  static constexpr std::uint64_t kUnpackedAtLeast = std::uint64_t{512} << 20U;
  /// And for each byte of the file.
  static constexpr std::uint64_t kUnpackedPerByte = 200;
  /// Members of any file; a zip spends 76 bytes at least on one of its own.
  static constexpr std::uint64_t kMembersAtLeast = 20'000;
  static constexpr std::uint64_t kBytesPerMember = 32;

 private:
  void scan_subject(std::string_view name, const ByteSource& source);
  /// Says what the name promises and no scanner has read.
  void check_promise(std::string_view name, const Subject& subject,
                     std::span<const FileScanner* const> recognised,
                     bool is_given_up);
  void search_bytes(const ByteSource& source, bool is_whole_file);
  [[nodiscard]] std::string member_path() const;
  /// Whether a file of that name lies beside the present subject.
  [[nodiscard]] bool lies_beside(std::string_view path,
                                 std::string_view name) const;
  [[nodiscard]] bool is_named_beside(std::string_view ending,
                                     std::string_view word) const;
  class Neighbours;

  const Tree& tree_;
  const TreeFile& file_;
  const ScanOptions& options_;
  const Cancellation& cancellation_;
  FileReport report_;
  std::vector<std::string> path_;  ///< members, outermost first
  std::uint64_t work_ = 0;         ///< bytes that may be unpacked in all
  std::uint64_t budget_ = 0;
  bool is_spent_ = false;
  std::uint64_t most_members_ = 0;
  std::uint64_t members_ = 0;
  std::uint64_t dropped_ = 0;
  std::uint64_t unread_ = 0;  ///< parts that a reader gave up
  /// Of each archive that the present member lies in: the names that may say
  /// what another one is.
  std::vector<std::set<std::string, std::less<>>> describing_;
};

}  // namespace impound
