--- Suspected code in the files of a served model.
---
--- Answers one question: what would run if these files were loaded? Takes the
--- deployment out of service once a person approves. About as long as reading
--- the model twice; nothing of it is ever loaded.

local impound = require("impound")
local response = require("impound.response")

--- Findings one by one up to here; a folder of a thousand hostile files is told by its first fifty and a count.
local MAX_FINDINGS = 50

--- Addresses listed in one note: what a person can look up.
local MAX_INDICATORS = 40

--- What a scanner's verdict about a file means for the case; the others are clear.
local MEANING = {
  malicious = { verdict = "confirmed", title = "Loading %s runs code" },
  ["needs-review"] = { verdict = "likely", title = "%s needs a look before it is loaded" },
}

--- From harmless to grave.
local SEVERITY_ORDER = { info = 1, low = 2, medium = 3, high = 4, critical = 5 }

--- What a check of a signature that was read says about the model; a key that verifies and nothing left open clears it.
local function signature_meaning(report)
  if #report.differences > 0 then
    return "confirmed", "critical", "The model is not what its signature says"
  elseif report.signature_state == "invalid" then
    return "confirmed", "high", "The signature does not verify with this key"
  elseif not report.ok then
    return "confirmed", "high", "The signature cannot be relied on"
  elseif report.verdict ~= "verified" then
    return "likely", "medium", "The files are as listed, but the signature proves less than it should"
  end
  return "cleared", nil, "The model is what its signature says"
end

--- The reason, and the first things behind it.
local function signature_detail(report)
  local lines = { report.reason }
  for _, list in ipairs({ report.mismatch, report.not_verified }) do
    for i = 1, math.min(#list, 5) do
      lines[#lines + 1] = list[i]
    end
  end
  for _, finding in ipairs(report.findings) do
    lines[#lines + 1] = finding.message
  end
  return table.concat(lines, "; ")
end

---@param ctx impound.Context
local function check_signature(ctx)
  if ctx.params.signature == "" then
    return
  end
  local options = { signature = ctx.params.signature }
  if ctx.params.key ~= "" then
    options.key = ctx.params.key
  else
    options.unsigned_compare = true
  end
  local report = ctx:verify_signature(ctx.facts.weights, options)
  if report.verdict == "unreadable" then
    -- Of the model it says nothing.
    ctx:gap({ subject = options.signature, reason = "not verified: " .. report.reason, outcome = "failed" })
    return
  end
  local verdict, severity, title = signature_meaning(report)
  local evidence = {}
  for i = 1, math.min(#report.differences, 5) do
    evidence[i] = response.evidence_for(ctx, report.differences[i].path)
  end
  if #evidence == 0 then
    evidence = { ctx.facts.weights }
  end
  ctx:finding({
    verdict = verdict,
    severity = severity,
    title = title,
    evidence = evidence,
    detail = signature_detail(report),
  })
end

---@param ctx impound.Context
local function scan(ctx)
  ctx.facts.scan = response.scan_weights(ctx)
end

--- What the process holds and the descriptor does not name is read as well: that is what was loaded.
---@param ctx impound.Context
local function scan_others(ctx)
  response.scan_others(ctx, ctx.facts.scan)
  response.report_changed_memory(ctx)
end

--- What would be executed, as evidence shows it: the first lines of a file's findings, gravest first. Nil
--- where the scan has none.
local function what_runs(file)
  local lines = {}
  for i, finding in ipairs(file.findings) do
    if i > 5 then
      lines[#lines + 1] = ("and %d more"):format(#file.findings - 5)
      break
    end
    local shown = finding.evidence ~= "" and finding.evidence or finding.message
    lines[#lines + 1] = ("%s at %s+%d: %s"):format(finding.rule, finding.member or "", finding.offset, shown)
  end
  return #lines > 0 and table.concat(lines, "; ") or nil
end

local function severity_of(file)
  return file.findings[1] ~= nil and file.findings[1].severity or "medium"
end

--- One finding for all that were not told one by one, as sure and as grave as the gravest of them.
local function report_more(ctx, files)
  local severity, runs = "info", false
  for _, file in ipairs(files) do
    local own = severity_of(file)
    severity = SEVERITY_ORDER[own] > SEVERITY_ORDER[severity] and own or severity
    runs = runs or file.verdict == "malicious"
  end
  ctx:finding({
    verdict = runs and MEANING.malicious.verdict or MEANING["needs-review"].verdict,
    severity = severity,
    title = (runs and "%d more files run code or need a look" or "%d more files need a look"):format(#files),
    evidence = { ctx.facts.weights },
    detail = "All of them are listed by impound scan.",
  })
end

---@param ctx impound.Context
local function report_files(ctx)
  local told, untold = 0, {}
  for _, file in ipairs(ctx.facts.scan.files) do
    local meaning = MEANING[file.verdict]
    if meaning ~= nil and told < MAX_FINDINGS then
      told = told + 1
      ctx:finding({
        verdict = meaning.verdict,
        severity = severity_of(file),
        title = meaning.title:format(file.path),
        evidence = { file.item },
        detail = what_runs(file),
      })
    elseif meaning ~= nil then
      untold[#untold + 1] = file
    end
  end
  if #untold > 0 then
    report_more(ctx, untold)
  end
  return told
end

---@param ctx impound.Context
local function report(ctx)
  local scanned = ctx.facts.scan
  response.report_unread(ctx, scanned)
  if report_files(ctx) == 0 and scanned.complete then
    local verdict, sentence = response.best_verdict(ctx)
    ctx:finding({
      verdict = verdict,
      title = "Nothing in the files would run when they are loaded",
      evidence = { ctx.facts.weights },
      detail = ("%d files read to their end, verdict %s. %s"):format(#scanned.files, scanned.verdict, sentence),
    })
  end
end

--- Adds what `pattern` finds in text that somebody else wrote, each once.
local function gather(text, pattern, found, seen)
  for match in text:gmatch(pattern) do
    if not seen[match] and #found < MAX_INDICATORS then
      seen[match] = true
      found[#found + 1] = match
    end
  end
end

---@param ctx impound.Context
local function name_indicators(ctx)
  local addresses, digests, seen = {}, {}, {}
  for _, file in ipairs(ctx.facts.scan.files) do
    if MEANING[file.verdict] ~= nil then
      if #digests < MAX_INDICATORS then
        digests[#digests + 1] = file.sha256
      end
      for _, finding in ipairs(file.findings) do
        gather(finding.evidence, "https?://[%w%.%-_~/:%%%?=&]+", addresses, seen)
        gather(finding.evidence, "%f[%d]%d+%.%d+%.%d+%.%d+%f[%D]", addresses, seen)
      end
    end
  end
  if #digests > 0 then
    ctx:note("Look for these files on other hosts, SHA-256: " .. table.concat(digests, ", "))
  end
  if #addresses > 0 then
    ctx:note("Look for these addresses in network logs: " .. table.concat(addresses, ", "))
  end
end

---@type impound.Playbook
return impound.playbook({
  schema = 1,
  id = "code-in-model",
  version = "1.2.0",
  title = "Suspected code in the files of a model",
  owner = "model-security",
  effect = "contain",
  needs = {
    collectors = { "host", "process", "prompt-log", "model-files" },
    containments = { "deployment" },
  },
  references = {
    "https://atlas.mitre.org/techniques/AML.T0011.000",
    "https://atlas.mitre.org/techniques/AML.T0010.003",
    "https://www.rfc-editor.org/rfc/rfc3227",
  },

  params = {
    active_harm = {
      type = "boolean",
      default = false,
      help = "The code runs now and does harm: contain before anything is preserved.",
    },
    window = { type = "duration", default = "7d", help = "How far back prompt logs are taken." },
    signature = {
      type = "path",
      default = "",
      help = "OpenSSF signature of the model (model.sig) to hold it against; empty means none is checked.",
    },
    key = {
      type = "path",
      default = "",
      help = "Public key that must have signed; empty compares with the signature's own list only.",
    },
  },

  steps = {
    {
      id = "stop-harm",
      title = "Take the deployment out of service before anything else",
      effect = "contain",
      when = response.harm_goes_on,
      run = response.contain,
    },
    { id = "volatile", title = "Preserve the state of host and process", run = response.preserve_volatile },
    { id = "prompts", title = "Preserve the prompt logs", run = response.preserve_prompts },
    { id = "weights", title = "Preserve the files of the model", run = response.preserve_weights },
    {
      id = "contain",
      title = "Take the deployment out of service",
      effect = "contain",
      when = response.still_in_service,
      run = response.contain,
    },
    { id = "signature", title = "Hold them against their signature", after = { "weights" }, run = check_signature },
    { id = "scan", title = "Read what would run if they were loaded", after = { "weights" }, run = scan },
    { id = "served", title = "Find out which files the process really holds", run = response.measure_served },
    {
      id = "others",
      title = "Read what is served and not named",
      after = { "scan", "served" },
      run = scan_others,
    },
    { id = "report", title = "Record what would run", after = { "scan" }, run = report },
    { id = "indicators", title = "Name what to look for elsewhere", after = { "scan" }, run = name_indicators },
  },
})
