--- The value `ctx` that every step gets. Documented in lua/api/context.lua.
--- Arguments are checked by the parent process; here they only get their shape.

local host = ...

local Context = {}
Context.__index = Context

local Exhibit = {}
Exhibit.__index = Exhibit

local Item = {}
Item.__index = Item

--- Items fetched by one request; an exhibit may hold millions.
local PAGE = 500

--- Bytes of one read: a playbook looks at heads and records, not at weights.
local MAX_READ = 1024 * 1024

local VERDICT_ORDER = { cleared = 1, ["cleared (files only)"] = 2, likely = 3, confirmed = 4 }

local function make_exhibit(answer)
  answer.id = answer.exhibit
  answer.item_count, answer.items = answer.items, nil -- items() is the method
  return setmetatable(answer, Exhibit)
end

local function make_item(exhibit, item)
  item.exhibit = exhibit
  item.ref = ("%s/%d"):format(exhibit, item.number)
  return setmetatable(item, Item)
end

--- An exhibit, an item, or text that names one, as text.
local function reference(value)
  if type(value) == "table" then
    return value.ref or value.id or value.path or value
  end
  return value
end

local function references(list)
  if type(list) ~= "table" then
    return list
  end
  local found = {}
  for i, value in ipairs(list) do
    found[i] = reference(value)
  end
  return found
end

--- { model_root = x } as { ["model-root"] = x }: names of the tool have dashes.
local function dashed(arguments)
  if type(arguments) ~= "table" then
    return arguments
  end
  local found = {}
  for key, value in pairs(arguments) do
    found[type(key) == "string" and key:gsub("_", "-") or key] = reference(value)
  end
  return found
end

local function shallow_copy(table_or_value)
  if type(table_or_value) ~= "table" then
    return table_or_value
  end
  local copy = {}
  for key, value in pairs(table_or_value) do
    copy[key] = value
  end
  return copy
end

function Context:collect(collector, arguments)
  return make_exhibit(host.request("collect", { collector = collector, arguments = dashed(arguments or {}) }))
end

function Context:contain(method, arguments)
  if type(method) == "table" then
    method, arguments = nil, method
  end
  return host.request("contain", { method = method, arguments = dashed(arguments or {}) })
end

function Context:release(reason)
  return host.request("release", { reason = reason })
end

function Context:probe()
  return host.request("probe", {})
end

function Context:served()
  return host.request("served", {})
end

function Context:diff(before, after)
  return host.request("diff", { a = reference(before), b = reference(after) })
end

function Context:load_baseline(path)
  return host.request("load_baseline", { path = path })
end

function Context:verify(exhibit)
  return host.request("verify", { exhibit = reference(exhibit) })
end

function Context:verify_signature(subject, options)
  local arguments = shallow_copy(options or {})
  if type(arguments) == "table" then
    arguments.subject = reference(subject)
    arguments.signature = reference(arguments.signature)
    if type(arguments.certificate_chain) == "string" then
      arguments.certificate_chain = { arguments.certificate_chain }
    end
  end
  return host.request("verify_signature", arguments)
end

function Context:scan(subject)
  return host.request("scan", { subject = reference(subject) })
end

function Context:finding(finding)
  local arguments = shallow_copy(finding)
  if type(arguments) == "table" then
    arguments.evidence = references(arguments.evidence)
  end
  local answer = host.request("finding", arguments)
  local worst = self._worst[1]
  if worst == nil or VERDICT_ORDER[arguments.verdict] > VERDICT_ORDER[worst] then
    self._worst[1] = arguments.verdict
  end
  return answer.finding
end

function Context:worst_verdict()
  return self._worst[1]
end

function Context:note(text)
  host.request("note", { text = type(text) == "string" and text or tostring(text) })
end

function Context:gap(gap)
  local arguments = shallow_copy(gap)
  if type(arguments) == "table" then
    arguments.subject = reference(arguments.subject)
  end
  host.request("gap", arguments)
end

function Context:ask(question)
  local answer = host.request("ask", question)
  return answer.answer, answer
end

function Exhibit:items(pattern)
  local page, at, after = {}, 0, 0
  return function()
    at = at + 1
    if page[at] == nil and after ~= nil then
      local answer = host.request("items", { exhibit = self.id, pattern = pattern, after = after, limit = PAGE })
      page, at, after = answer.items, 1, answer.next
    end
    if page[at] ~= nil then
      return make_item(self.id, page[at])
    end
  end
end

function Exhibit:item(name)
  for item in self:items() do
    if item.name == name then
      return item
    end
  end
end

function Item:read(offset, length)
  offset = offset or 0
  length = length or math.min(MAX_READ, self.size - offset)
  local answer = host.request("read", { exhibit = self.exhibit, item = self.number, offset = offset, length = length })
  return host.bytes(answer.base64)
end

local function new(params, deployment)
  return setmetatable({ params = params, deployment = deployment, facts = {}, _worst = {} }, Context)
end

return { new = new, Context = Context, Exhibit = Exhibit, Item = Item }
