// SPDX-License-Identifier: Apache-2.0
#include "lua/host/child_message.hpp"

#include "core/base/bytes.hpp"
#include "core/base/error.hpp"

namespace impound::lua {
namespace {

constexpr std::string_view kSource = "message of the playbook process";

/// Texts in the protocol that are names or places, never contents.
constexpr std::size_t kMaxName = 256;

std::string name_at(const Json& object, std::string_view key) {
  std::string name = require_text(object, key, kSource);
  if (name.size() > kMaxName) {
    throw Error(Errc::malformed, std::string(kSource) + ": " +
                                     std::string(key) + " is longer than " +
                                     std::to_string(kMaxName) + " bytes");
  }
  return name;
}

int line_at(const Json& object) {
  return narrow<int>(require_u64(object, "line", kSource));
}

bool flag_at(const Json& object, std::string_view key) {
  const Json& value = require_key(object, key, kSource);
  if (!value.is_boolean()) {
    throw Error(Errc::malformed, std::string(kSource) + ": " +
                                     std::string(key) + ": expected a boolean");
  }
  return value.get<bool>();
}

const Json& object_at(const Json& object, std::string_view key) {
  const Json& value = require_key(object, key, kSource);
  if (!value.is_object()) {
    throw Error(Errc::malformed, std::string(kSource) + ": " +
                                     std::string(key) + ": expected an object");
  }
  return value;
}

const Json& list_at(const Json& object, std::string_view key) {
  const Json& value = require_key(object, key, kSource);
  if (!value.is_array()) {
    throw Error(Errc::malformed, std::string(kSource) + ": " +
                                     std::string(key) + ": expected a list");
  }
  return value;
}

std::optional<ChildFailure> failure_at(const Json& object) {
  const auto found = object.find("failure");
  if (found == object.end() || found->is_null()) return std::nullopt;
  return ChildFailure{.code = name_at(*found, "code"),
                      .message = require_text(*found, "message", kSource),
                      .at = name_at(*found, "at"),
                      .fatal = flag_at(*found, "fatal")};
}

}  // namespace

std::string ChildFailure::text() const {
  return at.empty() ? message : at + ": " + message;
}

ChildMessage decode_child_message(std::string_view text) {
  using Kind = ChildMessage::Kind;
  const Json json = parse_json(text, kSource);
  ChildMessage message;
  const std::string kind = name_at(json, "t");
  if (kind == "loaded") {
    message.kind = Kind::loaded;
    message.declared = object_at(json, "declared");
    message.line = line_at(json);
    for (const Json& name : list_at(json, "names")) {
      if (!name.is_string()) {
        throw Error(Errc::malformed,
                    std::string(kSource) + ": names: expected text");
      }
      message.names.push_back(name.get<std::string>());
    }
    for (const Json& use : list_at(json, "globals")) {
      message.globals.push_back({.file = name_at(use, "file"),
                                 .name = require_text(use, "name", kSource),
                                 .line = line_at(use),
                                 .is_write = flag_at(use, "write")});
    }
  } else if (kind == "confined") {
    message.kind = Kind::confined;
    message.isolation = object_at(json, "isolation");
  } else if (kind == "failed" || kind == "test_ended") {
    message.kind = kind == "failed" ? Kind::failed : Kind::test_ended;
    message.failure = failure_at(json);
  } else if (kind == "call") {
    message.kind = Kind::call;
    message.function = name_at(json, "function");
    message.arguments = object_at(json, "arguments");
    message.at = name_at(json, "at");
  } else if (kind == "step_ended") {
    message.kind = Kind::step_ended;
    message.ran = flag_at(json, "ran");
    message.failure = failure_at(json);
  } else if (kind == "fake") {
    message.kind = Kind::fake;
    message.declared = object_at(json, "declared");
    message.setup = object_at(json, "setup");
    message.line = line_at(json);
    message.at = name_at(json, "at");
  } else {
    throw Error(Errc::malformed,
                std::string(kSource) + ": t: unknown kind of message");
  }
  if (message.kind == Kind::failed && !message.failure) {
    throw Error(Errc::malformed,
                std::string(kSource) + ": failed without a failure");
  }
  return message;
}

}  // namespace impound::lua
