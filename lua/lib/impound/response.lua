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
