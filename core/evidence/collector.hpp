// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The one header a collector includes.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/base/fs.hpp"
#include "core/evidence/outcome.hpp"
#include "core/evidence/parameter.hpp"
#include "core/evidence/target.hpp"

namespace impound {

/// What a collector may touch. Shown by `collect --list`, by plans, and at a
/// terminal before `collect` begins.
enum class Reach : std::uint8_t {
  files,    ///< reads files below the deployment's paths
  process,  ///< reads /proc of the serving processes
  device,   ///< asks the operating system and accelerator drivers for state
};

/// A part of a source file, in bytes.
struct ByteRange {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  friend bool operator==(const ByteRange&, const ByteRange&) = default;
};

/// One file to take.
struct FileRequest {
  /// Name below data/, relative, '/'-separated; any bytes but NUL [I7].
  std::string name;
  /// The file to open.
  std::filesystem::path path;
  /// How it was found, where that differs from `path`: a symbolic link that was
  /// followed inside its repository folder, "/proc/7/fd/3 -> /x (deleted)".
  std::string found_as = {};
  /// Only these parts, ascending and disjoint; empty means all of it.
  std::vector<ByteRange> ranges = {};
  /// Follow a final symbolic link (needed for /proc/PID/fd/N and
  /// /proc/PID/exe).
  bool follow_link = false;
  /// Facts for meta/files.jsonl: "record_count", "window" …
  Json notes = Json::object();
  /// The file as it was when the collector searched it for `ranges`: another
  /// one at the path by now is taken by the wrong offsets, and that is said.
  std::optional<FileStat> searched = std::nullopt;
  /// incomplete, with a reason, where the file is not what was asked for: taken
  /// whole though a part was wanted. What reading it brings may be worse.
  Outcome outcome = Outcome::ok;
  std::string reason = {};
};

/// Bytes that a collector made or read itself.
struct BytesRequest {
  std::string name;
  ByteView content;
  std::string source = {};        ///< path or URI as found; may be empty
  Outcome outcome = Outcome::ok;  ///< partial where a bound was reached
  Json notes = Json::object();
};

/// Where collected evidence goes. Implemented by BundleWriter for real runs and
/// by MemorySink (tests/support) for tests.
///
/// Names are unique within an exhibit; a repeated or unsafe one is recorded as
/// a gap and the content is stored under "renamed/<n>".
class EvidenceSink {
 public:
  EvidenceSink() = default;
  EvidenceSink(const EvidenceSink&) = delete;
  EvidenceSink& operator=(const EvidenceSink&) = delete;
  virtual ~EvidenceSink() = default;

  /// Copies the file into the evidence, in one pass, with mode, owner, times,
  /// extended attributes; a second name of the same inode becomes a hard link.
  /// A file that is unreadable, gone or no regular file becomes a gap, not an
  /// exception; a short read is padded with zeros and recorded, growth is cut
  /// and recorded.
  virtual void file(const FileRequest& request) = 0;

  /// Stores a directory (mode, owner, times) or a symbolic link as itself.
  virtual void entry(std::string_view name,
                     const std::filesystem::path& path) = 0;

  virtual void bytes(const BytesRequest& request) = 0;

  /// Records that something asked for could not be had, and why [I6].
  virtual void gap(std::string_view subject, Outcome outcome,
                   std::string_view reason) = 0;

  /// True once a person asked to stop, or the disk is full: a collector returns
  /// at the next file. What was taken stays.
  [[nodiscard]] virtual bool must_stop() const = 0;
};

/// One way of taking evidence: a name, a promise, a function.
struct Collector {
  std::string_view name;     ///< [a-z0-9-]+, stable: it is written into bundles
  std::string_view summary;  ///< one sentence, with a full stop
  Reach reach;
  int volatility;  ///< 1 (first to vanish) … 7, RFC 3227 order
  std::span<const Parameter> parameters;
  /// What the parameters must be to each other, as "since" is before "until".
  /// Throws Error{bad_input}; null where nothing needs to be said.
  void (*check)(const Arguments& arguments) = nullptr;

  /// Reads only [I5]. Throws Error only if the whole collection is impossible;
  /// anything smaller is a gap.
  void (*collect)(const Target& target, EvidenceSink& sink);

  /// One sentence a dry run shows: what would be read, how much of it where
  /// that is cheap to know. Reads nothing but names and sizes.
  std::string (*describe)(const Target& target);

  /// Bytes that collect() would read, for progress and the check of free space;
  /// 0 where it cannot be known cheaply.
  std::uint64_t (*estimate)(const Target& target);

  /// What collect() takes of the deployment unless a parameter names something
  /// instead: shown in plans.
  std::span<const DeploymentPart> takes = {};
};

/// What follows "Reaches " for a person; and the enumerator's name.
[[nodiscard]] std::string_view in_words(Reach reach) noexcept;
[[nodiscard]] std::string_view to_string(Reach reach) noexcept;

/// `given` as the collector will see it.
/// @throws Error{bad_input} naming the collector, the parameter, the value and
///         what is expected.
[[nodiscard]] Arguments arguments_for(const Collector& collector,
                                      const Json& given, Spelling spelling,
                                      TimeNs now);

/// What a command line gave to several collectors at once: each gets the
/// parameters that it declares, and checks them by its own declaration.
/// @throws Error{bad_input} also for a name that none of them declares.
[[nodiscard]] std::vector<Arguments> share_arguments(
    std::span<const Collector* const> collectors, const Json& given,
    TimeNs now);

}  // namespace impound
