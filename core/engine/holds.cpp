// SPDX-License-Identifier: Apache-2.0
#include "core/engine/holds.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"

namespace impound {
namespace {

constexpr std::string_view kEnding = ".hold.json";

/// How long one containment or release of another process may keep us.
constexpr int kLockTries = 600;
constexpr int kLockPauseMs = 100;

fs::path file_of(const fs::path& folder, const std::string& intent) {
  return folder / (intent + std::string(kEnding));
}

/// Ids are UUIDs of our own entries; anything else must not become a path.
bool is_plain_id(const std::string& id) {
  return !id.empty() && id.size() <= 64 && std::ranges::all_of(id, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-';
  });
}

}  // namespace

Hold hold_from_json(const Json& json, const std::string& source) {
  Hold hold;
  hold.intent = require_text(json, "intent", source);
  hold.case_id = require_text(json, "case", source);
  hold.case_folder = from_lossless_utf8(require_text(json, "folder", source));
  hold.deployment = require_text(json, "deployment", source);
  hold.method = require_text(json, "method", source);
  hold.since = require_text(json, "since", source);
  hold.by = require_text(json, "by", source);
  hold.boot_id = require_text(json, "boot_id", source);
  hold.before = require_key(json, "before", source);
  hold.target = require_key(json, "target", source);
  for (const Json& one : require_key(json, "things", source)) {
    if (one.is_string()) hold.things.push_back(one.get<std::string>());
  }
  return hold;
}

Json Hold::to_json() const {
  Json json;
  json["v"] = 1;
  json["intent"] = intent;
  json["case"] = case_id;
  json["folder"] = lossless_utf8(case_folder.native());
  json["deployment"] = deployment;
  json["method"] = method;
  json["since"] = since;
  json["by"] = by;
  json["boot_id"] = boot_id;
  json["things"] = things;
  json["before"] = before;
  json["target"] = target;
  return json;
}

Json Hold::summary() const {
  Json json;
  json["case"] = case_id;
  json["folder"] = lossless_utf8(case_folder.native());
  json["deployment"] = deployment;
  json["method"] = method;
  json["since"] = since;
  json["by"] = by;
  json["intent"] = intent;
  return json;
}

std::string Hold::in_words() const {
  return fmt::format(
      "case {} ({}), contained as {} by {} since {}, as its "
      "mark on this machine says",
      printable(case_id), printable(case_folder.native()),
      printable(deployment), printable(by), since);
}

HoldList list_holds(const fs::path& folder) {
  HoldList list;
  const auto names = list_directory(folder);
  if (!names) {
    if (!names.failure().is_missing()) {
      list.problems.push_back(fmt::format("{} cannot be read: {}",
                                          printable(folder.native()),
                                          names.failure().message()));
    }
    return list;
  }
  for (const std::string& name : *names) {
    if (!name.ends_with(kEnding)) continue;
    const fs::path file = folder / name;
    try {
      const std::string source = printable(file.native());
      list.holds.push_back(hold_from_json(
          parse_json(read_text_file(file, limits::kMaxSmallFile), source),
          source));
    } catch (const Error& error) {
      list.problems.push_back(error.what());
    }
  }
  return list;
}

bool share_a_thing(const std::vector<std::string>& a,
                   const std::vector<std::string>& b) {
  return std::ranges::any_of(a, [&](const std::string& thing) {
    return std::ranges::find(b, thing) != b.end();
  });
}

HoldRegister::HoldRegister(fs::path folder, const Cancellation& cancellation)
    : folder_(std::move(folder)) {
  const fs::path lock = folder_ / "lock";
  try {
    create_folders(folder_);
    lock_ = open_lock_file(lock);
  } catch (const Error& error) {
    problem_ = error.what();
    return;
  }
  for (int tries = 0; !try_lock(lock_); ++tries) {
    if (tries == kLockTries || cancellation.requested()) {
      throw Error(Errc::io,
                  fmt::format("another impound process is containing or "
                              "releasing on this machine ({} is locked)",
                              printable(lock.native())));
    }
    pause_ms(kLockPauseMs);
  }
}

HoldList HoldRegister::list() const { return list_holds(folder_); }

bool HoldRegister::add(const Hold& hold) {
  if (!problem_.empty()) return false;
  try {
    if (!is_plain_id(hold.intent)) {
      throw Error(Errc::bad_input, "no entry id: " + printable(hold.intent));
    }
    const std::string text = dump_line(hold.to_json()) + "\n";
    write_file_durably(file_of(folder_, hold.intent), as_bytes(text), 0600);
  } catch (const Error& error) {
    problem_ = error.what();
    return false;
  }
  return true;
}

void HoldRegister::remove(const std::string& intent) noexcept {
  if (problem_.empty() && is_plain_id(intent)) {
    remove_file(file_of(folder_, intent));
  }
}

}  // namespace impound
