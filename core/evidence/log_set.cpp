// SPDX-License-Identifier: Apache-2.0
#include "core/evidence/log_set.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "core/base/fs.hpp"
#include "core/base/path_glob.hpp"
#include "core/base/text.hpp"

namespace impound {
namespace {

constexpr std::array<std::string_view, 7> kCompressed{
    ".gz", ".zst", ".xz", ".bz2", ".lz4", ".lzma", ".Z"};
constexpr std::array<std::string_view, 3> kKept{".old", ".prev", ".previous"};

/// logrotate counts to four digits at most (`rotate 9999`).
constexpr std::size_t kMostCountDigits = 4;

/// Endings are taken off one after the other: a date, a number, a compression
/// and one more for those that are doubled.
constexpr int kMostEndings = 4;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_number(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, is_digit);
}

bool is_count(std::string_view text) {
  return is_number(text) && text.size() <= kMostCountDigits;
}

/// A time in the name: 20261127, 2026-11-27, 2026-11-27_10, 20261127T101500Z,
/// 20261127-1795737600, 1795737600 (seconds), with milliseconds.
bool is_stamp(std::string_view text) {
  if (is_number(text) && (text.size() == 10 || text.size() == 13)) return true;
  const bool has_century = text.starts_with("19") || text.starts_with("20");
  std::size_t digits = 0;
  for (const char c : text) {
    if (is_digit(c)) {
      ++digits;
    } else if (std::string_view("-_T:Z+").find(c) == std::string_view::npos) {
      return false;
    }
  }
  return has_century && text.size() >= 6 && is_digit(text[2]) &&
         is_digit(text[3]) && digits >= 6 && digits <= 24;
}

/// "chat-20261127" → "chat", at every separator where what follows is a stamp
/// (dates hold separators themselves); "chat.1" → "chat".
void add_before_stamp(std::string_view text, std::string_view ending,
                      std::vector<std::string>& names) {
  for (std::size_t at = 1; at < text.size(); ++at) {
    const char c = text[at];
    if (c != '.' && c != '-' && c != '_') continue;
    const std::string_view rest = text.substr(at + 1);
    if (is_stamp(rest) || (c == '.' && is_count(rest))) {
      names.push_back(std::string(text.substr(0, at)) + std::string(ending));
    }
  }
}

/// Names with one ending less.
std::vector<std::string> one_ending_less(std::string_view name) {
  std::vector<std::string> names;
  for (const auto& endings : {std::span<const std::string_view>(kCompressed),
                              std::span<const std::string_view>(kKept)}) {
    for (const std::string_view ending : endings) {
      if (name.size() > ending.size() && name.ends_with(ending)) {
        names.emplace_back(name.substr(0, name.size() - ending.size()));
      }
    }
  }
  add_before_stamp(name, "", names);
  const std::size_t dot = name.rfind('.');
  if (dot != name.npos && dot > 0 && dot + 1 < name.size() &&
      !is_digit(name[dot + 1])) {
    add_before_stamp(name.substr(0, dot), name.substr(dot), names);
  }
  return names;
}

/// A pattern for all files in the folders that the pattern looks into.
std::string all_beside(std::string_view pattern) {
  const std::size_t slash = pattern.rfind('/');
  const std::string_view last =
      slash == pattern.npos ? pattern : pattern.substr(slash + 1);
  // The '/' stands in a group, {a/x,b/y}: every folder below its beginning.
  if (std::ranges::count(last, '{') != std::ranges::count(last, '}')) {
    const std::size_t group = pattern.find('{');
    const std::size_t before = pattern.rfind('/', group);
    return std::string(
               pattern.substr(0, before == pattern.npos ? 0 : before + 1)) +
           "**";
  }
  return std::string(pattern.substr(0, slash == pattern.npos ? 0 : slash + 1)) +
         "*";
}

/// Whether the pattern means a file of this name; a pattern that is the name
/// of a file means that file only.
class Meaning {
 public:
  explicit Meaning(const std::string& pattern)
      : pattern_(pattern),
        is_literal_(!has_wildcard(pattern) ||
                    stat_path(pattern, Links::refuse)) {}

  [[nodiscard]] bool holds(const std::string& path) const {
    return is_literal_ ? path == pattern_ : glob_match(pattern_, path);
  }

 private:
  const std::string& pattern_;
  bool is_literal_;
};

/// Files in the folders of the pattern.
GlobMatches files_beside(const std::string& pattern) {
  const bool is_literal =
      !has_wildcard(pattern) || stat_path(pattern, Links::refuse);
  if (!is_literal) return find_matches(all_beside(pattern));
  // The folder's name may hold the characters of a pattern.
  GlobMatches found;
  const fs::path folder = fs::path(pattern).parent_path();
  const auto names = list_directory(folder);
  if (!names) {
    if (!names.failure().is_missing()) {
      found.problems.push_back("cannot list " + printable(folder.native()) +
                               ": " + names.failure().message());
    }
    return found;
  }
  for (const std::string& name : *names) {
    const auto stat = stat_path(folder / name, Links::refuse);
    if (stat && stat->kind != FileKind::directory) {
      found.paths.push_back(folder / name);
    }
  }
  return found;
}

/// The part of a log's name that its whole set begins with: "chat" of
/// "chat.jsonl" and of "chat-20261127.jsonl.gz".
std::string beginning_of(const LogFile& file) {
  const std::string name = file.rotated_from.empty()
                               ? file.path.filename().native()
                               : file.rotated_from.filename().native();
  const std::size_t dot = name.find('.', 1);
  return name.substr(0, dot);
}

/// "chat" begins "chat.tmp", "chat-old" and "chat_2", and not "chatter".
bool begins_like(const std::string& name, const std::string& beginning) {
  if (!name.starts_with(beginning)) return false;
  if (name.size() == beginning.size()) return true;
  const char next = name[beginning.size()];
  return next == '.' || next == '-' || next == '_' || next == '~';
}

}  // namespace

std::vector<std::string> names_before_rotation(std::string_view name) {
  std::vector<std::string> all;
  std::vector<std::string> last{std::string(name)};
  for (int round = 0; round < kMostEndings && !last.empty(); ++round) {
    std::vector<std::string> next;
    for (const std::string& one : last) {
      for (std::string& shorter : one_ending_less(one)) {
        if (std::ranges::find(all, shorter) != all.end()) continue;
        all.push_back(shorter);
        next.push_back(std::move(shorter));
      }
    }
    last = std::move(next);
  }
  return all;
}

LogSet find_log_files(const LogSource& source) {
  GlobMatches matched = find_matches(source.path);
  LogSet set;
  set.matches = matched.paths.size();
  set.problems = std::move(matched.problems);
  std::map<std::string, fs::path> files;  // path → what it was rotated from
  for (const fs::path& path : matched.paths) files.emplace(path.native(), "");
  if (source.rotated) {
    const Meaning meaning(source.path);
    GlobMatches beside = files_beside(source.path);
    for (std::string& problem : beside.problems) {
      if (std::ranges::find(set.problems, problem) == set.problems.end()) {
        set.problems.push_back(std::move(problem));
      }
    }
    for (const fs::path& path : beside.paths) {
      for (const std::string& name :
           names_before_rotation(path.filename().native())) {
        const fs::path before = path.parent_path() / name;
        if (!meaning.holds(before.native())) continue;
        files.emplace(path.native(), before);
        break;
      }
    }
  }
  for (auto& [path, before] : files) {
    set.files.push_back({.path = path, .rotated_from = std::move(before)});
  }
  return set;
}

std::vector<fs::path> log_neighbours(const LogSource& source,
                                     const std::vector<LogSource>& entries) {
  std::set<std::string> meant;
  for (const LogSource& entry : entries) {
    for (const LogFile& file : find_log_files(entry).files) {
      meant.insert(file.path.native());
    }
  }
  std::set<std::pair<std::string, std::string>> beginnings;  // folder, name
  for (const LogFile& file : find_log_files(source).files) {
    beginnings.emplace(file.path.parent_path().native(), beginning_of(file));
  }
  std::vector<fs::path> neighbours;
  for (const fs::path& path : files_beside(source.path).paths) {
    if (meant.contains(path.native())) continue;
    const std::string folder = path.parent_path().native();
    const std::string name = path.filename().native();
    if (std::ranges::any_of(beginnings, [&](const auto& beginning) {
          return beginning.first == folder &&
                 begins_like(name, beginning.second);
        })) {
      neighbours.push_back(path);
    }
  }
  std::ranges::sort(neighbours);
  return neighbours;
}

}  // namespace impound
