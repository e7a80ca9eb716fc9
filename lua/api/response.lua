---@meta impound.response
-- Signatures only; the code is lua/lib/impound/response.lua.
-- tests/unit/lua/api_stub_test.cpp fails when names differ.

--- Steps that most playbooks share: `local response = require("impound.response")`. Each can be the `run` or `when` of
--- a step. What they do is still declared by the playbook (`needs`, `effect`) and refused otherwise.
---@class impound.response
local response = {}

--- Takes the state of process and host: facts.process, facts.host. Needs collectors "process" and "host".
---@param ctx impound.Context
function response.preserve_volatile(ctx) end

--- Takes the prompt logs since params.window, which the playbook declares: facts.prompts. A deployment without logs
--- is a gap. Needs "prompt-log".
---@param ctx impound.Context
function response.preserve_prompts(ctx) end

--- Takes every file of the model: facts.weights. Needs "model-files".
---@param ctx impound.Context
function response.preserve_weights(ctx) end

--- Finds out what the serving process really holds: facts.served. After facts.weights was taken, or nothing is tied.
---@param ctx impound.Context
function response.measure_served(ctx) end

--- The weights that the process holds and the descriptor does not name.
---@param ctx impound.Context
---@return impound.ServedFile[] files
function response.other_files(ctx) end

--- Records that the process serves such a file: where it is, device and inode, the item that holds it, the digests.
---@param ctx impound.Context
---@param file impound.ServedFile
---@param severity impound.Severity
---@param digests string The two values that differ, or why there is one only.
function response.report_other_file(ctx, file, severity, digests) end

--- Records it if weights were written to in the memory of the process.
---@param ctx impound.Context
---@return boolean recorded
function response.report_changed_memory(ctx) end

--- The best that may be said if nothing differs, and the sentence that says why: "cleared" only where what is served is
--- tied to the files that were taken.
---@param ctx impound.Context
---@return impound.Verdict verdict
---@return string sentence
function response.best_verdict(ctx) end

--- Asks, and with a "yes" takes the deployment out of service: facts.containment, a ContainResult. A deployment
--- without a method and a containment that was not measured as contained are gaps, a "no" is a note: the step is
--- incomplete then. For a step with effect = "contain"; needs containments "deployment".
---@param ctx impound.Context
function response.contain(ctx) end

--- For `when`: params.active_harm, which the playbook declares.
---@param ctx impound.Context
---@return boolean
function response.harm_goes_on(ctx) end

--- For `when`: nothing was measured as contained yet in this run.
---@param ctx impound.Context
---@return boolean
function response.still_in_service(ctx) end

--- The item of facts.weights that is the model's file `path`, as a comparison names it: below the model's folder. The
--- exhibit if there is none.
---@param ctx impound.Context
---@param path? string
---@return impound.Item|impound.Exhibit evidence
---
--- Example: `ctx:finding({ …, evidence = { response.evidence_for(ctx, file.path) } })`
function response.evidence_for(ctx, path) end

--- True for a file or tensor that was compared and differs: not for what is the same, was not compared or could not be
--- read.
---@param change impound.FileChange|impound.TensorChange
---@return boolean
function response.differs(change) end

--- Records what could not be read on a side, files and tensors, as one gap each.
---@param ctx impound.Context
---@param difference impound.Difference
---@return integer count How many there are.
function response.report_unreadable(ctx, difference) end

--- The same, and a gap with `compared.words` where only a part was compared, or nothing. A model is cleared only where
--- this is true.
---@param ctx impound.Context
---@param difference impound.Difference
---@return boolean is_whole Everything was compared.
---
--- Example: `if response.report_not_compared(ctx, difference) and difference.identical then … end`
function response.report_not_compared(ctx, difference) end

---@class impound.FileRead: impound.ScannedFile
---@field item impound.Item|impound.Exhibit|string What a finding about the file rests on.

---@class impound.ModelScan: impound.ScanReport
---@field files impound.FileRead[]

--- Scans facts.weights. Notes of the collector itself are no files of the model and are left out; a model without a
--- file is a gap and not `complete`.
---@param ctx impound.Context
---@return impound.ModelScan scanned
function response.scan_weights(ctx) end

--- Reports every file that is served and not named, scans it, and adds its files, problems, verdict and whether all of
--- it was read to `scanned`. One whose bytes could not be taken is a problem. After facts.served was measured.
---@param ctx impound.Context
---@param scanned impound.ModelScan
function response.scan_others(ctx, scanned) end

--- Records what a scan could not read as gaps: the first 50 one by one, the rest as a count.
---@param ctx impound.Context
---@param scanned impound.ScanReport
function response.report_unread(ctx, scanned) end

return response
