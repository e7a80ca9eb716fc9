--- What most playbooks do alike: preserve, contain, name the evidence. Documented in lua/api/response.lua.

local response = {}

--- Volatile first (RFC 3227, 2.1): what the next restart would destroy.
local VOLATILE = { "process", "host" }

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

function response.evidence_for(ctx, path)
  local weights = ctx.facts.weights
  if ctx.facts.items == nil then
    ctx.facts.items = {}
    for item in weights:items() do
      ctx.facts.items[item.name] = item
    end
  end
  local items = ctx.facts.items
  return path ~= nil and (items[path] or items["model/" .. path]) or weights
end

return response
