// SPDX-License-Identifier: Apache-2.0
#include "core/scan/file_scan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <future>

#include "core/base/text.hpp"
#include "core/scan/content_search.hpp"
#include "core/scan/promise.hpp"
#include "core/scan/rule_catalogue.hpp"
#include "core/scan/settings_report.hpp"

namespace impound {
namespace {

constexpr std::uint64_t kBlock = std::uint64_t{4} << 20U;

/// Findings that say of a file that it was not walked to its end, that bytes it
/// announces are not there, or that bytes are there which its format does not
/// account for: whole is what has none of them.
constexpr auto kLeaveUnread = std::to_array<std::string_view>({
    "archive-expansion",
    "archive-trailing",
    "file-not-as-named",
    "file-unread",
    "gguf-tensor-outside",
    "gguf-trailing-bytes",
    "gguf-truncated",
    "hdf5-malformed",
    "hdf5-trailing",
    "hdf5-truncated",
    "keras-metadata",
    "numpy-broken",
    "numpy-trailing",
    "numpy-truncated",
    "onnx-malformed",
    "pickle-broken",
    "pickle-limit",
    "pickle-trailing",
    "safetensors-header-json",
    "safetensors-header-length",
    "safetensors-header-too-large",
    "safetensors-header-too-small",
    "safetensors-header-utf8",
    "safetensors-incomplete",
    "safetensors-outside",
    "safetensors-trailing-bytes",
    "savedmodel-malformed",
    "tar-broken",
    "torch-storage-missing",
    "torch-trailing",
    "torch-truncated",
    "zip-directory",
    "zip-no-directory",
    "zip-suffix",
    "zip-truncated",
    "zip-unreadable",
});

static_assert(std::ranges::is_sorted(kLeaveUnread));

bool leaves_unread(std::string_view rule) {
  return std::ranges::binary_search(kLeaveUnread, rule);
}

}  // namespace

void ScanContext::report(std::string_view rule, Severity severity,
                         ScanPlace where, std::string message,
                         std::string evidence) {
  ScanFinding finding;
  finding.rule = std::string(rule);
  finding.severity = severity;
  finding.member = std::move(where.member);
  finding.offset = where.offset;
  finding.message = std::move(message);
  finding.evidence = std::move(evidence);
  add(std::move(finding));
}

void ScanContext::add_problems(const Problems& problems) {
  for (const Problem& problem : problems) {
    ScanFinding finding;
    finding.rule = problem.rule;
    finding.severity = problem.severity;
    finding.offset = problem.offset;
    finding.message = problem.message;
    add(std::move(finding));
  }
}

FileScan::FileScan(const Tree& tree, const TreeFile& file,
                   const ScanOptions& options, const Cancellation& cancellation)
    : tree_(tree),
      file_(file),
      options_(options),
      cancellation_(cancellation),
      work_(std::min(
          options.max_unpacked,
          kUnpackedAtLeast +
              std::min(options.max_unpacked / kUnpackedPerByte, file.size) *
                  kUnpackedPerByte)),
      budget_(work_),
      most_members_(std::min(kMaxMembers,
                             kMembersAtLeast + file.size / kBytesPerMember)) {
  report_.path = file.name;
  report_.size = file.size;
  if (file.sha256) report_.sha256 = file.sha256->hex();
}

std::string FileScan::member_path() const {
  std::string text;
  for (const std::string& part : path_) {
    if (!text.empty()) text += '!';
    text += part;
  }
  return text;
}

void FileScan::add(ScanFinding finding) {
  const std::string inside = member_path();
  if (finding.member.empty()) {
    finding.member = inside;
  } else if (!inside.empty()) {
    finding.member = inside + "!" + finding.member;
  }
  if (finding.atlas.empty()) {
    if (const Rule* rule = find_rule(finding.rule)) {
      finding.atlas = std::string(rule->atlas);
    }
  }
  judge(verdict_of(finding.severity));
  if (leaves_unread(finding.rule)) report_.read_to_end = false;
  const bool is_known =
      std::ranges::any_of(report_.findings, [&](const ScanFinding& known) {
        return known.offset == finding.offset && known == finding;
      });
  if (is_known) return;
  // A flood of harmless findings must not push out the grave ones.
  const auto less = [](const ScanFinding& a, const ScanFinding& b) {
    return a.severity < b.severity;
  };
  if (report_.findings.size() >= kMaxFindings) {
    ++dropped_;
    const auto least = std::min_element(report_.findings.begin(),
                                        report_.findings.end(), less);
    if (!less(*least, finding)) return;
    report_.findings.erase(least);
  }
  report_.findings.push_back(std::move(finding));
}

void FileScan::judge(Verdict verdict) {
  report_.verdict = std::max(report_.verdict, verdict);
}

void FileScan::unread(std::uint64_t offset, std::string_view why) {
  report_.read_to_end = false;
  ++unread_;
  ScanFinding finding;
  finding.rule = "file-unread";
  finding.severity = Severity::medium;
  finding.offset = offset;
  finding.message = std::string(why);
  add(std::move(finding));
}

bool FileScan::spend(std::uint64_t bytes) {
  if (bytes <= budget_) {
    budget_ -= bytes;
    return true;
  }
  budget_ = 0;
  report_.read_to_end = false;
  // Once: each member that comes after would say the same.
  if (is_spent_) return false;
  is_spent_ = true;
  ScanFinding finding;
  finding.rule = "archive-expansion";
  finding.severity = Severity::medium;
  finding.message = fmt::format(
      "unpacks to more than {} in all, which is as much as a file of {} is "
      "unpacked to: not read to its end",
      human_bytes(work_), human_bytes(report_.size));
  add(std::move(finding));
  return false;
}

std::uint64_t FileScan::budget() const { return budget_; }

const TreeFile* FileScan::sibling(std::string_view name) const {
  if (!path_.empty()) return nullptr;
  const std::size_t slash = file_.name.rfind('/');
  std::string wanted = slash == std::string::npos
                           ? std::string()
                           : file_.name.substr(0, slash + 1);
  wanted += name;
  const std::vector<TreeFile>& files = tree_.files();
  const auto found =
      std::lower_bound(files.begin(), files.end(), wanted,
                       [](const TreeFile& file, const std::string& key) {
                         return file.name < key;
                       });
  return found != files.end() && found->name == wanted ? &*found : nullptr;
}

void FileScan::scan_member(std::string_view name, std::uint64_t offset,
                           const ByteSource& source, MemberBytes bytes) {
  if (path_.size() >= static_cast<std::size_t>(kMaxScanDepth)) {
    unread(offset, fmt::format("{} is nested deeper than {} levels",
                               printable(name), kMaxScanDepth));
    return;
  }
  if (++members_ > most_members_) {
    if (members_ == most_members_ + 1) {
      unread(offset, fmt::format("more than {} members, at all levels, in a "
                                 "file of {}: not read to its end",
                                 most_members_, human_bytes(report_.size)));
    }
    return;
  }
  path_.push_back(printable(name));
  if (bytes == MemberBytes::unpacked &&
      options_.depth == ScanOptions::Depth::every_byte) {
    search_bytes(source, false);
  }
  scan_subject(name, source);
  path_.pop_back();
}

void FileScan::scan_subject(std::string_view name, const ByteSource& source) {
  const Bytes head = source.head(0, kFormatHead);
  const Subject subject{
      .source = source, .head = head, .name = base_name(name)};
  std::vector<const FileScanner*> recognised;
  const std::uint64_t unread_before = unread_;
  describing_.resize(path_.size());
  for (const FileScanner& scanner : file_scanners()) {
    if (cancelled()) return;
    const std::size_t before = recognised.size();
    try {
      if (why_format(scanner.format, subject).empty()) continue;
      recognised.push_back(&scanner);
      scanner.scan(*this, subject);
    } catch (const Error& error) {
      if (error.code() == Errc::io || error.code() == Errc::integrity) throw;
      // Recognised, and then not what it seemed: somebody has to look.
      if (recognised.size() > before) {
        unread(0,
               fmt::format("{}: {}", to_string(scanner.format), error.what()));
      }
    }
  }
  try {
    report_settings(*this, subject);
  } catch (const Error& error) {
    if (error.code() == Errc::io || error.code() == Errc::integrity) throw;
    unread(0, fmt::format("settings: {}", error.what()));
  }
  check_promise(name, subject, recognised, unread_ != unread_before);
  if (!path_.empty()) return;
  for (const FileScanner* scanner : recognised) {
    const bool is_refined = std::any_of(
        recognised.begin(), recognised.end(), [&](const FileScanner* other) {
          return kind_of(other->format) == scanner->format;
        });
    if (is_refined) continue;
    if (!report_.format.empty()) report_.format += '+';
    report_.format += to_string(scanner->format);
  }
  if (report_.format.empty()) report_.format = to_string(Format::unknown);
}

/// What check_promise() asks about the files beside its subject.
class FileScan::Neighbours final : public Beside {
 public:
  Neighbours(const FileScan& scan, std::string_view path)
      : scan_(scan), path_(path) {}

  [[nodiscard]] bool has(std::string_view name) const override {
    return scan_.lies_beside(path_, name);
  }
  [[nodiscard]] bool is_named_in(std::string_view ending,
                                 std::string_view word) const override {
    return scan_.is_named_beside(ending, word);
  }

 private:
  const FileScan& scan_;
  std::string_view path_;
};

void FileScan::check_promise(std::string_view name, const Subject& subject,
                             std::span<const FileScanner* const> recognised,
                             bool is_given_up) {
  std::vector<Format> found;
  for (const FileScanner* scanner : recognised) {
    found.push_back(scanner->format);
  }
  std::string broken =
      broken_promise(name, subject, found, Neighbours(*this, name));
  // Its loader gets further, or fails: nobody knows. A file that the system
  // does not hand out is another matter, and does not come here.
  if (broken.empty() && is_given_up) broken = unkept_to_its_end(name);
  if (!broken.empty()) {
    report("file-not-as-named", Severity::medium, 0, std::move(broken));
  }
}

void FileScan::list_members(std::span<const std::string_view> names) {
  constexpr std::size_t kMost = 100'000;
  describing_.resize(path_.size() + 1);
  auto& kept = describing_.back();
  kept.clear();
  for (const std::string_view name : names) {
    const bool describes = name.ends_with(".xml") || name.ends_with(".json");
    if (describes && kept.size() < kMost) kept.emplace(name);
  }
}

bool FileScan::lies_beside(std::string_view path, std::string_view name) const {
  if (path_.empty()) return sibling(name) != nullptr;
  if (describing_.size() < path_.size()) return false;
  std::string wanted(path.substr(0, path.size() - base_name(path).size()));
  wanted += name;
  return describing_[path_.size() - 1].contains(wanted);
}

bool FileScan::is_named_beside(std::string_view ending,
                               std::string_view word) const {
  constexpr std::uint64_t kMostRead = std::uint64_t{64} << 20U;
  if (!path_.empty()) return false;
  const std::string_view own = file_.name;
  const std::string_view folder =
      own.substr(0, own.size() - base_name(own).size());
  const auto names_it = [&](const TreeFile& file) {
    const std::string_view name = file.name;
    if (file.kind != FileKind::regular || !name.starts_with(folder) ||
        !name.ends_with(ending) ||
        name.find('/', folder.size()) != std::string_view::npos) {
      return false;
    }
    try {
      const auto source = tree_.open(file);
      const Bytes text = source->head(0, std::min(kMostRead, source->size()));
      return as_text(text).find(word) != std::string_view::npos;
    } catch (const Error&) {
      return false;  // it is reported where it is scanned itself
    }
  };
  return std::ranges::any_of(tree_.files(), names_it);
}

void FileScan::search_bytes(const ByteSource& source, bool is_whole_file) {
  ContentSearch search(*this);
  Sha256 digest;
  const bool must_hash = is_whole_file && report_.sha256.empty();
  // The digest of a block is taken while it is searched and the next one is
  // read: of the three it takes longest.
  std::array<Bytes, 2> blocks;
  std::future<void> hashing;
  std::size_t turn = 0;
  for (std::uint64_t at = 0; at < source.size() && !cancelled();
       at += blocks[turn].size(), turn = 1 - turn) {
    Bytes& block = blocks[turn];
    block.resize(static_cast<std::size_t>(
        std::min<std::uint64_t>(kBlock, source.size() - at)));
    source.read(at, block);
    if (must_hash && source.size() <= kBlock) {
      digest.update(block);
    } else if (must_hash) {
      if (hashing.valid()) hashing.get();
      hashing = std::async(std::launch::async,
                           [&digest, &block] { digest.update(block); });
    }
    search.feed(block);
  }
  search.finish();
  if (hashing.valid()) hashing.get();
  if (must_hash && !cancelled()) report_.sha256 = digest.finish().hex();
}

FileReport FileScan::run(const ByteSource& source) {
  try {
    if (options_.depth == ScanOptions::Depth::every_byte) {
      search_bytes(source, true);
    }
    scan_subject(file_.name, source);
  } catch (const Error& error) {
    path_.clear();
    unread(0, error.what());
  }
  if (cancelled()) report_.read_to_end = false;
  if (report_.format.empty()) report_.format = to_string(Format::unknown);
  if (dropped_ != 0) {
    ScanFinding finding;
    finding.rule = "file-findings-cut";
    finding.severity = Severity::medium;
    finding.message =
        fmt::format("{} further findings are not listed", dropped_);
    judge(Verdict::needs_review);
    report_.findings.push_back(std::move(finding));
  }
  std::stable_sort(report_.findings.begin(), report_.findings.end(),
                   [](const ScanFinding& a, const ScanFinding& b) {
                     return a.severity > b.severity;
                   });
  return std::move(report_);
}

}  // namespace impound
