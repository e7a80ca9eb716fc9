// SPDX-License-Identifier: Apache-2.0
/// `playbook new`: a folder that passes check and test before its author has
/// typed a line. What it clears and what it does not is the first thing that an
/// author copies, so it is as careful as the shipped ones.

#include <array>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "lua/host/lua_library.hpp"
#include "lua/host/playbook_commands.hpp"
#include "lua/host/playbook_schema.hpp"

namespace impound::lua {
namespace {

struct TemplateFile {
  const char* name;
  std::string_view text;  ///< @ID@ is the id of the playbook
};

constexpr std::string_view kPlaybook =
    R"lua(--- What it is, in one line.
---
--- Answers one question: is every file of the model the one we released?
--- Reads only. About as long as reading the model once.

local impound = require("impound")
local response = require("impound.response")

---@param ctx impound.Context
local function compare(ctx)
  local difference = ctx:diff(ctx.params.baseline, ctx.facts.weights)
  local is_whole = response.report_not_compared(ctx, difference)
  for _, file in ipairs(difference.files) do
    if response.differs(file) then
      ctx:finding({
        verdict = "confirmed",
        severity = "high",
        title = ("File %s: %s"):format(file.path, file.status),
        evidence = { response.evidence_for(ctx, file.path) },
        detail = ("released %s, found %s"):format(file.sha256_before or "none", file.sha256_after or "none"),
      })
    end
  end
  if is_whole and difference.identical then
    local verdict, sentence = response.best_verdict(ctx)
    ctx:finding({
      verdict = verdict,
      title = "The files of the model are the released ones",
      evidence = { ctx.facts.weights },
      detail = ("Identical: %s. %s"):format(difference.compared.words, sentence),
    })
  end
end

---@type impound.Playbook
return impound.playbook({
  schema = 1,
  id = "@ID@",
  version = "0.1.0",
  title = "Model differs from its release",
  owner = "model-security",
  effect = "read",
  needs = { collectors = { "model-files" } },
  references = { "https://atlas.mitre.org/techniques/AML.T0018" },

  params = {
    baseline = { type = "path", help = "Baseline of the released model." },
  },

  steps = {
    { id = "preserve", title = "Take the model files as evidence", run = response.preserve_weights },
    { id = "compare", title = "Compare them with the baseline", after = { "preserve" }, run = compare },
  },
})
)lua";

constexpr std::string_view kTest =
    R"lua(--- Tests of @ID@ against a made-up case: no disk, no model.

local fake = require("impound.fake")
local playbook = require("playbook")

local function run(diff)
  return fake.run(playbook, {
    params = { baseline = "/srv/baseline.json" },
    collect = { ["model-files"] = { { name = "model.safetensors", content = "weights" } } },
    diff = diff,
  })
end

return {
  ["an identical model is cleared, in its files: what is served was not looked at"] = function(t)
    local case = run({ identical = true })
    t.equal(#case.findings, 1)
    t.equal(case.findings[1].verdict, "cleared (files only)")
  end,

  ["what was not compared is a gap and clears nothing"] = function(t)
    local case = run({ identical = true, scope = "part" })
    t.equal(#case.findings, 0)
    t.contains(case.gaps[1].reason, "was not compared")
    case = run({ identical = false, files = { { path = "model.safetensors", status = "unreadable" } } })
    t.equal(#case.findings, 0)
    t.contains(case.gaps[1].reason, "model.safetensors")
  end,

  ["a changed file is confirmed and named"] = function(t)
    local case = run({ identical = false, files = { { path = "model.safetensors", status = "changed" } } })
    t.equal(case.findings[1].verdict, "confirmed")
    t.equal(case.findings[1].evidence, { "E001/1" })
    t.contains(case.findings[1].title, "model.safetensors")
  end,
}
)lua";

constexpr std::string_view kReadme = R"md(# @ID@

## When to use

Say which alarm or suspicion leads here.

## What it answers

Is every file of the model the one we released?

## What it touches

Reads the files of the model. Changes nothing.

## Run it

    impound run @ID@ --case CASE --deployment FILE -p baseline=BASELINE

Exit code 0: cleared (files only). 1: findings. 3: failed, or incomplete. 5: it waits for an answer.

## Reading the result

`cleared (files only)`: every file has the digest of the baseline; what a server holds is not looked at. `confirmed`: the finding names the file and both digests.

## If it says confirmed

Say what a person does next.

## Limits

Say what it cannot see.
)md";

std::string filled_in(std::string_view text, std::string_view id,
                      std::string_view library) {
  std::string result(text);
  for (const auto& [mark, value] :
       {std::pair<std::string_view, std::string_view>{"@ID@", id},
        {"@LIBRARY@", library}}) {
    for (std::size_t at = 0;
         (at = result.find(mark, at)) != std::string::npos;) {
      result.replace(at, mark.size(), value);
      at += value.size();
    }
  }
  return result;
}

constexpr std::string_view kEditor = R"json({
  "runtime.version": "Lua 5.4",
  "workspace.library": ["@LIBRARY@"],
  "workspace.checkThirdParty": false
}
)json";

/// Where the stubs lie that editors read.
std::string stub_folder() {
  if (const auto program = read_link("/proc/self/exe")) {
    const fs::path installed = fs::path(*program).parent_path().parent_path() /
                               IMPOUND_DATA_DIR / "lua/api";
    if (stat_path(installed, Links::follow)) return installed.string();
  }
  return (fs::path(IMPOUND_SOURCE_DIR) / "lua/api").string();
}

}  // namespace

fs::path new_playbook(const fs::path& parent, std::string_view id) {
  if (!is_kebab_case(id)) {
    throw Error(Errc::bad_input,
                "the id of a playbook is lower-case words "
                "joined by dashes, not \"" +
                    std::string(id) + "\"");
  }
  const fs::path folder = parent / id;
  if (stat_path(folder, Links::refuse)) {
    throw Error(Errc::bad_input, folder.string() + " exists already");
  }
  create_folders(folder);
  const std::array<TemplateFile, 4> files{{{"playbook.lua", kPlaybook},
                                           {"test.lua", kTest},
                                           {"README.md", kReadme},
                                           {".luarc.json", kEditor}}};
  const std::string library = stub_folder();
  for (const TemplateFile& file : files) {
    const std::string text = filled_in(file.text, id, library);
    const fs::path path = folder / file.name;
    const UniqueFd fd = create_file(path, 0644);
    write_all(fd, as_bytes(text), path);
  }
  return folder;
}

}  // namespace impound::lua
