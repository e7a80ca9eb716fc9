# SPDX-License-Identifier: Apache-2.0
# [I13] Consent is what a person said, and the record keeps how it was said.
. "$(dirname "$0")/harness.sh"
[ "$(id -u)" = 0 ] || skip "freezing another process tree needs root"

examiner; new_case
export IMPOUND_CASE=IR-1
served d

# A playbook that asks, contains, and does nothing else.
mkdir ask-first
cat >ask-first/playbook.lua <<'LUA'
--- Asks, and takes the deployment out of service.
local impound = require("impound")
local response = require("impound.response")
local function who(ctx)
  if ctx.params.talk then
    ctx:note("said: " .. ctx:ask({ id = "who", question = "Who saw it?" }))
  end
end
return impound.playbook({
  schema = 1,
  id = "ask-first",
  version = "1.0.0",
  title = "A question before an act",
  owner = "tests",
  effect = "contain",
  needs = { collectors = {}, containments = { "deployment" } },
  references = { "https://example.org" },
  params = {
    active_harm = { type = "boolean", default = false, help = "Contain first." },
    talk = { type = "boolean", default = false, help = "Ask for text, too." },
  },
  questions = { later = { question = "Is it the same as last week?", choices = { "same", "other" } } },
  steps = {
    { id = "who", title = "Ask who saw it", run = who },
    { id = "contain", title = "Take the deployment out of service", effect = "contain", run = response.contain },
  },
})
LUA
run() { "$IMPOUND" run ask-first --deployment d/d.toml "$@"; }
basis() { field note '$.detail.basis' "json_extract(line,'\$.detail.kind')='answer'"; }
answer() { field note '$.detail.answer' "json_extract(line,'\$.detail.kind')='answer'"; }
not_contained() { answers || fail "$1: it is contained"; }
contained() {
  answers && fail "$1: it is not contained"
  code 0 impound release
  answers || fail "$1: released, and silent"
}

# The plan says which consent it will need.
code 0 impound playbook plan ask-first --deployment d/d.toml
says "contain (step contain): Take the deployment small out of service now?"
says "--answer contain=yes or --yes"
says "later (only if the evidence leads there)"
code 0 impound playbook plan ask-first --deployment d/d.toml --json
json '[q["id"] for q in d["questions"]] == ["contain", "later"]'
json 'd["questions"][0]["approves"] == "contain" and d["questions"][0]["ways"] == ["--answer contain=yes", "--yes"]'

# Where nobody sits at a terminal the run waits, also with --active-harm.
for harm in "" --active-harm; do
  # shellcheck disable=SC2086
  code 5 run $harm </dev/null
  says "an answer to \"contain\" (yes or no)"
  says "impound answer"
  not_contained "nobody was asked"
done
equal "$(sqlite3 "$IMPOUND_HOME/IR-1/case.db" "SELECT group_concat(state) FROM runs")" waiting,waiting

# Unknown questions and answers that none admits are refused before anything is touched.
before=$(entries)
code 2 run --answer contan=no
says "asks no question \"contan\" here; it asks contain, later"
code 2 run --answer contain=nope
says "expected yes or no"
code 2 run --answer contain=
code 2 run --answer contain
code 2 run --answer contain=yes --answer contain=no
says "answered twice"
code 2 run --answer later=next-week
says "expected same or other"
code 2 impound resume R001 --answer contan=no
code 2 impound resume R001 --answer contain=nope
code 2 impound answer R001 ownr yes
says "R001 waits for no answer to \"ownr\"; it waits for an answer to contain"
code 2 impound answer R001 contain nope
says "expected yes or no"
equal "$(entries)" "$before"
not_contained "a mistake in the command line"

# `impound answer` is recorded with who gave it and when, and the run takes it up.
code 0 impound answer R001 contain yes
not_contained "an answer alone does nothing"
code 3 impound resume R001 </dev/null
case "$(basis)" in "given by 'impound answer' by Ada Example at 20"*) ;; *) fail "basis: $(basis)" ;; esac
contained "impound answer"
code 2 impound answer R001 contain no
code 0 impound abort R002 --reason "not needed"

# The command line, with exactly that basis.
code 3 run --answer contain=yes --answer later=same </dev/null
equal "$(basis)" "given on the command line: --answer contain=yes"
contained "--answer"
code 3 run --yes </dev/null
equal "$(basis)" "given on the command line: --yes"
contained "--yes"
code 3 run --answer contain=no --yes </dev/null
equal "$(basis)" "given on the command line: --answer contain=no"
says "\"contain\" was answered no: contain was not allowed"
not_contained "no, beside --yes"
equal "$(field playbook.step '$.outcome' "json_extract(line,'\$.step')='contain'")" incomplete

# At a terminal a person is asked, and Enter takes the default, which is no.
code 3 at_terminal "Enter means no] " '\n' "$IMPOUND" run ask-first --deployment d/d.toml
equal "$(basis)" "asked at the terminal, Enter took the default no"
equal "$(answer)" no
not_contained "Enter"
code 3 at_terminal "Enter means no] " 'ye\nyes\n' "$IMPOUND" run ask-first --deployment d/d.toml
says "\"ye\" is no answer: expected yes or no"
equal "$(basis)" "asked at the terminal"
equal "$(answer)" yes
contained "yes at the terminal"

# Ctrl-C and the end of the input leave the run waiting, and say so.
for keys in '\x03' '\x04'; do
  code 5 at_terminal "Enter means no] " "$keys" "$IMPOUND" run ask-first --deployment d/d.toml
  says "left unanswered"
  says "impound resume"
  equal "$(field playbook.end '$.detail.state')" waiting
  not_contained "$keys"
done
last=$(sqlite3 "$IMPOUND_HOME/IR-1/case.db" "SELECT id FROM runs ORDER BY seq DESC LIMIT 1")
code 3 at_terminal "Enter means no] " 'yes\n' "$IMPOUND" resume "$last"
equal "$(basis)" "asked at the terminal"
contained "asked again on resume"

# A question without choices takes any text, from wherever it comes.
code 5 run -p talk=yes --yes </dev/null
says "an answer to \"who\" (any text)"
last=$(sqlite3 "$IMPOUND_HOME/IR-1/case.db" "SELECT id FROM runs ORDER BY seq DESC LIMIT 1")
code 2 impound answer "$last" who ""
code 0 impound answer "$last" who "the night shift"
code 3 impound resume "$last" --answer contain=no </dev/null
equal "$(field note '$.detail.text' "json_extract(line,'\$.detail.text') LIKE 'said: %'")" "said: the night shift"
code 3 run -p talk=yes --answer "who=Ada, at 3 a.m." --answer contain=no </dev/null
equal "$(field note '$.detail.text' "json_extract(line,'\$.detail.text') LIKE 'said: %'")" "said: Ada, at 3 a.m."
code 0 impound custody verify
equal "$(sqlite3 "$IMPOUND_HOME/IR-1/case.db" "SELECT count(*) FROM runs WHERE state='running'")" 0
