# SPDX-License-Identifier: Apache-2.0
# "Nothing that others wrote reaches a terminal as a command": every command
# that prints, over a case file, a playbook, a descriptor, a baseline, a model
# and a command line that hold ESC, C0, C1, DEL, bidirectional and invisible
# characters and forged lines. The entries of the hostile case are validly
# signed. A new command that is not in the list of screens.py fails the test.
. "$(dirname "$0")/harness.sh"

examiner; new_case
deployment d
printf '[[logs]]\npath = "logs/none-*.log"\n' >>d/d.toml
mkdir look
cat >look/playbook.lua <<'LUA'
--- Looks, finds, and asks.
local impound = require("impound")
local function look(ctx)
  local taken = ctx:collect("model-files")
  ctx:note("a note of the playbook")
  ctx:finding({ title = "a finding", severity = "low", verdict = "likely", evidence = taken.items })
end
local function ask(ctx)
  ctx:note("said: " .. ctx:ask({ id = "who", question = "Who saw it?" }))
end
return impound.playbook({
  schema = 1,
  id = "look",
  version = "1.0.0",
  title = "A look",
  owner = "tests",
  effect = "read",
  needs = { collectors = { "model-files" }, containments = {} },
  references = { "https://example.org" },
  params = { talk = { type = "text", default = "word", help = "Some help." } },
  questions = { later = { question = "Later?", choices = { "same", "other" } } },
  steps = { { id = "look", title = "Look at it", run = look }, { id = "ask", title = "Ask", run = ask } },
})
LUA
"$IMPOUND" collect prompt-log --deployment d/d.toml >/dev/null 2>&1
"$IMPOUND" run ./look --deployment d/d.toml </dev/null >out 2>err
cat out err | tail -n 5
code 0 impound baseline create d/model --name small -o d/base.json
code 0 impound case note "a note by hand"
"$IMPOUND" diff d/base.json d/model >/dev/null 2>&1
code 0 impound custody head
[ "$(entries)" -gt 15 ] || fail "the scene has $(entries) entries only"

python3 "$IMPOUND_SOURCE/tests/cli/screens.py" "$work" || fail "screens"
