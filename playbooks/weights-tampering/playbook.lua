--- Suspected tampering with the weights of a served model.
---
--- Answers one question: are the weights that the server loads the ones of the
--- baseline, and if not, what differs? Both the files that the descriptor names
--- and those that the process really holds are compared. Takes the deployment
--- out of service once a person approves. About as long as reading the model
--- twice.

local impound = require("impound")
local response = require("impound.response")

--- Findings one by one up to here; a replaced model differs in every tensor,
--- and a report of a thousand equal lines helps nobody.
local MAX_TENSOR_FINDINGS = 50

--- What happened to a file or tensor, as the end of a sentence.
local HAPPENED = {
  added = "is not in the baseline",
  removed = "is missing, the baseline has it",
  changed = "differs from the baseline",
  renamed = "has another name than in the baseline",
  reshaped = "has another shape than in the baseline",
  retyped = "has another number type than in the baseline",
}

--- Endings of weights, and of what runs when they are loaded; a change in
--- other files (a README) harms less.
local WEIGHT_FILES = {
  safetensors = true,
  bin = true,
  pt = true,
  pth = true,
  ckpt = true,
  gguf = true,
  ggml = true,
  onnx = true,
  onnx_data = true,
  h5 = true,
  hdf5 = true,
  keras = true,
  pb = true,
  tflite = true,
  pkl = true,
  pickle = true,
  joblib = true,
  npz = true,
  npy = true,
  msgpack = true,
  mar = true,
}
local CODE_FILES = { py = true, jinja = true, json = true, so = true }

--- From harmless to grave.
local SEVERITY_ORDER = { info = 1, low = 2, medium = 3, high = 4, critical = 5 }

--- Entries of metadata named in one finding; the rest is counted.
local MAX_METADATA = 5

--- How sure the kind of change is and how grave, by the label of the whole
--- comparison. That something changed is proved by digests; of what kind it is,
--- numbers say: an exact test confirms it, a spectrum makes it likely.
local KINDS = {
  ["rome-like"] = { "confirmed", "critical" },
  ["memit-like"] = { "confirmed", "critical" },
  ["direction-removed"] = { "confirmed", "critical" },
  ["lora-merge"] = { "confirmed", "critical" },
  ["lsb-payload"] = { "confirmed", "critical" },
  ["fine-tune+low-rank"] = { "likely", "critical" },
  ["low-rank"] = { "likely", "critical" },
  ["rank-one"] = { "confirmed", "critical" },
  ["bit-flips"] = { "confirmed", "high" },
  ["new-values"] = { "confirmed", "high" },
  exchanged = { "confirmed", "high" },
  pruned = { "confirmed", "high" },
  scaled = { "confirmed", "high" },
  reordered = { "confirmed", "high" },
  ["tensors-added-or-removed"] = { "confirmed", "high" },
  cast = { "confirmed", "medium" },
  ["re-quantised"] = { "confirmed", "medium" },
}

local function both_digests(entry)
  return ("SHA-256 in the baseline %s, found %s"):format(entry.sha256_before or "none", entry.sha256_after or "none")
end

--- Where the baseline is; nil, and a gap that says why, if nothing can be compared with it.
local function find_baseline(ctx)
  local path = ctx.params.baseline ~= "" and ctx.params.baseline or ctx.deployment.baseline_path
  if path == "" then
    ctx:gap({
      subject = "baseline",
      reason = "neither the deployment nor -p baseline=… names one: the weights were not compared",
      outcome = "missing",
    })
    return nil
  end
  local served = ctx.facts.served
  if ctx:load_baseline(path).weights == 0 and served ~= nil and #served.weights > 0 then
    ctx:gap({ subject = path, reason = "it describes no weights: the weights were not compared", outcome = "empty" })
    return nil
  end
  return path
end

---@param ctx impound.Context
local function compare(ctx)
  if ctx.facts.weights.empty_handed then
    ctx:gap({ subject = "model", reason = "nothing of it could be taken: it was not compared", outcome = "missing" })
    return
  end
  local baseline = find_baseline(ctx)
  if baseline == nil then
    return
  end
  ctx.facts.baseline = baseline
  ctx.facts.difference = ctx:diff(baseline, ctx.facts.weights)
end

--- A name alone changes no number.
local function severity_of_tensor(tensor)
  return tensor.status == "renamed" and "medium" or "critical"
end

--- The tensors that differ; true if there was one. `item` holds them where it is not a file of the model.
local function report_tensors(ctx, difference, item)
  local reported, left_out, worst = 0, 0, "info"
  for _, tensor in ipairs(difference.tensors) do
    local severity = severity_of_tensor(tensor)
    if response.differs(tensor) and reported < MAX_TENSOR_FINDINGS then
      reported = reported + 1
      local kind = tensor.label ~= nil and ("; kind of change: " .. tensor.label) or ""
      ctx:finding({
        verdict = "confirmed",
        severity = severity,
        title = ("Tensor %s %s"):format(tensor.name, HAPPENED[tensor.status] or tensor.status),
        evidence = { item or response.evidence_for(ctx, tensor.file) },
        detail = both_digests(tensor) .. kind,
      })
    elseif response.differs(tensor) then
      left_out = left_out + 1
      worst = SEVERITY_ORDER[severity] > SEVERITY_ORDER[worst] and severity or worst
    end
  end
  if left_out > 0 then
    ctx:finding({
      verdict = "confirmed",
      severity = worst,
      title = ("%d more tensors differ from the baseline"):format(left_out),
      evidence = { item or ctx.facts.weights },
      detail = "All of them are listed by impound diff.",
    })
  end
  return reported > 0
end

--- "1 tensor changed, 0 added, 0 removed, 5 identical; rank 1; …".
local function numbers_of(model)
  local numbers = model.numbers
  if numbers == nil then
    return ""
  end
  local text = ("; tensors: %d changed, %d added, %d removed, %d identical"):format(
    numbers.tensors_changed,
    numbers.tensors_added,
    numbers.tensors_removed,
    numbers.tensors_identical
  )
  if numbers.rank > 0 then
    text = text .. ("; rank %d"):format(numbers.rank)
  end
  if numbers.relative_change ~= nil then
    text = text .. ("; largest relative change %.3g"):format(numbers.relative_change)
  end
  return text
end

--- Why the files named as known good do not show the kind of change of the whole; nil if they do.
local function why_not_good(comparison)
  if comparison.scope ~= "whole" then
    return ("they are a part of the baseline (compared %s)"):format(comparison.compared.words)
  elseif not comparison.identical then
    return "its files are not those of the baseline"
  end
end

--- The comparison that says what kind of change it is. A baseline has digests only: the files named as known good are
--- compared for it, once they are shown to be those of the baseline.
local function measure_kind(ctx, difference, found)
  local good = ctx.params.known_good
  local is_unknown = difference.model ~= nil and difference.model.label == "unknown"
  if not is_unknown or good == "" then
    return difference
  end
  local problem = why_not_good(ctx:diff(ctx.facts.baseline, good))
  if problem ~= nil then
    ctx:gap({ subject = good, reason = problem .. ": the kind of change was not measured against them" })
    return difference
  end
  return ctx:diff(good, found)
end

--- What kind of change it is. Where nobody measured it that is noted, and is no finding.
local function report_kind(ctx, difference, item)
  local measured = measure_kind(ctx, difference, item or ctx.facts.weights)
  local model = measured.model
  if model == nil or model.label == "identical" then
    return
  end
  if model.label == "unknown" or model.label == "stopped" then
    ctx:note(model.sentence)
    return
  end
  local kind = KINDS[model.label] or { "likely", "high" }
  local is_whole = measured.scope == "whole"
  ctx:finding({
    verdict = kind[1],
    severity = kind[2],
    title = ("Kind of change of %s: %s"):format(is_whole and "the weights" or "what was compared", model.label),
    evidence = { item or ctx.facts.weights },
    detail = model.sentence .. numbers_of(model) .. (is_whole and "" or "; compared " .. measured.compared.words),
  })
end

local function severity_of_file(file, tensors_differ)
  local name = file.path:lower():match("[^/]*$")
  local ending = name:match("%.([%w_]+)$")
  if file.status == "renamed" then
    return "low"
  elseif WEIGHT_FILES[ending] then
    -- The tensors of the file say more; its own line is context.
    return tensors_differ and "high" or "critical"
  elseif ending == nil then
    return "high" -- what it holds is not known: a blob of a store is called by its digest
  end
  return CODE_FILES[ending] and "high" or "medium"
end

--- The files that differ; true if there was one.
local function report_files(ctx, difference, tensors_differ)
  local differs = false
  for _, file in ipairs(difference.files) do
    if response.differs(file) then
      differs = true
      ctx:finding({
        verdict = "confirmed",
        severity = severity_of_file(file, tensors_differ),
        title = ("File %s %s"):format(file.path, HAPPENED[file.status] or file.status),
        evidence = { response.evidence_for(ctx, file.path) },
        detail = both_digests(file),
      })
    end
  end
  return differs
end

--- How a file that the descriptor does not name stands to the baseline: how grave that is, and the two digests.
local function judge_other(difference, file)
  if difference == nil then
    return "critical", ("SHA-256 %s, which was compared with no baseline"):format(file.sha256 or "unknown")
  end
  local severity = difference.identical and "medium" or "critical"
  for _, entry in ipairs(difference.files) do
    if entry.sha256_after ~= nil and entry.sha256_after == file.sha256 then
      return severity, both_digests(entry)
    end
  end
  return severity, ("SHA-256 %s, which corresponds to no file of the baseline"):format(file.sha256 or "unknown")
end

--- Every model file that is served and not named is compared as well, and is a finding whatever that says.
---@param ctx impound.Context
local function compare_others(ctx)
  for _, file in ipairs(response.other_files(ctx)) do
    local can_compare = ctx.facts.baseline ~= nil and file.item ~= nil
    local difference = can_compare and ctx:diff(ctx.facts.baseline, file.item) or nil
    response.report_other_file(ctx, file, judge_other(difference, file))
    if difference ~= nil then
      response.report_unreadable(ctx, difference)
      report_tensors(ctx, difference, file.item)
      report_kind(ctx, difference, file.item)
    end
  end
  response.report_changed_memory(ctx)
end

--- Nothing differs: said as strongly as what is served was tied to what was compared, and no stronger.
local function clear(ctx, difference)
  if #response.other_files(ctx) > 0 then
    ctx:note("The files that the descriptor names are those of the baseline; the process holds others.")
    return
  end
  local verdict, sentence = response.best_verdict(ctx)
  ctx:finding({
    verdict = verdict,
    title = verdict == "cleared" and "The model is the one of the baseline"
      or "The files of the model are those of the baseline; what is served was not tied to them",
    evidence = { ctx.facts.weights },
    detail = ("Identical: %s. %s"):format(difference.compared.words, sentence),
  })
end

--- No number differs, and no byte of a file: what describes the numbers does.
local function report_metadata(ctx, difference, is_whole)
  local lines = {}
  for i = 1, math.min(#difference.metadata, MAX_METADATA) do
    local change = difference.metadata[i]
    lines[i] = ("%s of %s %s"):format(change.key, change.file, change.status)
  end
  if #difference.metadata > MAX_METADATA then
    lines[#lines + 1] = ("and %d more"):format(#difference.metadata - MAX_METADATA)
  end
  ctx:finding({
    verdict = "likely",
    severity = "medium",
    title = (is_whole and "The model differs" or "What was compared differs")
      .. " from the baseline in its metadata only",
    evidence = { ctx.facts.weights },
    detail = table.concat(lines, "; "),
  })
end

---@param ctx impound.Context
local function report(ctx)
  local difference = ctx.facts.difference
  if difference == nil then
    return
  end
  local is_whole = response.report_not_compared(ctx, difference)
  local tensors_differ = report_tensors(ctx, difference)
  local files_differ = report_files(ctx, difference, tensors_differ)
  report_kind(ctx, difference)
  local compared = difference.compared
  if files_differ and not tensors_differ and compared.tensors > 0 and compared.tensors == compared.tensors_total then
    ctx:note("Every tensor is identical to that of the baseline; the files are cut otherwise or hold more.")
  elseif not files_differ and not tensors_differ and #difference.metadata > 0 then
    report_metadata(ctx, difference, is_whole)
  elseif is_whole and difference.identical then
    clear(ctx, difference)
  end
end

---@type impound.Playbook
return impound.playbook({
  schema = 1,
  id = "weights-tampering",
  version = "1.4.0",
  title = "Suspected tampering with model weights",
  owner = "model-security",
  effect = "contain",
  needs = {
    collectors = { "host", "process", "prompt-log", "model-files" },
    containments = { "deployment" },
  },
  references = {
    "https://atlas.mitre.org/techniques/AML.T0018.000",
    "https://genai.owasp.org/llmrisk/llm042025-data-and-model-poisoning/",
    "https://www.rfc-editor.org/rfc/rfc3227",
  },

  params = {
    active_harm = {
      type = "boolean",
      default = false,
      help = "People are being harmed now: contain before anything is preserved.",
    },
    baseline = {
      type = "path",
      default = "",
      help = "Baseline to compare with; empty means the one that the deployment names.",
    },
    known_good = {
      type = "path",
      default = "",
      help = "Files of the baseline's model: with their bytes the kind of change is measured; digests do not tell it.",
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
    { id = "compare", title = "Compare the weights with the baseline", after = { "weights" }, run = compare },
    { id = "others", title = "Compare what is served and not named", run = compare_others },
    { id = "report", title = "Record what differs", after = { "compare" }, run = report },
  },
})
