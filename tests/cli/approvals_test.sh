# SPDX-License-Identifier: Apache-2.0
# Approvals of further examiners: on top of consent, each for one act.
. "$(dirname "$0")/harness.sh"
[ "$(id -u)" = 0 ] || skip "freezing another process tree needs root"

examiner
served d
as() { XDG_CONFIG_HOME=$work/$1 "$IMPOUND" "${@:2}"; }
for who in "bob:Bob Second" "eve:Eve Third"; do
  XDG_CONFIG_HOME=$work/${who%%:*} code 0 impound examiner init --name "${who#*:}" --org "Example Corp" --role lead
done
code 0 impound case new IR-1 --title "two people" --approvals 1
export IMPOUND_CASE=IR-1
# Whoever approves was let in by the one who opened the case, fingerprint in hand.
let_in() {
  local key
  key=$(XDG_CONFIG_HOME=$work/$1 "$IMPOUND" examiner show --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["fingerprint"])')
  code 0 impound case signer add "$work/$1/impound/examiner.json" --fingerprint "$key" --rights act,approve,release
}
let_in bob
let_in eve

# By hand: it waits, says how, and the approval of somebody else is for this act only.
code 5 impound contain --deployment d/d.toml
says "impound approve A001"
answers || fail "contained without approval"
code 5 impound contain --deployment d/d.toml --json
json 'd["request"] == "A001" and d["missing"] == 1 and not d["contained"]'
equal "$(sqlite3 "$IMPOUND_HOME/IR-1/case.db" "SELECT count(*) FROM approvals")" 1
code 2 impound approve A001 --reason "mine"
says "Ada Example asked to contain small by process with this key: whoever asks for an act cannot approve it"
code 2 as bob approve A007 --reason "which?"
says "nothing waits for an approval under the name \"A007\""
code 0 as bob approve A001 --reason "harm is likely"
code 5 as eve contain --deployment d/d.toml
code 0 impound contain --deployment d/d.toml
answers && fail "approved, and not contained"
grant=$(field approval.grant '$.id')
equal "$(field isolate.verify '$.authority.approvals[0]')" "$grant"
code 0 impound release
code 5 impound contain --deployment d/d.toml
says "impound approve"
answers || fail "an approval outlived its act"
code 0 as bob deny A003 --reason "once was enough"
code 2 impound contain --deployment d/d.toml
says "was denied by Bob Second: once was enough"

# A run: the answer comes first, the approval on top, and never in its place.
mkdir asks
cat >asks/playbook.lua <<'LUA'
--- Asks and contains, as often as it is told.
local impound = require("impound")
local function contain(ctx)
  for i = 1, ctx.params.times do
    if ctx:ask({ id = "go", question = "Now?", default = "no", approves = ctx.params.approves }) ~= "yes" then
      return
    end
    if ctx.params.approves == "contain" or ctx.params.cheat then
      ctx:contain()
    end
    ctx:note("round " .. i)
  end
end
return impound.playbook({
  schema = 1,
  id = "asks",
  version = "1.0.0",
  title = "A question before each act",
  owner = "tests",
  effect = "contain",
  needs = { collectors = {}, containments = { "deployment" } },
  references = { "https://example.org" },
  params = {
    times = { type = "integer", default = 1, help = "How often." },
    approves = { type = "choice", choices = { "contain", "release" }, default = "contain", help = "What is asked for." },
    cheat = { type = "boolean", default = false, help = "Contain whatever was asked." },
  },
  steps = { { id = "act", title = "Ask and contain", effect = "contain", run = contain } },
})
LUA
run() { "$IMPOUND" run asks --deployment d/d.toml "$@" </dev/null; }
code 5 run
says "an answer to \"go\""
code 2 as bob approve R001 --reason "nothing is asked of me yet"
code 0 impound answer R001 go yes
code 5 impound resume R001
says "1 approval of another examiner than Ada Example to contain small in R001"
answers || fail "an answer replaced the approval"
code 2 impound approve R001 --reason "by the one who started it"
says "cannot approve it"
code 0 as bob approve R001 --reason "harm is likely"
code 3 impound resume R001
answers && fail "answered and approved, and not contained"
says "nothing was compared"
code 0 impound release

# An approval does not outlive the act it was for: the second question of the same run waits again.
code 5 run -p times=2 --yes
code 0 as bob approve R002 --reason "the first"
code 5 impound resume R002 --yes
says "1 approval of another examiner"
equal "$(sqlite3 "$IMPOUND_HOME/IR-1/case.db" "SELECT count(*) FROM timeline WHERE run='R002' AND what='round 1'")" 1
code 0 as bob approve R002 --reason "the second"
code 3 impound resume R002 --yes
code 0 impound release

# Who answered for the run cannot approve it either: four eyes are four.
code 5 run
code 0 as bob answer R003 go yes
code 5 impound resume R003
code 2 as bob approve R003 --reason "I said so myself"
says "cannot approve it"
code 0 as eve approve R003 --reason "agreed"
code 3 impound resume R003
code 0 impound release

# Leave for one act is no leave for another, approvals or not.
export IMPOUND_CASE=IR-2
code 0 impound case new IR-2 --title "no policy"
code 2 run -p approves=release -p cheat=yes --yes
says "contain() in step act was not approved"
answers || fail "a yes to release contained"
equal "$(field playbook.start '$.run')" ""
code 0 impound contain --deployment d/d.toml
code 0 impound release
for name in IR-1 IR-2; do code 0 impound custody verify --case $name; done
