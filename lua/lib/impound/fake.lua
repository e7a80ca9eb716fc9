--- Runs a playbook against a made-up case, for its tests.

local host = ...

local fake = {}

--- Documented in lua/api/fake.lua.
function fake.run(playbook, setup)
  if type(playbook) ~= "table" then
    host.raise("bad_input", "fake.run expects the playbook first: fake.run(require(\"playbook\"), { … })")
  end
  return host.fake(playbook, setup or {})
end

return fake
