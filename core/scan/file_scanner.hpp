// SPDX-License-Identifier: Apache-2.0
#pragma once
/// How a file format takes part in a scan: a function that turns what it parsed
/// into findings. What a file is, core/formats/recognise.hpp decides.

#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/base/source.hpp"
#include "core/evidence/tree.hpp"
#include "core/formats/problem.hpp"
#include "core/formats/recognise.hpp"
#include "core/scan/finding.hpp"
#include "core/scan/scan_options.hpp"

namespace impound {

/// A file or a member of an archive, as scanners see it.
using Subject = FormatSubject;

/// Whether the bytes of a member are a part of the file as it lies there, and
/// so were searched with it, or came out of unpacking.
enum class MemberBytes : std::uint8_t { in_file, unpacked };

/// Where in the present subject: a part by its name, an offset, or both.
struct ScanPlace {
  ScanPlace(std::integral auto at)  // NOLINT
      : offset(static_cast<std::uint64_t>(at)) {}
  ScanPlace(std::string part) : member(std::move(part)) {}  // NOLINT
  ScanPlace(const char* part) : member(part) {}             // NOLINT
  ScanPlace(std::string part, std::uint64_t at)
      : member(std::move(part)), offset(at) {}

  std::string member;
  std::uint64_t offset = 0;
};

/// What a scanner may do: report, descend into members, look at siblings.
/// One per file of the tree; members share it.
class ScanContext {
 public:
  ScanContext() = default;
  ScanContext(const ScanContext&) = delete;
  ScanContext& operator=(const ScanContext&) = delete;
  virtual ~ScanContext() = default;

  /// Reports. `member` of the finding is completed by the context: leave it
  /// empty, or name a part of the present subject ("layers[3].config").
  virtual void add(ScanFinding finding) = 0;
  /// The same from its parts; `evidence` as the file has it.
  void report(std::string_view rule, Severity severity, ScanPlace where,
              std::string message, std::string evidence = {});
  /// Reports what a parser found odd. The rule of a problem is its id in the
  /// catalogue.
  void add_problems(const Problems& problems);

  /// Raises the verdict of the file to at least `verdict`.
  virtual void judge(Verdict verdict) = 0;
  /// Says that a part could not be read: the exit code becomes 3.
  virtual void unread(std::uint64_t offset, std::string_view why) = 0;

  /// Scans a member with every scanner that recognises it, one level deeper.
  /// `name` is the member's name as found, `offset` where it lies. Beyond
  /// kMaxScanDepth this becomes a finding instead.
  virtual void scan_member(std::string_view name, std::uint64_t offset,
                           const ByteSource& source, MemberBytes bytes) = 0;

  /// Names the members of the present subject, before they are scanned.
  virtual void list_members(std::span<const std::string_view> names) = 0;

  /// Takes `bytes` of unpacked content out of the budget of this file.
  /// @return false, after reporting it, if the budget is used up: stop.
  [[nodiscard]] virtual bool spend(std::uint64_t bytes) = 0;
  /// What is left of that budget.
  [[nodiscard]] virtual std::uint64_t budget() const = 0;

  /// Files beside the present one, by name relative to its folder, or nullptr.
  /// Members of archives have no siblings.
  [[nodiscard]] virtual const TreeFile* sibling(
      std::string_view name) const = 0;
  [[nodiscard]] virtual const Tree& tree() const = 0;
  /// Name of the present file in the tree.
  [[nodiscard]] virtual std::string_view tree_name() const = 0;

  [[nodiscard]] virtual const ScanOptions& options() const = 0;
  [[nodiscard]] virtual bool cancelled() const = 0;
};

/// Levels of containers within containers.
inline constexpr int kMaxScanDepth = 8;

struct FileScanner {
  Format format;
  void (*scan)(ScanContext&, const Subject&);
};

/// One scanner for every format, in the order in which formats are named in a
/// report. All formats of a subject are scanned: a polyglot is read as
/// everything it can be.
[[nodiscard]] std::span<const FileScanner> file_scanners();  // scanners.cpp

}  // namespace impound
