--- What most playbooks do alike: preserve, contain, name the evidence. Documented in lua/api/response.lua.

local response = {}

--- Volatile first (RFC 3227, 2.1): what the next restart would destroy.
local VOLATILE = { "process", "host" }

--- Where the collector of model files puts what it notes itself (collectors/model_files.cpp).
local OWN_RECORDS = "model-source/"

--- Unread files recorded one by one; the rest is counted.
local MAX_GAPS = 50

--- Names in one sentence; the rest is counted.
local MAX_NAMES = 5

--- From clear to grave, as the scanner orders them.
local SCAN_ORDER = {
  ["no-code"] = 1,
  ["weights-only-ok"] = 2,
  ["allow-listed"] = 3,
  ["needs-review"] = 4,
  malicious = 5,
}

function response.preserve_volatile(ctx)
  for _, collector in ipairs(VOLATILE) do
    ctx.facts[collector] = ctx:collect(collector)
  end
end

function response.preserve_prompts(ctx)
  if #ctx.deployment.logs == 0 then
    ctx:gap({ subject = "prompt logs", reason = "the deployment names no prompt log", outcome = "missing" })
    return
  end
  ctx.facts.prompts = ctx:collect("prompt-log", { since = ctx.params.window })
end

function response.preserve_weights(ctx)
  ctx.facts.weights = ctx:collect("model-files")
end

function response.measure_served(ctx)
  ctx.facts.served = ctx:served()
end

--- The weights that the process holds and the descriptor does not name.
function response.other_files(ctx)
  local found = {}
  for _, file in ipairs((ctx.facts.served or { files = {} }).files) do
    if file.other then
      found[#found + 1] = file
    end
  end
  return found
end

--- Where such a file is, and what it is: path, relation, device and inode.
local function place_of(file)
  local relation = file.relation == "deleted" and "deleted: it has no name any more"
    or "elsewhere: not below the model path"
  return ("%s (%s; device %s, inode %d, %s by process %s)"):format(
    file.path,
    relation,
    file.device,
    file.inode,
    file.held,
    table.concat(file.pids, ", ")
  )
end

function response.report_other_file(ctx, file, severity, digests)
  local taken = file.item ~= nil and ("it is " .. file.item) or "its bytes could not be taken"
  ctx:finding({
    verdict = "confirmed",
    severity = severity,
    title = "The process serves another file than the descriptor names",
    evidence = { file.item or ctx.facts.process or ctx.facts.weights },
    detail = ("%s; the descriptor names %s; %s; %s"):format(place_of(file), ctx.deployment.model_path, taken, digests),
  })
end

function response.report_changed_memory(ctx)
  local served = ctx.facts.served
  if served == nil or served.tie ~= "modified_mapping" then
    return false
  end
  ctx:finding({
    verdict = "likely",
    severity = "high",
    title = "The process changed weights in its memory",
    evidence = { ctx.facts.process or ctx.facts.weights },
    detail = served.sentence,
  })
  return true
end

--- Weights that are mapped, and of which the very same file was not taken.
local function first_not_taken(served)
  for _, file in ipairs(served.weights) do
    if file.item == nil then
      return file
    end
  end
end

function response.best_verdict(ctx)
  local served = ctx.facts.served
  if served == nil then
    return "cleared (files only)", "What the process holds was not measured."
  elseif served.tie ~= "tied" then
    return "cleared (files only)", served.sentence
  end
  local missing = first_not_taken(served)
  if missing ~= nil then
    return "cleared (files only)",
      ("The file that is mapped as %s (device %s, inode %d) is not the one that was taken."):format(
        missing.path,
        missing.device,
        missing.inode
      )
  end
  return "cleared", served.sentence
end

local function why_not(result)
  local text = "not contained: %s; %s, measured as %s: %s"
  return text:format(result.reason, result["end"], result.measured, result.why)
end

function response.contain(ctx)
  if ctx.deployment.containment_method == "" then
    ctx:gap({
      subject = "containment",
      reason = "the deployment names no containment method: it stays in service",
      outcome = "missing",
    })
    return
  end
  local answer = ctx:ask({
    id = "contain",
    question = "Take the deployment " .. ctx.deployment.name .. " out of service now?",
    default = "no",
    approves = "contain",
  })
  if answer ~= "yes" then
    ctx:note("The deployment stays in service: containment was not approved.")
    return
  end
  local result = ctx:contain()
  ctx.facts.containment = result
  if not result.contained then
    ctx:gap({ subject = "containment", reason = why_not(result), outcome = "failed" })
  end
end

function response.harm_goes_on(ctx)
  return ctx.params.active_harm
end

function response.still_in_service(ctx)
  return ctx.facts.containment == nil or not ctx.facts.containment.contained
end

--- The items of facts.weights by name, read once.
local function items_of(ctx)
  if ctx.facts.items == nil then
    ctx.facts.items = {}
    for item in ctx.facts.weights:items() do
      ctx.facts.items[item.name] = item
    end
  end
  return ctx.facts.items
end

function response.evidence_for(ctx, path)
  local items = items_of(ctx)
  -- A comparison names files below the model; an item of that very name may be another file, in a folder "model".
  return path ~= nil and (items["model/" .. path] or items[path]) or ctx.facts.weights
end

function response.differs(change)
  local status = change.status
  return status ~= "identical" and status ~= "not_compared" and status ~= "unreadable"
end

--- "a, b and 3 more".
local function in_words(names)
  local text = table.concat(names, ", ", 1, math.min(#names, MAX_NAMES))
  return #names > MAX_NAMES and ("%s and %d more"):format(text, #names - MAX_NAMES) or text
end

function response.report_unreadable(ctx, difference)
  local count = 0
  for kind, key in pairs({ files = "path", tensors = "name" }) do
    local names = {}
    for _, change in ipairs(difference[kind]) do
      if change.status == "unreadable" then
        names[#names + 1] = change[key]
      end
    end
    if #names > 0 then
      local reason = ("%d could not be compared, a side was not readable: %s"):format(#names, in_words(names))
      ctx:gap({ subject = kind, reason = reason, outcome = "partial" })
    end
    count = count + #names
  end
  return count
end

function response.report_not_compared(ctx, difference)
  local is_whole = response.report_unreadable(ctx, difference) == 0
  if difference.scope ~= "whole" or difference.compared.files == 0 then
    local reason = ("compared %s; the rest was not compared"):format(difference.compared.words)
    ctx:gap({ subject = "comparison", reason = reason, outcome = "partial" })
    is_whole = false
  end
  return is_whole
end

--- The collector's own note, in which the scan saw nothing: no file of the model.
local function is_own_record(file)
  return file.path:sub(1, #OWN_RECORDS) == OWN_RECORDS and #file.findings == 0 and file.read_to_end
end

function response.scan_weights(ctx)
  local scanned = ctx:scan(ctx.facts.weights)
  local items = items_of(ctx)
  local files = {}
  for _, file in ipairs(scanned.files) do
    if not is_own_record(file) then
      file.item = items[file.path] or ctx.facts.weights
      files[#files + 1] = file
    end
  end
  scanned.files = files
  if #files == 0 then
    scanned.complete = false
    ctx:gap({ subject = "model", reason = "no file of it was taken: nothing was read", outcome = "empty" })
  end
  return scanned
end

--- Adds what a scan of another file says to `scanned`.
local function merge_scan(scanned, other, report)
  for _, file in ipairs(report.files) do
    file.item = other.item
    table.insert(scanned.files, file)
  end
  for _, problem in ipairs(report.problems) do
    table.insert(scanned.problems, ("%s (%s): %s"):format(other.path, other.item, problem))
  end
  if SCAN_ORDER[report.verdict] > SCAN_ORDER[scanned.verdict] then
    scanned.verdict = report.verdict
  end
end

function response.scan_others(ctx, scanned)
  local was_complete = scanned.complete
  scanned.complete = false -- also if one of these scans fails
  for _, other in ipairs(response.other_files(ctx)) do
    response.report_other_file(ctx, other, "critical", "SHA-256 " .. (other.sha256 or "unknown"))
    if other.item ~= nil then
      local report = ctx:scan(other.item)
      merge_scan(scanned, other, report)
      was_complete = was_complete and report.complete
    else
      table.insert(scanned.problems, other.path .. ": served and not named; its bytes could not be taken")
      was_complete = false
    end
  end
  scanned.complete = was_complete
end

function response.report_unread(ctx, scanned)
  local unread = {}
  for _, problem in ipairs(scanned.problems) do
    unread[#unread + 1] = { subject = "scan", reason = problem, outcome = "partial" }
  end
  for _, file in ipairs(scanned.files) do
    if not file.read_to_end then
      unread[#unread + 1] =
        { subject = file.path, reason = "could not be read to its end by the scan", outcome = "partial" }
    end
  end
  for i = 1, math.min(#unread, MAX_GAPS) do
    ctx:gap(unread[i])
  end
  if #unread > MAX_GAPS then
    local reason = ("%d more things could not be read; impound scan lists them"):format(#unread - MAX_GAPS)
    ctx:gap({ subject = "scan", reason = reason, outcome = "partial" })
  end
end

return response
