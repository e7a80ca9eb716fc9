// SPDX-License-Identifier: Apache-2.0
/// prompt-log: what was asked of the model and what it answered.
///
/// Files are stored as logs/<absolute path>. With a time window only the byte
/// ranges of the records inside it are taken. Such a slice is no copy of the
/// file and must not look like one: it is stored as log-slices/<absolute path>,
/// its offsets stand in the item, and beside its own digest stands that of the
/// whole file, which was read to its end to find them.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <string>

#include "collectors/log_window.hpp"
#include "collectors/sizing_sink.hpp"
#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/limits.hpp"
#include "core/base/path_glob.hpp"
#include "core/base/text.hpp"
#include "core/evidence/collector.hpp"
#include "core/evidence/log_set.hpp"

namespace impound {
namespace {

constexpr std::string_view kPrefix = "logs/";
constexpr std::string_view kSlicePrefix = "log-slices/";

TimeWindow window_of(const Arguments& arguments) {
  return {arguments.time("since"), arguments.time("until")};
}

/// @throws Error{bad_input}.
void check(const Arguments& arguments) {
  const TimeWindow window = window_of(arguments);
  if (window.since && window.until && *window.since > *window.until) {
    throw Error(
        Errc::bad_input,
        fmt::format("collector prompt-log: since ({}) is later than until ({})",
                    format_time(*window.since), format_time(*window.until)));
  }
  if (arguments.has("timestamp") && !arguments.has("path")) {
    throw Error(Errc::bad_input,
                "collector prompt-log: timestamp: is about the log that path "
                "names, and no path was given");
  }
}

Json to_json(const TimeWindow& window) {
  Json json = Json::object();
  if (window.since) json["since"] = format_time(*window.since);
  if (window.until) json["until"] = format_time(*window.until);
  return json;
}

std::string in_words(const TimeWindow& window) {
  std::string text;
  if (window.since) text += " from " + format_time(*window.since);
  if (window.until) text += " until " + format_time(*window.until);
  return text;
}

/// The sources to look at: the "path" argument alone, or the deployment's.
std::vector<LogSource> sources_of(const Target& target) {
  const auto path = target.arguments.path("path");
  if (!path) return target.deployment.logs;
  std::error_code failure;
  const fs::path whole = fs::absolute(*path, failure);
  if (failure) {
    throw Error(Errc::io,
                fmt::format("cannot resolve {}: {}", printable(path->native()),
                            failure.message()));
  }
  LogSource source{.path = whole.lexically_normal().native()};
  source.timestamp_key = target.arguments.text("timestamp").value_or("");
  source.rotated = false;  // what was named by hand is taken, and no more
  return {source};
}

/// What the first bytes say about a compressed log; "" if it is none.
std::string_view compression_of(const ByteSource& source) {
  const Bytes head = source.head(0, 6);
  const std::string_view bytes = as_text(head);
  if (bytes.starts_with("\x1f\x8b")) return "gzip";
  if (bytes.starts_with("\x28\xb5\x2f\xfd")) return "zstd";
  if (bytes.starts_with("BZh")) return "bzip2";
  if (bytes.starts_with(std::string_view("\xfd"
                                         "7zXZ\0",
                                         6))) {
    return "xz";
  }
  if (bytes.starts_with("\x04\x22\x4d\x18")) return "lz4";
  return "";
}

Json to_json(const LogScan& scan) {
  Json notes{{"record_count", scan.records},
             {"unparsable_count", scan.unparsable},
             {"timeless_count", scan.timeless},
             {"scanned_bytes", scan.size}};
  if (scan.first) notes["first_time"] = format_time(*scan.first);
  if (scan.last) notes["last_time"] = format_time(*scan.last);
  if (scan.unsorted) notes["unsorted"] = true;
  if (scan.zone_assumed) notes["zone_assumed"] = "UTC";
  if (scan.torn_last_line) notes["torn_last_line"] = true;
  return notes;
}

class LogCollector {
 public:
  LogCollector(const Target& target, EvidenceSink& sink)
      : window_(window_of(target.arguments)), target_(target), sink_(sink) {}

  void source(const LogSource& source) {
    const LogSet found = find_log_files(source);
    for (const std::string& problem : found.problems) {
      sink_.gap(source.path, Outcome::failed, problem);
    }
    if (found.matches == 0) {
      std::string why = has_wildcard(source.path)
                            ? "no file matches the pattern"
                            : "no such file";
      if (!found.files.empty()) why += "; what was rotated from it was taken";
      sink_.gap(source.path, Outcome::missing, why);
    }
    for (const LogFile& file : found.files) {
      if (must_stop()) {
        sink_.gap(file.path.native(), Outcome::partial,
                  "stopped: this log and those after it were not taken");
        return;
      }
      if (taken_.insert(file.path.lexically_normal().native()).second) {
        one(source, file);
      }
    }
  }

 private:
  [[nodiscard]] bool must_stop() const {
    return sink_.must_stop() || target_.cancellation.requested();
  }

  static std::string name_below(std::string_view prefix, const fs::path& path) {
    return std::string(prefix) +
           path.lexically_normal().relative_path().native();
  }

  void one(const LogSource& source, const LogFile& file) {
    const fs::path& path = file.path;
    FileRequest request{.name = name_below(kPrefix, path), .path = path};
    if (!file.rotated_from.empty()) {
      request.notes["rotated_from"] = lossless_utf8(file.rotated_from.native());
    }
    const auto stat = stat_path(path, Links::refuse);
    if (stat && stat->kind == FileKind::symlink && !follow(request)) return;
    const auto kind = stat_path(request.path, Links::refuse);
    if (!kind || kind->kind != FileKind::regular) {
      sink_.gap(path.native(), kind ? Outcome::failed : Outcome::missing,
                kind ? fmt::format("it is a {}, which is never opened",
                                   to_string(kind->kind))
                     : kind.failure().message());
      return;
    }
    request.notes["format"] = source.format;
    // A file that cannot be opened is the sink's gap to record.
    const auto fd = open_read(request.path);
    if (!fd) {
      sink_.file(request);
      return;
    }
    select(source, path, request);
  }

  /// Logs are often reached through links ("current.jsonl"): what a descriptor
  /// names is taken wherever it lies, under the name that it was found as.
  bool follow(FileRequest& request) {
    const auto text = read_link(request.path);
    std::error_code failure;
    const fs::path real = fs::canonical(request.path, failure);
    if (failure) {
      sink_.entry(request.name, request.path);
      sink_.gap(request.path.native(), Outcome::missing,
                fmt::format("link to {}: {}",
                            printable(text ? *text : std::string("?")),
                            failure.message()));
      return false;
    }
    request.found_as =
        request.path.native() + " -> " + (text ? *text : real.native());
    request.path = real;
    return true;
  }

  /// The window that was asked for does not narrow this log: it is taken whole
  /// and is more than was asked for.
  static void take_whole(FileRequest& request, std::string_view why) {
    request.notes["window"] = fmt::format("not applied: {}", why);
    request.outcome = Outcome::incomplete;
    request.reason =
        fmt::format("the time window was not applied: {}; taken whole", why);
  }

  /// Decides how much of the file is asked for, and takes it. `found` is its
  /// path before links were followed.
  void select(const LogSource& source, const fs::path& found,
              FileRequest& request) {
    const std::string subject = request.path.native();
    const auto as_searched = stat_path(request.path, Links::refuse);
    const auto bytes = open_source(request.path);
    const std::string_view compression = compression_of(*bytes);
    if (!compression.empty()) request.notes["compressed"] = compression;
    if (!compression.empty() || source.format != "jsonl") {
      if (!window_.is_open()) {
        take_whole(request, compression.empty()
                                ? "records of this format cannot be told apart"
                                : "compressed");
      }
      sink_.file(request);
      return;
    }
    LogScan scan = scan_log(*bytes, window_, source.timestamp_key,
                            [this] { return must_stop(); });
    request.notes.update(to_json(scan));
    if (scan.stopped) {
      sink_.gap(subject, Outcome::partial,
                fmt::format("stopped after {} of {} bytes of the log had been "
                            "looked at; it was not taken",
                            scan.size, bytes->size()));
      return;
    }
    if (!window_.is_open() && scan.records != 0) {
      if (!narrow_to_window(scan, found, request)) return;
      if (as_searched) request.searched = *as_searched;
    }
    sink_.file(request);
  }

  /// False if nothing of the file is to be taken.
  bool narrow_to_window(LogScan& scan, const fs::path& found,
                        FileRequest& request) {
    if (!scan.first) {
      take_whole(request, "no record states a time");
      return true;
    }
    request.notes["window"] = to_json(window_);
    request.notes["record_count_inside"] = scan.inside;
    if (scan.ranges.empty()) {
      sink_.gap(request.path.native(), Outcome::empty,
                fmt::format("none of its {} records lies{} (they reach from {} "
                            "to {})",
                            scan.records, in_words(window_),
                            format_time(*scan.first), format_time(*scan.last)));
      return false;
    }
    if (scan.widened) {
      request.notes["widened"] = request.reason =
          "too many separate ranges: some records between them were taken too";
      request.outcome = Outcome::incomplete;
    }
    const bool is_all = scan.ranges.size() == 1 &&
                        scan.ranges.front() == ByteRange{0, scan.size};
    if (is_all) return true;
    request.name = name_below(kSlicePrefix, found);
    request.ranges = std::move(scan.ranges);
    request.notes["source_size"] = scan.size;
    if (scan.sha256) request.notes["source_sha256"] = scan.sha256->hex();
    return true;
  }

  TimeWindow window_;
  const Target& target_;
  EvidenceSink& sink_;
  std::set<std::string> taken_;
};

void collect(const Target& target, EvidenceSink& sink) {
  const std::vector<LogSource> sources = sources_of(target);
  LogCollector collector(target, sink);
  if (sources.empty()) {
    sink.gap("prompt logs", Outcome::missing,
             "the deployment names no logs and no path was given");
  }
  for (const LogSource& source : sources) collector.source(source);
}

/// Sizes of all matching files, whatever the window: telling what lies inside
/// it would mean to read them.
void add_sizes(const Target& target, SizingSink& sizes) {
  for (const LogSource& source : sources_of(target)) {
    for (const LogFile& file : find_log_files(source).files) {
      sizes.file({.name = "", .path = file.path, .follow_link = true});
    }
  }
}

std::string describe(const Target& target) {
  SizingSink sizes;
  add_sizes(target, sizes);
  const TimeWindow window = window_of(target.arguments);
  std::string text = fmt::format("Reads {} log files, {}", sizes.files_seen(),
                                 human_bytes(sizes.bytes_seen()));
  if (!window.is_open()) {
    text += ", and takes the records" + in_words(window);
  }
  return text + ".";
}

std::uint64_t estimate(const Target& target) {
  SizingSink sizes;
  add_sizes(target, sizes);
  return sizes.bytes_seen();
}

/// A dotted path into a record is a few words.
constexpr std::int64_t kMaxTimestampKey = 200;

const std::array kParameters{
    Parameter{.name = "since",
              .type = ParameterType::time,
              .help = "Take records from this time on."},
    Parameter{.name = "until",
              .type = ParameterType::time,
              .help = "Take records up to this time."},
    Parameter{
        .name = "path",
        .type = ParameterType::path,
        .help = "A file or pattern to take instead of the deployment's logs.",
        .touches = Touches::pattern},
    Parameter{.name = "timestamp",
              .type = ParameterType::text,
              .help = "With path: where a record states its time, as a dotted "
                      "path.",
              .most = kMaxTimestampKey,
              .touches = Touches::nothing},
};

constexpr std::array kTakes{DeploymentPart::logs};

}  // namespace

extern const Collector kPromptLog;
constinit const Collector kPromptLog{
    .name = "prompt-log",
    .summary = "Prompt logs of the deployment, whole or within a time window.",
    .reach = Reach::files,
    .volatility = 4,
    .parameters = kParameters,
    .check = check,
    .collect = collect,
    .describe = describe,
    .estimate = estimate,
    .takes = kTakes,
};

}  // namespace impound
