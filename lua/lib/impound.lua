--- What every playbook requires: impound.playbook declares it.

local host = ...

local impound = {}

--- Documented in lua/api/impound.lua.
function impound.playbook(declared)
  if type(declared) ~= "table" then
    host.raise("bad_input", "impound.playbook expects one table, found a " .. type(declared))
  end
  return host.playbook(declared)
end

return impound
