---@meta impound.context
-- Signatures only; the code is lua/lib/impound/context.lua, what each call takes and does is lua/host/calls.cpp.
-- tests/unit/lua/api_stub_test.cpp fails when names differ.

--- The value `ctx` that every step gets: all that a playbook can do.
---
--- Every function marked *journaled* is recorded with its answer. A run that was interrupted starts again from the
--- first line and gets the recorded answers up to where it stood. An error is an answer too where the same would come
--- out again; where the machine refused something for now (no space, a read error, a stop), the run ends at that call,
--- which pcall cannot prevent, and a resumed run tries it again.
---
--- Errors are tables { code, message, at }: `code` is bad_input, io, malformed, limit, integrity, unsupported (as on
--- the command line), "lua" for an error of the playbook itself, or "refused" for an act that the playbook did not
--- declare or a path, process or host that it may not reach (pcall cannot catch that one). `at` is file and line.
---
--- Paths that a call names are those of the deployment (its model and what lies in it, its baseline, its logs) or were
--- given by a person on this command line in a parameter of type path (a default was given by nobody); a process is one
--- of the deployment's, or was given in a parameter `pid` or `…_pid`. More is declared in needs.reads and approved.
--- Links must not lead out. Cases, settings and the signing key are never read, whoever names them.
---@class impound.Context
---@field params table<string, any> The declared parameters with their values; reading any other name is an error.
---@field deployment impound.Deployment What the responder pointed at.
---@field facts table<string, any> State for later steps of this run, empty at first; name entries with nouns.
local Context = {}

---@class impound.Deployment
---@field name string
---@field description string
---@field model_path string
---@field baseline_path string Empty if the descriptor names none.
---@field containment_method string Empty if the descriptor names none; the first, if it names several.
---@field containment_methods string[] All of them, in the order in which they are applied.
---@field logs any[] One entry for each prompt log.
---@field probes any[] One entry for each probe.

--- Parameters of the collectors, as `impound collect --list` prints them.
---@class impound.CollectParameters
---@field pid? integer process: A process to take, with those below it, instead of the one that the deployment names.
---@field since? string prompt-log: Take records from this time on.
---@field until? string prompt-log: Take records up to this time.
---@field path? string prompt-log: A file or pattern to take instead of the deployment's logs.
---@field timestamp? string prompt-log: With path: where a record states its time, as a dotted path.
---@field root? string model-files: A folder, file or Hugging Face snapshot to take instead of the deployment's model.

--- Parameters of the containment methods, as `impound contain --list` prints them.
---@class impound.ContainParameters
---@field method? string process: How it is frozen; auto takes the first that works.
---@field before? string[] command: Prints the state; undo reads what it printed (descriptor only).
---@field apply? string[] command: Takes the model out of service (descriptor only).
---@field probe? string[] command: Measures: exit code 0 contained, 1 not contained, others unknown (descriptor only).
---@field undo? string[] command: Gives the model back (descriptor only).
---@field keeps? string[] command: What apply keeps, of weights, kv, inflight, process: a claim (descriptor only).
---@field timeout_ms? integer command: How long each program may take, in milliseconds.
---@field socket? string container: The Unix socket of the engine.
---@field containers? string[] container: Names or ids of the containers.
---@field action? string container: Whether they are paused, taken off their networks, or both.
---@field timeout_ms? integer container: How long an answer is waited for, in milliseconds.
---@field scope? string firewall: What is shut: the ports alone, or everything in and out of the namespace.
---@field ports? string[] firewall: Ports that the model is served on; that of the process if none is given.
---@field allow? string[] firewall: Addresses and prefixes of responders, IPv4 and IPv6, that are let through.
---@field namespace? string firewall: A network namespace (/run/netns/NAME); that of the process if none is given.
---@field config? string nginx: The file that holds the server blocks.
---@field server_names? string[] nginx: Which server blocks, by a server_name; every one of the file if none is given.
---@field pid_file? string nginx: Where nginx writes the number of its master process.
---@field main? string nginx: The main file (nginx -c); that of the running master if none is given.
---@field old_workers? string nginx: Whether workers of before are ended or waited for.
---@field sockets? string[] haproxy: Runtime sockets of level admin: a path or host:port.
---@field servers? string[] haproxy: What is taken out, each as backend/server.
---@field timeout_ms? integer haproxy: How long an answer is waited for, in milliseconds.

--- Takes evidence with a collector into a new sealed exhibit. Journaled.
---@param collector string Must be declared in needs.collectors.
---@param arguments? impound.CollectParameters Of this collector; `_` in names stands for `-`.
---@return impound.Exhibit exhibit
--- Error `refused` if the collector is not declared or a path or process may not be reached, `bad_input` for a
--- parameter that it does not have or a value that does not fit, `io` if nothing could be taken. A file that
--- cannot be read is no error: it is a gap of the exhibit.
---
--- Example: `local logs = ctx:collect("prompt-log", { since = ctx.params.window })`
function Context:collect(collector, arguments) end

--- Takes the deployment out of service, proves it by the probes, and keeps it so or rolls back. Journaled.
--- Only in a step with effect = "contain", after ctx:ask with approves = "contain" was answered "yes" in that step. One
--- yes allows one act: ask again before another. Approvals that the case asks for (case new --approvals N) come on top.
--- A containment that was not measured to be in force makes the step incomplete, never done.
---@param method? string Must be declared in needs.containments; the deployment's own if absent.
---@param arguments? impound.ContainParameters Of this method.
---@return impound.ContainResult result
--- Error `refused` if it is not declared or not approved, `bad_input` as for collect. A method that could not act is no
--- error: `contained` is false, and `why` says what was measured after the rollback. A resumed run measures the
--- recorded answer again.
---
--- Example: `local result = ctx:contain()`
function Context:contain(method, arguments) end

---@class impound.ContainResult
---@field contained boolean Measured, never assumed.
---@field method string
---@field probes table[] Each probe before and after; `proves` says whether it proves anything.
---@field reason? string Why it is not contained.
---@field measured? "contained"|"not contained"|"unknown" The last measurement, also after a rollback.
---@field why? string What was measured.
---@field proof? "none"|"state alone"|"state and probes"
---@field rolled_back? boolean Undone, and measured to run as before.
---@field end? string "applied", "held already", "held elsewhere", "not begun", "rolled back", "rollback failed" …
---@field holds_now? boolean False in a resumed run: contained when recorded, and not any more; `reason` says why.
---@field held_by? table The other case that holds it: case, folder, deployment, since, by.

--- Restores the state before containment and proves it. Journaled. As contain, with approves = "release".
---@param reason string
---@return { released: boolean, reason: string, results: table[] } result `released` only if it was measured.
function Context:release(reason) end

--- Asks every probe of the deployment once, and the containment method what holds now. Changes nothing. Journaled.
---@return { contained: boolean, measured: string, why: string, probes: table[] } result `contained` only if the method
--- measures it and no forbidden probe answers.
function Context:probe() end

--- Finds out which model files the serving process holds open or mapped, by device and inode, and whether they are
--- those that the descriptor names. Files it held when an exhibit of this run was taken, and holds no more, count.
--- Changes nothing. Journaled, and a note in the record.
---@return impound.ServedModel served
---
--- Example: `if ctx:served().tie ~= "tied" then … end`
function Context:served() end

---@alias impound.ServedTie
---| "other_file"       # weights are held that the descriptor does not name
---| "modified_mapping" # a mapping of weights was written to in memory
---| "unknown"          # no process, or not everything could be looked at
---| "untied"           # nothing shows that the files are what is computed with: a copy in memory, an accelerator
---| "tied"             # every weights file of the descriptor is mapped, and no other is held

---@class impound.ServedModel
---@field tie impound.ServedTie
---@field sentence string What was measured, for a person.
---@field pids integer[]
---@field weights impound.NamedWeights[] Weights below the descriptor's model path.
---@field files impound.ServedFile[] Model files that are held.
---@field accelerators string[]
---@field unknowns string[] What could not be looked at, and why.

---@class impound.NamedWeights
---@field path string
---@field device string "254:0"
---@field inode integer
---@field size integer
---@field mapped_bytes integer Of it, by the processes.
---@field item? string "E004/2": the item of this run with these bytes, by device and inode; absent if none was taken.
---@field sha256? string Of that item.

---@class impound.ServedFile
---@field path string As the kernel names it.
---@field relation "named"|"deleted"|"elsewhere"
---@field weights boolean
---@field other boolean Weights that the descriptor does not name.
---@field device string
---@field inode integer
---@field size integer
---@field pids integer[]
---@field held "open"|"mapped"|"open and mapped"
---@field mapped_bytes integer
---@field changed_bytes integer Written in memory, in private mappings.
---@field seen_in? string "E001": held when that exhibit was taken, not now.
---@field item? string "E001/17", as of weights.
---@field sha256? string
---@field outcome? string Of that item.

--- Compares two models or two datasets: exhibits, folders, files or baselines. Journaled.
---@param before impound.Exhibit|string The known-good side.
---@param after impound.Exhibit|string
---@return impound.Difference difference
--- A side that is one file or one item (`E001/17`) is held against what it corresponds to; the rest is `not_compared`.
--- `identical` speaks of what was compared: a model is cleared only where `scope` is "whole".
--- Error `io` if a side cannot be read, `malformed` if it is no model, `bad_input` if the sides are of different kinds.
---
--- Example: `local difference = ctx:diff(ctx.deployment.baseline_path, ctx.facts.weights)`
function Context:diff(before, after) end

---@alias impound.DiffStatus
---| "identical" | "added" | "removed" | "changed" | "renamed" | "reshaped" | "retyped" | "unreadable" | "not_compared"

---@class impound.FileChange
---@field path string
---@field status impound.DiffStatus
---@field from? string Its old name.
---@field sha256_before? string
---@field sha256_after? string

---@class impound.TensorChange
---@field name string
---@field status impound.DiffStatus
---@field dtype string
---@field shape integer[]
---@field file? string The file that holds it.
---@field sha256_before? string
---@field sha256_after? string
---@field label? string Kind of change, where known.
---@field stats? table

--- What became of the rows of training data; every key is in docs/datasets.md.
---@class impound.DatasetDifference
---@field identical boolean The same rows, in any order and any shards.
---@field fields { key: string, label: string, text: string[] }
---@field rows table<string, integer> before, after, unchanged, moved, added, removed, changed, relabelled …
---@field shards table[] path, status, rows_before, rows_after, added, removed, changed, relabelled …
---@field labels { label: string, before: integer, after: integer }[]
---@field added table[] shard, row, line, sha256, label, key, text; at most 200.
---@field removed table[]
---@field changed { by: string, label_changed: boolean, before: table, after: table }[]
---@field relabelled { by: string, label_changed: boolean, before: table, after: table }[]
---@field ngrams table[] ngram, words, rows, of, reference_rows, reference_of, g2, log_odds, label, label_share …
---@field relabelled_ngrams table[]
---@field reference string What the n-grams were counted against.
---@field notes string[] What was left out, and why.

--- The change of the whole model. `label` is "unknown" where tensors differ and a side has no bytes (a baseline).
---@class impound.ModelChange
---@field label string "rome-like", "lora-merge", "fine-tune" …
---@field sentence string
---@field numbers impound.ModelNumbers

---@class impound.ModelNumbers
---@field tensors_changed integer
---@field tensors_added integer
---@field tensors_removed integer
---@field tensors_identical integer
---@field elements_changed integer
---@field rank integer Of the largest low-rank part; 0 if there is none.
---@field relative_change? number Largest relative change of a tensor, where it was measured.

---@class impound.Difference
---@field identical boolean Of what was compared, see `scope`.
---@field files impound.FileChange[]
---@field tensors impound.TensorChange[]
---@field metadata { file: string, key: string, status: string }[] What differs; more keys are in docs/diff.md.
---@field scope "whole"|"part" A part where one side is one file: the rest was not compared.
---@field compared impound.Compared
---@field aligned_by? string Of a part: what the one file was recognised by.
---@field model? impound.ModelChange What kind of change the whole is.
---@field dataset? impound.DatasetDifference Of training data.

--- How much was compared.
---@class impound.Compared
---@field files integer
---@field files_total integer
---@field tensors integer
---@field tensors_total integer
---@field words string "1 of 5 files, 6 of 6 tensors"

--- Reads a baseline: what it says, not the bytes it describes. Journaled.
---@param path? string The deployment's own if absent.
---@return impound.BaselineContent baseline
--- Error `integrity` if its signature is wrong.
function Context:load_baseline(path) end

---@class impound.BaselineContent
---@field path string
---@field name string Empty without a document.
---@field kind "model"|"dataset"|"model files" "model files": no document, the files of a model, which nobody signed.
---@field weights integer Files that hold weights.
---@field files { path: string, size: integer, sha256?: string }[]
---@field signature string "valid" or "absent".

--- Verifies a sealed exhibit: seal, manifest, every digest. Journaled.
---@param exhibit impound.Exhibit|string
---@return { ok: boolean, problems: table[] } report
function Context:verify(exhibit) end

---@class impound.Trust
---@field key? string Path of the public key (PEM) that must have signed.
---@field signature? impound.Item|string Signature of a model (OpenSSF Model Signing): a path, an item, or its name in
---the subject. Absent: the signature inside a baseline document is verified. Present: exactly one of key,
---certificate_chain, sigstore, unsigned_compare.
---@field certificate_chain? string|string[] Paths of root certificates.
---@field sigstore? boolean Keyless: with the certificate in the signature; the transparency log is never verified.
---@field identity? string Keyless: the name that must have signed.
---@field issuer? string Keyless: who must have identified it.
---@field unsigned_compare? boolean Hold the files against the manifest only.
---@field ignore_unsigned_files? boolean Files that were not signed are no failure.
---@field enforce_time? boolean The certificate must be valid now, too.

---@class impound.SignatureReport
---@field ok boolean Nothing differs; look at verdict, which says more.
---@field signer string Who signed; empty if nobody was found to have.
---@field reason string
---@field verdict? "verified"|"findings"|"unreadable"|"failed" Of a model; absent for baselines, as is what follows.
---"unreadable": it could not be verified, which says nothing about the model.
---@field signature_state? "valid"|"invalid"|"not checked"
---@field differences? impound.SignatureDifference[]
---@field mismatch? string[] The same in the words of model_signing.
---@field unsigned_files? string[] Files that the signature does not cover.
---@field not_verified? string[] "transparency log" …
---@field findings? { rule: string, severity: impound.Severity, message: string, paths: string[] }[]

---@class impound.SignatureDifference
---@field status "extra"|"missing"|"changed"
---@field name string As in the signature: a path, or path:start:end of a shard.
---@field path string
---@field start? integer First byte of a shard.
---@field end? integer Behind its last byte.
---@field expected string Hexadecimal; empty if it is extra.
---@field actual string Hexadecimal; empty if it is missing.

--- Verifies the signature of a model, or the one inside a baseline document. Journaled, and a `verify` entry.
---@param subject impound.Exhibit|string A model: an exhibit, or a path of the deployment or of a path parameter.
---@param options? impound.Trust
---@return impound.SignatureReport report
--- Error `unsupported` without options.signature if the subject is no baseline, `bad_input` if there is no such
--- signature.
---
--- Example: `local report = ctx:verify_signature(weights, { signature = "model.sig", key = ctx.params.vendor_key })`
function Context:verify_signature(subject, options) end

--- Says what model files would do to whoever loads them, as `impound scan --json` does. Executes nothing. Journaled.
---@param subject impound.Exhibit|impound.Item|string
---@return impound.ScanReport report
---
--- Example: `local report = ctx:scan(ctx.facts.weights)`
function Context:scan(subject) end

---@alias impound.ScanVerdict
---| "no-code"         # the format cannot carry code and nothing is odd
---| "weights-only-ok" # torch.load(weights_only=True) would accept it
---| "allow-listed"    # code, all of it on the allow-list
---| "needs-review"    # something nobody vouched for, or undecidable
---| "malicious"       # code that no model needs

---@class impound.ScanReport
---@field verdict impound.ScanVerdict The worst of all files.
---@field complete boolean Every file was read to its end.
---@field files impound.ScannedFile[]
---@field problems string[] What could not be looked at.

---@class impound.ScannedFile
---@field path string
---@field sha256 string
---@field format string "torch-zip", "gguf", "unknown" …
---@field verdict impound.ScanVerdict
---@field read_to_end boolean
---@field findings impound.ScanFinding[] Gravest first.

---@class impound.ScanFinding
---@field rule string Id of `impound scan --rules`.
---@field severity impound.Severity
---@field offset integer Bytes into the member, or into the file.
---@field member string "archive/data.pkl"; empty for the file itself.
---@field message string
---@field evidence string What would be executed, with its arguments. Hostile text.
---@field atlas string MITRE ATLAS id.

---@alias impound.Verdict
---| "cleared"   # looked at, nothing wrong; recorded too
---| "cleared (files only)" # the files are right; what is served could not be tied to them
---| "likely"
---| "confirmed"

---@alias impound.Severity
---| "info" | "low" | "medium" | "high" | "critical"

---@class impound.Finding
---@field verdict impound.Verdict Certainty.
---@field severity? impound.Severity Harm; required unless the verdict clears.
---@field title string One line.
---@field evidence (impound.Exhibit|impound.Item|string)[] What it rests on, at least one.
---@field detail? string The two values that differ; not empty, leave it out instead.

--- Records a finding. Journaled.
---@param finding impound.Finding
---@return string id "F001"
--- Error `bad_input` naming the field that is missing or wrong.
---
--- Example:
--- ```lua
--- ctx:finding({ verdict = "cleared", title = "Adapter is the released one", evidence = { item } })
--- ```
function Context:finding(finding) end

--- The worst verdict recorded by this run; nil if there is no finding yet.
---@return impound.Verdict? verdict
function Context:worst_verdict() end

--- Writes a line into the record. Journaled. Text of evidence is escaped where it is shown.
---@param text any Text that is not empty, or a value that tostring() makes such text of.
function Context:note(text) end

--- Records something that was asked for and could not be had. Journaled. The step ends incomplete.
---@param gap { subject: string, reason: string, outcome?: "missing"|"denied"|"failed"|"empty"|"partial" }
---
--- Example: `ctx:gap({ subject = "prompt logs", reason = "the deployment names none", outcome = "missing" })`
function Context:gap(gap) end

---@class impound.Question
---@field id string Names the question in the record and on the command line.
---@field question string
---@field choices? string[] Absent: free text, any that is not empty.
---@field default? string One of the choices; what Enter at the terminal means. Taken by a person, never by the tool.
---@field approves? "contain"|"release" The answer "yes" allows this act once in this step; choices: yes, no. With any
---other answer the step ends incomplete.

--- Asks a person: at the terminal, or by what was said with --answer, --yes (acts only) or `impound answer`. The record
--- keeps which. Journaled. If nobody answers, the run ends as waiting (exit code 5) and goes on from here when it is
--- resumed. An id that `playbook plan` does not meet can be answered beforehand only if the playbook declares it
--- (`questions`).
---@param question impound.Question
---@return string answer
---@return { answer: string, by: string, at: string } record
function Context:ask(question) end

--- A sealed bundle of evidence.
---@class impound.Exhibit
---@field id string "E001"
---@field item_count integer
---@field bytes integer
---@field gaps integer How many things could not be taken.
---@field gap_list { subject: string, collector: string, outcome: string, reason: string }[] They, the first 100.
---@field empty_handed boolean Some collector brought nothing of what it was asked for.
---@field outcome string "ok", "partial"; where nothing at all was had, why: "missing", "denied" …
local Exhibit = {}

--- Goes through the items, in their order.
---@param pattern? string "**/*.{safetensors,bin}": `*` stops at `/`, `**` does not.
---@return fun(): impound.Item? iterator
---
--- Example: `for item in exhibit:items("**/*.json") do … end`
function Exhibit:items(pattern) end

--- The item of that name; nil if there is none.
---@param name string
---@return impound.Item? item
function Exhibit:item(name) end

--- One file or record inside an exhibit.
---@class impound.Item
---@field ref string "E001/17"
---@field number integer
---@field exhibit string "E001"
---@field name string
---@field size integer Bytes stored.
---@field sha256 string Of the stored bytes; of a slice, not of the file.
---@field slice boolean Only parts of the file at its source: records of a time window.
---@field outcome string "ok", "partial", "short_read", "incomplete" …
local Item = {}

--- Bytes of the item, as a Lua string. Evidence is hostile: search it with find(x, 1, true), build no patterns of it.
---@param offset? integer From 0.
---@param length? integer At most 1 MiB; by default what is left, up to that.
---@return string bytes
--- Error `malformed` past the end, `integrity` if the exhibit is damaged.
function Item:read(offset, length) end

return { Context = Context, Exhibit = Exhibit, Item = Item }
