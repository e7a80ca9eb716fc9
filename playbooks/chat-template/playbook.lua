--- Suspected hijack of a served model by its chat template.
---
--- Answers one question: does the template write something that its users did
--- not ask for, and since when does it differ from the release? Takes the
--- deployment out of service once a person approves. A few minutes.

local impound = require("impound")
local response = require("impound.response")

--- Rules of the scan that speak of templates begin with one of these.
local TEMPLATE_RULES = { "template-", "jinja-" }

--- Files that carry templates: a change in one of them is a change of what is asked of the model.
local CARRIERS = { "tokenizer_config.json", "chat_template.json", "processor_config.json" }

--- What became of a file that differs, as the end of a sentence.
local HAPPENED = {
  added = "is not in the release",
  removed = "is missing, the release has it",
  changed = "was changed since the release",
  renamed = "has another name than in the release",
}

--- Findings one by one up to here; the rest is counted.
local MAX_FINDINGS = 50

--- Files named in the clearance; the rest is counted.
local MAX_NAMES = 5

local function is_template_rule(rule)
  for _, prefix in ipairs(TEMPLATE_RULES) do
    if rule:sub(1, #prefix) == prefix then
      return true
    end
  end
  return false
end

local function is_carrier(path)
  local name = path:match("[^/]+$")
  for _, carrier in ipairs(CARRIERS) do
    if name == carrier then
      return true
    end
  end
  return name:sub(-6) == ".jinja" or name:sub(-5) == ".gguf"
end

--- True if a finding of this severity needs a look.
local function is_grave(severity)
  return severity == "medium" or severity == "high" or severity == "critical"
end

--- One finding for each grave thing that the scan says of a template in `file`; `told` counts them over all files.
local function report_template(ctx, file, told)
  for _, finding in ipairs(file.findings) do
    if is_template_rule(finding.rule) and is_grave(finding.severity) then
      told = told + 1
      if told <= MAX_FINDINGS then
        ctx:finding({
          verdict = finding.severity == "medium" and "likely" or "confirmed",
          severity = finding.severity,
          title = ("Template in %s: %s"):format(file.path, finding.message),
          evidence = { file.item },
          detail = ("%s: %s"):format(finding.rule, finding.evidence),
        })
      end
    end
  end
  return told
end

--- Reads the files of the model, and what the process holds and the descriptor does not name: that was loaded.
---@param ctx impound.Context
local function read_templates(ctx)
  local scanned = response.scan_weights(ctx)
  response.scan_others(ctx, scanned)
  response.report_changed_memory(ctx)
  local told = 0
  for _, file in ipairs(scanned.files) do
    told = report_template(ctx, file, told)
  end
  if told > MAX_FINDINGS then
    ctx:note(("%d more findings about templates are listed by impound scan."):format(told - MAX_FINDINGS))
  end
  response.report_unread(ctx, scanned)
  ctx.facts.scan = scanned
  ctx.facts.template_findings = told
end

--- What to compare with: bytes of the release show the change itself, a baseline only that there is one.
local function reference_of(ctx)
  if ctx.params.released ~= "" then
    return ctx.params.released
  end
  return ctx.deployment.baseline_path
end

--- Records one carrier that differs, or that was not compared; true if it is the released one.
local function report_carrier(ctx, file)
  if response.differs(file) then
    ctx:finding({
      verdict = "confirmed",
      severity = "high",
      title = ("%s, which may carry a template, %s"):format(file.path, HAPPENED[file.status] or file.status),
      evidence = { response.evidence_for(ctx, file.path) },
      detail = ("SHA-256 released %s, served %s"):format(file.sha256_before or "none", file.sha256_after or "none"),
    })
  elseif file.status ~= "identical" then
    local why = file.status == "unreadable" and "a side could not be read" or "the one file that was named is not it"
    ctx:gap({ subject = file.path, reason = "not compared with the release: " .. why, outcome = "partial" })
  end
  return file.status == "identical"
end

---@param ctx impound.Context
local function compare(ctx)
  local reference = reference_of(ctx)
  if reference == "" then
    ctx:gap({
      subject = "released template",
      reason = "the deployment names no baseline and -p released=… no release: nothing to compare with",
      outcome = "missing",
    })
    return
  end
  local seen, released = 0, {}
  for _, file in ipairs(ctx:diff(reference, ctx.facts.weights).files) do
    if is_carrier(file.path) then
      seen = seen + 1
      if report_carrier(ctx, file) then
        released[#released + 1] = file.path
      end
    end
  end
  if seen == 0 then
    local reason = "neither the model nor the release has a file that is called as those that carry templates"
    ctx:gap({ subject = "chat template", reason = reason, outcome = "missing" })
  end
  ctx.facts.released = #released == seen and released or {}
end

--- A template in a GGUF file can be tied to the process that maps it; any other was read once, when it started.
local function best_verdict(ctx)
  for _, file in ipairs(ctx.facts.scan.files) do
    if is_carrier(file.path) and file.path:sub(-5) ~= ".gguf" then
      return "cleared (files only)",
        ("%s is read when the server starts; what it read then was not compared."):format(file.path)
    end
  end
  return response.best_verdict(ctx)
end

---@param ctx impound.Context
local function clear(ctx)
  local released = ctx.facts.released or {}
  if ctx.facts.template_findings > 0 or #released == 0 or not ctx.facts.scan.complete then
    return
  end
  if #response.other_files(ctx) > 0 then
    ctx:note("The files that the descriptor names have the released templates; the process holds others.")
    return
  end
  local verdict, sentence = best_verdict(ctx)
  ctx:finding({
    verdict = verdict,
    title = "The files of the chat template are the released ones and write nothing unasked",
    evidence = { ctx.facts.weights },
    detail = ("%d identical (%s). %s"):format(
      #released,
      table.concat(released, ", ", 1, math.min(#released, MAX_NAMES)),
      sentence
    ),
  })
end

---@type impound.Playbook
return impound.playbook({
  schema = 1,
  id = "chat-template",
  version = "1.2.0",
  title = "Suspected hijack by a chat template",
  owner = "model-security",
  effect = "contain",
  needs = {
    collectors = { "host", "process", "prompt-log", "model-files" },
    containments = { "deployment" },
  },
  references = {
    "https://atlas.mitre.org/techniques/AML.T0018",
    "https://genai.owasp.org/llmrisk/llm032025-supply-chain/",
    "https://www.rfc-editor.org/rfc/rfc3227",
  },

  params = {
    active_harm = {
      type = "boolean",
      default = false,
      help = "People are being harmed now: contain before anything is preserved.",
    },
    released = {
      type = "path",
      default = "",
      help = "Folder or file of the released model, where at hand; empty compares with the deployment's baseline.",
    },
    window = { type = "duration", default = "7d", help = "How far back prompt logs are taken." },
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
    { id = "served", title = "Find out which files the process really holds", run = response.measure_served },
    { id = "read", title = "Read what the templates write, and when", after = { "weights" }, run = read_templates },
    { id = "compare", title = "Compare the templates with the release", after = { "weights" }, run = compare },
    { id = "clear", title = "Say so if nothing was found", after = { "read", "compare" }, run = clear },
  },
})
