// SPDX-License-Identifier: Apache-2.0
#include "core/compare/meaning/vocabulary_diff.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/text.hpp"

namespace impound {
namespace {

struct Moved {
  std::string token;
  std::uint64_t before = 0;
  std::uint64_t after = 0;
};

using Entry = std::pair<std::uint64_t, std::string>;

Json listed(std::vector<Entry>& entries) {
  std::sort(entries.begin(), entries.end());
  Json list = Json::array();
  for (std::size_t i = 0; i < std::min(entries.size(), kMostListedTokens);
       ++i) {
    list.push_back({{"token", lossless_utf8(entries[i].second)},
                    {"id", entries[i].first}});
  }
  return list;
}

/// "'a', 'b' and 3 more".
std::string some_tokens(const Json& list, std::uint64_t count) {
  constexpr std::size_t kShown = 5;
  std::string text;
  for (std::size_t i = 0; i < std::min(list.size(), kShown); ++i) {
    text += fmt::format("{}'{}'", i == 0 ? "" : ", ",
                        printable(list[i]["token"].get<std::string>()));
  }
  if (count > kShown) text += fmt::format(" and {} more", count - kShown);
  return text;
}

}  // namespace

Json diff_vocabulary(const Vocabulary& before, const Vocabulary& after) {
  std::vector<Entry> added;
  std::vector<Entry> removed;
  std::vector<Moved> moved;
  for (const auto& [token, id] : before) {
    const auto now = after.find(token);
    if (now == after.end()) {
      removed.emplace_back(id, token);
    } else if (now->second != id) {
      moved.push_back({token, id, now->second});
    }
  }
  for (const auto& [token, id] : after) {
    if (!before.contains(token)) added.emplace_back(id, token);
  }
  if (added.empty() && removed.empty() && moved.empty()) return nullptr;
  std::sort(moved.begin(), moved.end(), [](const Moved& a, const Moved& b) {
    return std::tie(a.before, a.token) < std::tie(b.before, b.token);
  });
  Json moves = Json::array();
  for (std::size_t i = 0; i < std::min(moved.size(), kMostListedTokens); ++i) {
    moves.push_back({{"token", lossless_utf8(moved[i].token)},
                     {"before", moved[i].before},
                     {"after", moved[i].after}});
  }
  return {{"counts",
           {{"added", added.size()},
            {"removed", removed.size()},
            {"moved", moved.size()}}},
          {"added", listed(added)},
          {"removed", listed(removed)},
          {"moved", std::move(moves)}};
}

namespace {

std::string tokens_are(std::uint64_t count) {
  return count == 1 ? "1 token is" : fmt::format("{} tokens are", count);
}

}  // namespace

std::vector<std::string> vocabulary_notes(const Json& changes) {
  std::vector<std::string> notes;
  if (!changes.is_object()) return notes;
  const auto count = [&](const char* kind) {
    return changes["counts"][kind].get<std::uint64_t>();
  };
  if (count("moved") > 0) {
    notes.push_back(fmt::format(
        "{} tokens have another number ({}): the model reads and writes one "
        "as the other",
        count("moved"), some_tokens(changes["moved"], count("moved"))));
  }
  if (count("added") > 0) {
    notes.push_back(fmt::format("{} new: {}", tokens_are(count("added")),
                                some_tokens(changes["added"], count("added"))));
  }
  if (count("removed") > 0) {
    notes.push_back(
        fmt::format("{} gone: {}", tokens_are(count("removed")),
                    some_tokens(changes["removed"], count("removed"))));
  }
  return notes;
}

}  // namespace impound
