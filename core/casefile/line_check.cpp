// SPDX-License-Identifier: Apache-2.0
#include "core/casefile/line_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "core/base/error.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/casefile/actions.hpp"

namespace impound {
namespace {

constexpr std::size_t kExcerpt = 160;
constexpr std::int64_t kLateNs = 60'000'000'000;  // SCHEMA.md: > 60 s
constexpr std::string_view kLinkKey = R"("prev":")";

std::size_t count_of(std::string_view text, std::string_view what) {
  std::size_t count = 0;
  for (std::size_t at = text.find(what); at != text.npos;
       at = text.find(what, at + what.size())) {
    ++count;
  }
  return count;
}

/// Keys of the outermost object, repeated ones counted again: a parser keeps
/// one of two equal keys, and not every parser the same one.
std::size_t outer_keys(std::string_view line) {
  std::size_t keys = 0;
  int depth = 0;
  bool in_text = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (in_text) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_text = false;
      }
      continue;
    }
    if (c == '"') in_text = true;
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
    if (c == ':' && depth == 1) ++keys;
  }
  return keys;
}

std::string keys_of(const Json& json) {
  std::string keys;
  for (const auto& [key, value] : json.items()) {
    keys += keys.empty() ? "" : " ";
    keys += key;
  }
  return keys;
}

std::string all_keys() {
  std::string keys;
  for (const std::string_view key : kEntryKeys) {
    keys += keys.empty() ? "" : " ";
    keys += key;
  }
  return keys;
}

bool has_entry_keys(const Json& json) {
  if (!json.is_object() || json.size() != kEntryKeys.size()) return false;
  auto expected = kEntryKeys.begin();
  return std::ranges::all_of(json.items(), [&](const auto& item) {
    return item.key() == *expected++;
  });
}

/// 0 for what is no version; check_place() says so.
int version_of(const Json& json) {
  const Json& version = json["v"];
  for (int known = kOldestLineVersion; known <= kLineVersion; ++known) {
    if (version.is_number_integer() && version == known) return known;
  }
  return 0;
}

class LineCheck {
 public:
  LineCheck(std::int64_t seq, std::vector<CustodyProblem>& problems)
      : seq_(seq), problems_(problems) {}

  void wrong(std::string what, std::string expected, std::string found) {
    problems_.push_back(
        {seq_, std::move(what), std::move(expected), std::move(found)});
  }

  /// The types that every entry has; SCHEMA.md.
  void types(const Json& json) {
    for (const char* key : {"clock", "actor", "host", "tool", "detail"}) {
      if (!json[key].is_object()) wrong(key, "an object", kind(json[key]));
    }
    for (const char* key : {"id", "action", "purpose", "outcome"}) {
      if (!json[key].is_string()) wrong(key, "a text", kind(json[key]));
    }
    for (const char* key : {"late_reason", "item", "run", "step"}) {
      if (!json[key].is_string() && !json[key].is_null()) {
        wrong(key, "a text or null", kind(json[key]));
      }
    }
    for (const char* key : {"object", "authority"}) {
      if (!json[key].is_object() && !json[key].is_null()) {
        wrong(key, "an object or null", kind(json[key]));
      }
    }
    if (!json["refs"].is_array()) wrong("refs", "a list", kind(json["refs"]));
    check_outcome(text_or(json, "outcome", ""), version_of(json));
    check_action(text_or(json, "action", ""), version_of(json));
  }

  void check_outcome(const std::string& outcome, int version) {
    const auto known = outcome_from(outcome);
    if (!known) {
      wrong("outcome", "one of SCHEMA.md's outcomes", excerpt(outcome));
    } else if (version != 0 && line_version_of(*known) > version) {
      wrong("outcome", fmt::format("a word of version {} of the line", version),
            outcome);
    }
  }

  void check_action(const std::string& action, int version) {
    const ActionRule* rule = find_action(action);
    if (rule == nullptr || version == 0) return;  // said elsewhere
    if (rule->since_version > version) {
      wrong("action", fmt::format("a word of version {} of the line", version),
            action);
    }
  }

  void times(const Json& json) {
    const auto at = time(json, "ts");
    const auto recorded = time(json, "recorded_at");
    if (!at || !recorded) return;
    const std::string late = text_or(json, "late_reason", "");
    // Compared in one direction at a time: the difference of two hostile times
    // may not fit.
    if (*at < *recorded - kLateNs && late.empty()) {
      wrong("late_reason", "the reason of an entry made more than 60 s later",
            fmt::format("none; ts {}, recorded_at {}", format_time(*at),
                        format_time(*recorded)));
    }
    if (*at > *recorded + kLateNs) {
      wrong("ts", "not after recorded_at " + format_time(*recorded),
            format_time(*at));
    }
  }

 private:
  static std::string kind(const Json& value) { return value.type_name(); }

  std::optional<TimeNs> time(const Json& json, const char* key) {
    const std::string text = text_or(json, key, "");
    const auto parsed = parse_time(text);
    // Years in which a minute more or less cannot overflow.
    const bool sane = parsed && *parsed > 0 &&
                      *parsed < std::numeric_limits<TimeNs>::max() / 2 &&
                      format_time(*parsed) == text;
    if (!sane) {
      wrong(key, "a time like 2026-11-23T03:04:05.123456Z", excerpt(text));
      return std::nullopt;
    }
    return parsed;
  }

  std::int64_t seq_;
  std::vector<CustodyProblem>& problems_;
};

}  // namespace

std::string excerpt(std::string_view text) {
  const std::string shown = printable(text.substr(0, kExcerpt));
  return text.size() > kExcerpt ? shown + "…" : shown;
}

CheckedLine check_line(std::int64_t seq, std::string_view line) {
  CheckedLine result;
  LineCheck check(seq, result.problems);
  if (line.size() > limits::kMaxCustodyLine) {
    check.wrong("line", "at most " + human_bytes(limits::kMaxCustodyLine),
                human_bytes(line.size()));
    return result;
  }
  if (line.find('\n') != line.npos) {
    check.wrong("line", "one line",
                "a line break at byte " + std::to_string(line.find('\n')));
    return result;
  }
  Json json;
  try {
    json = parse_json(line, fmt::format("entry {}", seq));
  } catch (const Error& error) {
    check.wrong("json", "one JSON object", error.what());
    return result;
  }
  if (!has_entry_keys(json) || outer_keys(line) != kEntryKeys.size()) {
    check.wrong("keys", all_keys(),
                excerpt(json.is_object() ? keys_of(json) : json.type_name()));
    return result;
  }
  // SCHEMA.md: no other key is called prev, or a stranger's sed finds that.
  if (const std::size_t links = count_of(line, kLinkKey); links != 1) {
    check.wrong("prev", "one key \"prev\"", std::to_string(links));
  }
  check.types(json);
  check.times(json);
  if (result.problems.empty()) {
    if (const auto lack = missing_field(json)) {
      check.wrong("action", "all that SCHEMA.md asks of it", *lack);
    }
  }
  result.json = std::move(json);
  return result;
}

void check_place(const ChainPlace& place, std::string_view line,
                 const Json& json, std::vector<CustodyProblem>& problems) {
  const std::size_t before = problems.size();
  LineCheck check(place.seq, problems);
  const std::string id = entry_id(place);
  const auto compare = [&](const char* key, const Json& expected) {
    if (json[key] == expected) return;
    check.wrong(
        key,
        expected.is_string() ? expected.get<std::string>() : expected.dump(),
        excerpt(json[key].is_string() ? json[key].get<std::string>()
                                      : dump_line(json[key])));
  };
  const int version = version_of(json);
  if (version == 0) {
    check.wrong("v", fmt::format("{} to {}", kOldestLineVersion, kLineVersion),
                excerpt(dump_line(json["v"])));
  }
  compare("case", place.case_id);
  compare("seq", place.seq);
  compare("prev", place.prev);
  if (problems.size() == before) compare("id", id);
  if (problems.size() != before) return;
  // What a stranger's sed and ours read must be the same bytes.
  const std::string beginning =
      fmt::format(R"({{"v":{},"case":"{}","seq":{},"prev":"{}","id":"{}",)",
                  version, place.case_id, place.seq, place.prev, id);
  if (!line.starts_with(beginning)) {
    check.wrong("line", beginning, excerpt(line.substr(0, beginning.size())));
  }
}

}  // namespace impound
