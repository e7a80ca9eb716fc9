---@meta impound.assertions
-- Signatures only; the code is lua/lib/impound/assertions.lua.

--- The value `t` that every test of test.lua gets.
---@class impound.assertions
local assertions = {}

--- Both are equal; tables are compared by content.
---@param found any
---@param expected any
---@param note? string Shown before the message.
function assertions.equal(found, expected, note) end

---@param found any Neither nil nor false.
---@param note? string
function assertions.truthy(found, note) end

--- `part` occurs in `text`, as plain text.
---@param text string
---@param part string
---@param note? string
function assertions.contains(text, part, note) end

--- `action` raises an error whose text contains `part`.
---@param action fun()
---@param part? string
---@param note? string
function assertions.fails(action, part, note) end

return assertions
