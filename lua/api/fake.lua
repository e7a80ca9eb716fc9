---@meta impound.fake
-- Signatures only; the code is lua/lib/impound/fake.lua and lua/host/fake_host.cpp.

--- Runs a playbook against a made-up case: `local fake = require("impound.fake")`. For test.lua only. Declarations,
--- calls and approvals are checked by the same code as in a real run.
---@class impound.fake
local fake = {}

---@class impound.FakeItem
---@field name string
---@field content? string What item:read() gives; also decides size and sha256 unless they are given.
---@field size? integer
---@field sha256? string

---@class impound.FakeCollection
---@field items? impound.FakeItem[]
---@field gaps? integer
---@field outcome? string
---@field error? string The collection fails with this.

---@class impound.FakeSetup
---@field params? table<string, any>
---@field deployment? table<string, any> Over a deployment with a model, a method "process", no logs.
---@field collect? table<string, impound.FakeItem[]|impound.FakeCollection> By name of the collector.
---@field answers? table<string, string> By id of the question ("reads" is the one of needs.reads), as the
---question admits it; "waiting" means nobody answers. Not given: the question's default, and where it has none nobody
---answers.
---@field diff? table Answer of ctx:diff, over a whole model of one file and one tensor that is identical; `compared` is
---counted from the lists. Or answers by "before -> after", and what else is given is for all others; without it a call
---of another name fails. As all below: { error = "…" } makes the call fail, a field that no answer has is an error.
---@field baseline? table
---@field scan? table An answer, or answers by subject.
---@field verify? table
---@field signature? table An answer, or answers by subject.
---@field contain? table
---@field release? table { released = false } leaves the deployment contained.
---@field probe? table `contained` follows ctx:contain and ctx:release unless given.
---@field served? table Answer of ctx:served, over a tied model without files of process 4711.

---@class impound.FakeCase
---@field state "done"|"failed"|"waiting"
---@field message string
---@field worst_verdict string
---@field outcome "findings"|"incomplete"|"cleared"|"cleared (files only)"|"nothing found"|"failed"|"waiting"
---@field incomplete string[] Why it is: "step contain: …", also of steps skipped behind a failed one, "nothing was
---compared …".
---@field findings impound.Finding[] `evidence` as "E001/1".
---@field questions impound.Question[]
---@field notes { text: string, step: string }[]
---@field gaps table[]
---@field exhibits { id: string, collector: string, step: string }[]
---@field calls table[] Every call in order: `call` is its name, the rest its arguments.
---@field steps table<string, { result: "done"|"incomplete"|"skipped"|"failed", message: string }>
---@field contained boolean

--- Runs all steps.
---@param playbook impound.Playbook `require("playbook")`
---@param setup? impound.FakeSetup
---@return impound.FakeCase case
--- Error `bad_input` if the playbook, a parameter or the setup is wrong. A failed step is none: see `case.steps`.
---
--- Example:
--- ```lua
--- local case = fake.run(playbook, { collect = { ["model-files"] = { { name = "a.bin", content = "x" } } } })
--- ```
function fake.run(playbook, setup) end

return fake
