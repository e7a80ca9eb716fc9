local p = require("impound")
return impound.playbook({ id = "a", ["b"] = [[x]], steps = { { id = "x", run = function() if a then return { 1 } end end }, f }, --[==[ }
]==] })
