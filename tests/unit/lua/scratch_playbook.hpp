// SPDX-License-Identifier: Apache-2.0
#pragma once
/// A playbook written by a test, and the program that runs its child.

#include <string>
#include <string_view>

#include "collectors/registry.hpp"
#include "containment/registry.hpp"
#include "core/base/fs.hpp"
#include "lua/host/playbook_commands.hpp"
#include "tests/support/temp_dir.hpp"

namespace impound::test {

[[nodiscard]] inline lua::ChildOptions child_options() {
  lua::ChildOptions options;
  options.program = IMPOUND_LUA_CHILD;
  return options;
}

/// What this build can reach out with.
[[nodiscard]] inline lua::Instruments instruments() {
  return {.collectors = all_collectors(), .containments = all_containments()};
}

/// A playbook with one step; BODY is its code, and lines are counted below.
[[nodiscard]] inline std::string playbook_with(
    std::string_view body, std::string_view effect = "read") {
  std::string text = R"lua(local impound = require("impound")
local function act(ctx)
@BODY@
end
return impound.playbook({
  schema = 1,
  id = "probe-me",
  version = "1.2.3",
  title = "A playbook for a test",
  owner = "tests",
  effect = "@EFFECT@",
  needs = { collectors = { "model-files" }, containments = @CONTAINMENTS@ },
  references = { "https://example.org" },
  steps = { { id = "act", title = "Do it", run = act, effect = "@EFFECT@" } },
})
)lua";
  const auto fill = [&text](std::string_view mark, std::string_view value) {
    for (std::size_t at = 0; (at = text.find(mark, at)) != std::string::npos;) {
      text.replace(at, mark.size(), value);
      at += value.size();
    }
  };
  fill("@EFFECT@", effect);
  fill("@CONTAINMENTS@", effect == "read" ? "{}" : "{ \"process\" }");
  fill("@BODY@", body);
  return text;
}

/// A folder named probe-me that holds one playbook.
class ScratchPlaybook {
 public:
  [[nodiscard]] fs::path folder() const { return root_.path() / "probe-me"; }

  void write(std::string_view name, std::string_view text) const {
    static_cast<void>(root_.write("probe-me/" + std::string(name), text));
  }

  /// Writes playbook.lua and reads it back.
  [[nodiscard]] lua::LoadResult read(std::string_view text) const {
    write("playbook.lua", text);
    return lua::read_playbook(folder(), child_options());
  }

  [[nodiscard]] lua::LoadedPlaybook load(std::string_view text) const {
    write("playbook.lua", text);
    return lua::load_playbook(folder(), child_options());
  }

 private:
  TempDir root_;
};

}  // namespace impound::test
