---@meta
-- What of Lua 5.4 a playbook finds; the code is lua/host/sandbox_library.cpp.
-- tests/unit/lua/api_stub_test.cpp fails when names differ.

--- A playbook computes the same every time it runs; what would differ between runs or reach out of the sandbox is not
--- there. No os, io, debug, coroutine, package, load, loadfile, dofile, collectgarbage, print (use ctx:note), rawset,
--- string.dump, math.random. Globals and libraries are read-only, and an unknown global is an error.
---
--- Different from plain Lua:
--- * `pairs` and `next` go by sorted keys: numbers, text by bytes, false, true. Keys of other types are an error there.
--- * `tostring` and `%s` of a table or function give its type, never an address; `%p` is an error.
--- * `setmetatable` refuses `__gc` and `__mode`.
--- * `pcall` and `xpcall` do not catch a refused act or the end of a limit.
--- * One call of a library function may take 2 s of processor time; a longer one ends the playbook. So do 20,000 acts
---   in one run, and more than 60 s of its own computing (or IMPOUND_PLAYBOOK_SECONDS, if that is fewer).
--- * `require` finds impound, impound.fake and Lua files of the playbook's folder.
--- * A list with holes has no defined length, as in plain Lua.
---@class impound.Sandbox
local sandbox = {
  globals = {
    "_VERSION", "assert", "error", "getmetatable", "ipairs", "math", "next", "pairs", "pcall", "rawequal", "rawget",
    "rawlen", "require", "select", "setmetatable", "string", "table", "tonumber", "tostring", "type", "utf8", "xpcall",
  },
}

return sandbox
