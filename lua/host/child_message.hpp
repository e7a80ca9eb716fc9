// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What the child of a playbook may say to its parent, decoded and checked: the
/// child runs the code of strangers, so nothing it says is believed.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/json.hpp"

namespace impound::lua {

/// An error inside Lua as the child reports it.
struct ChildFailure {
  std::string code;
  std::string message;
  std::string at;
  bool fatal = false;  ///< the child cannot go on with the next step

  [[nodiscard]] std::string text() const;  ///< "at: message"
};

struct DeclaredGlobal {
  std::string file;
  std::string name;
  int line = 0;
  bool is_write = false;
};

struct ChildMessage {
  enum class Kind : std::uint8_t {
    confined,    ///< isolation: the first message, before the playbook
    loaded,      ///< declared (a playbook) or names (tests), globals
    failed,      ///< failure: the file could not be loaded
    call,        ///< function, arguments, at
    step_ended,  ///< ran, failure
    fake,        ///< declared, setup: a test starts a made-up case
    test_ended,  ///< failure
  };

  Kind kind = Kind::failed;
  Json declared = Json::object();
  int line = 0;  ///< of the call of impound.playbook
  std::vector<std::string> names;
  std::vector<DeclaredGlobal> globals;
  std::optional<ChildFailure> failure;
  std::string function;
  Json arguments = Json::object();
  std::string at;
  bool ran = true;  ///< false: the step's own condition said no
  Json setup = Json::object();
  Json isolation = Json::object();  ///< what the child gave up (isolate.hpp)
};

/// @throws Error{malformed} naming the key and what was expected.
[[nodiscard]] ChildMessage decode_child_message(std::string_view text);

}  // namespace impound::lua
