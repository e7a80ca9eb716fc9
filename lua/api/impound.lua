---@meta impound
-- Signatures only; the code is lua/lib/impound.lua and lua/host.
-- tests/unit/lua/api_stub_test.cpp fails when names differ.

--- What every playbook requires: `local impound = require("impound")`.
---@class impound
local impound = {}

---@alias impound.Effect
---| "read"    # looks and records
---| "contain" # takes a deployment out of service or gives it back

---@alias impound.ParameterType
---| "path"     # a file or folder, as text; default = "" means it may be left out
---| "text"     # at most `max` bytes, 4096 unless said; default = "" means it may be left out
---| "integer"  # from `min` to `max`
---| "choice"   # one of `choices`
---| "duration" # "90s", "15m", "36h", "7d": stays text
---| "digest"   # SHA-256, 64 hexadecimal digits, lower case
---| "boolean"  # yes, no, true, false on the command line
---| "time"     # RFC 3339, a date, or a duration back from now; arrives as "2026-11-23T00:00:00.000000Z"

---@class impound.Parameter
---@field type impound.ParameterType
---@field help string A full sentence, with a full stop.
---@field default? any Absent: the parameter is required.
---@field choices? string[] For type "choice".
---@field min? integer For type "integer".
---@field max? integer For type "integer"; of a "text" its bytes.

---@class impound.Step
---@field id string Lower-case words joined by dashes; one short word is best.
---@field title string Imperative phrase a responder could do by hand, no full stop.
---@field run fun(ctx: impound.Context)
---@field after? string[] Ids of earlier steps; if one fails, this one is skipped and shown as skipped.
---@field effect? impound.Effect "read" unless said otherwise.
---@field when? fun(ctx: impound.Context): boolean The step runs only if this answers true.

---@class impound.Needs
---@field collectors? string[] Every collector that ctx:collect may name.
---@field containments? string[] Methods that ctx:contain may use; "deployment" is the one its descriptor names.
---@field reads? string[] Files and folders to read besides those of the deployment: absolute, plain, outside of the
---examiner's home, /proc, /sys and /dev; at most 32. A person approves them before the first step, as a containment:
---at the terminal, with --answer reads=yes or --yes; else the run waits (exit code 5).
---@field min_tool? string Oldest version of impound it works with.

--- A question that is asked only if the evidence leads there, so that no plan meets it. Declared, it can be answered
--- with --answer. It is asked with the same choices and approves.
---@class impound.DeclaredQuestion
---@field question string
---@field choices? string[] Absent: free text, or yes and no where it approves an act.
---@field default? string
---@field approves? "contain"|"release"

---@class impound.Playbook
---@field schema 1
---@field id string The name of the playbook's folder.
---@field version string "major.minor.patch"; written into the record.
---@field title string Noun phrase, no full stop.
---@field description? string
---@field owner string A team, not a person.
---@field effect impound.Effect The highest effect of any step.
---@field needs impound.Needs
---@field references? string[] Links that justify the method.
---@field params? table<string, impound.Parameter>
---@field questions? table<string, impound.DeclaredQuestion> By id.
---@field steps impound.Step[] In the order they run.

--- Declares a playbook. The file returns what this returns; everything is checked before any step runs, and every
--- problem is reported with file, line and field.
---@param playbook impound.Playbook
---@return impound.Playbook playbook The same table.
--- Error `bad_input` if the argument is no table.
---
--- Example:
--- ```lua
--- return impound.playbook({ schema = 1, id = "my-check", … })
--- ```
function impound.playbook(playbook) end

return impound
