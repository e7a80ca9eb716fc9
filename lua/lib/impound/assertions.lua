--- The value `t` that a test gets: says what was expected and what was found.

local host = ...

local assertions = {}

local function text_of(value)
  if type(value) == "string" then
    return ("%q"):format(value)
  end
  if type(value) ~= "table" then
    return tostring(value)
  end
  local parts = {}
  for key, inner in pairs(value) do
    local shown = type(inner) == "table" and "{…}" or text_of(inner)
    parts[#parts + 1] = type(key) == "number" and shown or ("%s = %s"):format(key, shown)
  end
  return "{ " .. table.concat(parts, ", ") .. " }"
end

local function same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then
    return a == b
  end
  for key, value in pairs(a) do
    if not same(value, b[key]) then
      return false
    end
  end
  for key in pairs(b) do
    if a[key] == nil then
      return false
    end
  end
  return true
end

local function fail(what, note)
  host.raise("bad_input", note ~= nil and ("%s: %s"):format(note, what) or what)
end

--- Documented in lua/api/assertions.lua, as the rest.
function assertions.equal(found, expected, note)
  if not same(found, expected) then
    fail(("expected %s, found %s"):format(text_of(expected), text_of(found)), note)
  end
end

function assertions.truthy(found, note)
  if not found then
    fail("expected something true, found " .. text_of(found), note)
  end
end

function assertions.contains(text, part, note)
  if type(text) ~= "string" or not text:find(part, 1, true) then
    fail(("expected text that contains %s, found %s"):format(text_of(part), text_of(text)), note)
  end
end

function assertions.fails(action, part, note)
  local ok, problem = pcall(action)
  if ok then
    fail("expected an error, there was none", note)
  end
  if part ~= nil then
    assertions.contains(tostring(problem), part, note)
  end
end

return assertions
