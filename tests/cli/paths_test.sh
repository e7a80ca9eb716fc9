# SPDX-License-Identifier: Apache-2.0
# A playbook reaches what the deployment names and what a person gave, and
# nothing else: the signing key, defaults, links, dots, the case.
. "$(dirname "$0")/harness.sh"

examiner; new_case
deployment d
key=$(ls "$XDG_CONFIG_HOME"/impound/*.key)
cp "$key" "$work/a-copy"
mkdir -p p

# playbook ID COLLECTORS PARAMS BODY: one step, effect read.
playbook() {
  mkdir -p "p/$1"
  cat >"p/$1/playbook.lua" <<LUA
local impound = require("impound")
return impound.playbook({
  schema = 1, id = "$1", version = "1.0.0", title = "A hostile one", owner = "tests", effect = "read",
  needs = { collectors = { $2 } }, references = { "https://example.org" },
  params = { $3 },
  steps = { { id = "act", title = "Act", run = function(ctx)
$4
  end } },
})
LUA
}
refused() { # WHY PLAYBOOK ARGUMENTS…: at plan and at run, before anything is written
  local why=$1 before
  shift
  before=$(entries)
  code 2 impound playbook plan "$@" --deployment d/d.toml
  says "$why"
  code 2 impound run "$@" --deployment d/d.toml --yes
  says "$why"
  equal "$(entries)" "$before"
}
# Nothing of the key in the record, in no exhibit, in no report.
no_key() {
  local secret
  secret=$(sed -n 2p "$key")
  ! grep -rqF -- "$secret" "$IMPOUND_HOME/IR-1" || fail "the signing key is in the case"
  ! sqlite3 "$IMPOUND_HOME/IR-1/case.db" .dump | grep -qF -- "$secret" || fail "the signing key is in the chain"
}

# The attack: the key as a prompt log, its bytes as a note.
playbook key-thief '"prompt-log"' '' "
    local logs = ctx:collect('prompt-log', { path = '$key' })
    for item in logs:items() do ctx:note(item:read()) end"
refused "examiner.key" p/key-thief
no_key

# The same where no plan comes to it.
playbook late-thief '"model-files", "prompt-log"' '' "
    if ctx:collect('model-files').id == 'E000' then return end
    local _, logs = pcall(function() return ctx:collect('prompt-log', { path = '$key' }) end)
    for item in logs:items() do ctx:note(item:read()) end"
code 0 impound playbook plan p/late-thief --deployment d/d.toml
code 3 impound run p/late-thief --deployment d/d.toml
says "examiner.key\" is neither an exhibit"
no_key
equal "$(sqlite3 "$IMPOUND_HOME/IR-1/case.db" "SELECT count(*) FROM exhibits")" 1

# A person who names the key is told the same.
playbook any-log '"prompt-log"' 'path = { type = "path", help = "A log." }' "
    ctx:collect('prompt-log', { path = ctx.params.path })"
refused "is the signing key" p/any-log -p path="$key"
refused "lies in the case" p/any-log -p path="$IMPOUND_HOME/IR-1/case.db" --case IR-1
refused "lies in the folder of cases" p/any-log -p path="$IMPOUND_HOME/IR-2/case.db"
ln -s "$key" "$work/link"
refused "is the signing key" p/any-log -p path=link
no_key

# A default is no gift.
playbook default-path '' 'reference = { type = "path", help = "A file.", default = "/etc/passwd" }' "
    ctx:diff(ctx.params.reference, ctx.deployment.model_path)"
refused "default of parameter reference, which nobody gave" p/default-path
code 1 impound playbook check p/default-path
says "default of parameter reference, which nobody gave"

# Links in the model folder, dots, /proc, other processes' roots.
ln -s /etc d/model/etc
try() { # WHY PATH-IN-LUA
  playbook tries '' '' "    ctx:scan($2)"
  refused "$1" p/tries
}
try "it leads to /etc/passwd" "ctx.deployment.model_path .. '/etc/passwd'"
try "it leads to" "ctx.deployment.model_path .. '/../../config'"
try "neither an exhibit" "'/proc/self/root' .. ctx.deployment.model_path"
try "neither an exhibit" "'/proc/$$/root/etc/passwd'"
try "neither an exhibit" "'/proc/self/cwd/d/model/config.json'"
try "neither an exhibit" "'d/model'"
try "neither an exhibit" "'$work/a-copy'"
rm d/model/etc
sleep 300 & children+=("$!"); disown
sed -i "s/^pid = 1/pid = $!/" d/d.toml
playbook pid-thief '"process"' '' "    ctx:collect('process', { pid = $$ })"
refused "is no process of the deployment" p/pid-thief
playbook glob-thief '"prompt-log"' '' "    ctx:collect('prompt-log', { path = '/**/*.key' })"
refused "neither an exhibit" p/glob-thief
# An exhibit's name is the exhibit, whatever lies in the working folder.
cp "$work/a-copy" E007
playbook shadow '' '' "    ctx:scan('E007')"
code 3 impound run p/shadow --deployment d/d.toml
says "has no exhibit E007"
no_key

# What may be: the deployment's own, a file of it, what a person gave.
playbook honest '"model-files", "prompt-log"' 'other = { type = "path", help = "Another.", default = "" }' "
    ctx:scan(ctx.deployment.model_path .. '/config.json')
    ctx:collect('model-files')
    ctx:collect('prompt-log')
    if ctx.params.other ~= '' then ctx:diff(ctx.deployment.model_path, ctx.params.other) end"
cp -r d/model other
code 0 impound playbook plan p/honest --deployment d/d.toml -p other=other
says "It would touch:"
says "path $work/d/model/config.json (of the deployment): scan"
says "path $work/d/logs/*.jsonl (of the deployment): collect"
says "path $work/other (given on the command line): diff"
code 0 impound playbook plan p/honest --deployment d/d.toml -p other=other --json
json 'any(t["what"].endswith("/other") and t["ground"] == "given on the command line" for a in d["acts"] if a["function"] == "diff" for t in a["touches"])'
json '[a["arguments"]["subject"] for a in d["acts"] if a["function"] == "scan"][0].endswith("d/model/config.json")'
code 0 impound run p/honest --deployment d/d.toml -p other=other
equal "$(field playbook.start '$.detail.given.paths[0].absolute')" "$work/other"

# What was given is remembered as it was meant: a run goes on from another folder, and reaches no more.
playbook later '' 'other = { type = "path", help = "Another.", default = "/etc/passwd" }' "
    if ctx:ask({ id = 'go', question = 'Go on?', choices = { 'yes', 'no' } }) == 'yes' then
      ctx:scan(ctx.params.other .. '/config.json')
    end"
code 5 impound run p/later --deployment d/d.toml -p other=other </dev/null
run=$(field playbook.end '$.run')
mkdir -p "$work/elsewhere/other"; echo '{"not": "this"}' >"$work/elsewhere/other/config.json"
(cd "$work/elsewhere" && code 0 impound resume "$run" --answer go=yes) || fail "resumed elsewhere"
equal "$(field verify '$.detail.what' "json_extract(line,'\$.run')='$run'")" "scan of $work/other/config.json"

# More is declared, shown, and approved as a containment is.
mkdir -p "$work/etc"; echo '{"a": 1}' >"$work/etc/extra.json"; echo no >"$work/etc/other.json"
reader() { # ID READS BODY
  mkdir -p "p/$1"
  cat >"p/$1/playbook.lua" <<LUA
local impound = require("impound")
return impound.playbook({
  schema = 1, id = "$1", version = "1.0.0", title = "It reads more", owner = "tests", effect = "read",
  needs = { collectors = {}, reads = { $2 } }, references = { "https://example.org" },
  steps = { { id = "act", title = "Act", run = function(ctx)
$3
  end } },
})
LUA
}
reader more "\"$work/etc/extra.json\"" "    ctx:scan('$work/etc/extra.json')"
code 0 impound playbook show p/more
says "reads $work/etc/extra.json"
code 0 impound playbook doc p/more
says "| reads | \`$work/etc/extra.json\` |"
code 0 impound playbook check p/more
code 0 impound playbook plan p/more --deployment d/d.toml
says "reads: $work/etc/extra.json"
says "path $work/etc/extra.json (declared in needs.reads): scan"
says "reads (before the first step): May the playbook more 1.0.0 read, besides what the deployment names: $work/etc/extra.json?"
code 0 impound playbook plan p/more --deployment d/d.toml --json
json 'd["permissions"]["reads"][0].endswith("/etc/extra.json") and d["questions"][0]["id"] == "reads" and "--answer reads=yes" in d["questions"][0]["ways"]'
code 5 impound run p/more --deployment d/d.toml </dev/null
says 'an answer to "reads"'
run=$(field playbook.end '$.run')
equal "$(sqlite3 "$IMPOUND_HOME/IR-1/case.db" "SELECT count(*) FROM custody WHERE json_extract(line,'$.action')='verify' AND json_extract(line,'$.run')='$run'")" 0
code 0 impound answer "$run" reads yes
code 0 impound resume "$run"
equal "$(field note '$.detail.basis' "json_extract(line,'\$.detail.kind')='answer' AND json_extract(line,'\$.detail.basis') LIKE 'given by ''impound answer'' by Ada Example%' AND json_extract(line,'\$.run')='$run'" | cut -c1-40)" "given by 'impound answer' by Ada Example"
code 0 impound run p/more --deployment d/d.toml --answer reads=yes
equal "$(field note '$.detail.basis' "json_extract(line,'\$.detail.kind')='answer'")" "given on the command line: --answer reads=yes"
code 0 impound run p/more --deployment d/d.toml --yes
equal "$(field playbook.start '$.detail.permissions.reads[0]')" "$work/etc/extra.json"
code 3 impound run p/more --deployment d/d.toml --answer reads=no
says "is declared in needs.reads, and nobody approved it"
code 0 at_terminal "[yes/no]" 'yes\n' "$IMPOUND" run p/more --deployment d/d.toml
# What is declared is no more than that, and never ours or the examiner's.
reader more "\"$work/etc/extra.json\"" "    ctx:scan('$work/etc/other.json')"
refused "neither an exhibit" p/more
ln -sf "$work/etc/other.json" "$work/etc/out"
reader more "\"$work/etc/extra.json\"" "    ctx:scan('$work/etc/extra.json/../other.json')"
refused "neither an exhibit" p/more
mkdir -p "$HOME/.ssh"; echo k >"$HOME/.ssh/id"
for path in "$key:is the signing key" "$IMPOUND_HOME:holds the case" "$HOME/.ssh/id:lies in the home folder" "$HOME:is the home\|lies in the home folder" "$work:holds"; do
  reader more "\"${path%%:*}\"" "    ctx:scan('${path%%:*}')"
  code 2 impound playbook plan p/more --deployment d/d.toml
  grep -q "${path#*:}" "$work/err" || fail "does not say ${path#*:}: $(cat "$work/err")"
  code 2 impound run p/more --deployment d/d.toml --yes
done
for path in etc/passwd /etc/../etc/passwd / /proc/self/environ /dev/sda '/etc/*.conf' /etc/; do
  reader more "\"$path\"" "    ctx:note('x')"
  code 2 impound playbook plan p/more --deployment d/d.toml
  says "needs.reads[1]: expected an absolute path"
done
# The tool asks this question, no playbook does.
reader more "\"$work/etc/extra.json\"" "    ctx:ask({ id = 'reads', question = 'Read?', choices = { 'yes', 'no' } })"
code 3 impound run p/more --deployment d/d.toml --yes
says "the one of needs.reads"
# Its tests answer it.
reader more "\"$work/etc/extra.json\"" "    ctx:scan('$work/etc/extra.json')"
cat >p/more/test.lua <<'LUA'
local fake = require("impound.fake")
return {
  ["it reads what was approved"] = function(t)
    t.equal(fake.run(require("playbook"), { answers = { reads = "yes" } }).state, "done")
  end,
  ["it reads nothing that was not"] = function(t)
    t.equal(fake.run(require("playbook"), { answers = { reads = "no" } }).state, "failed")
  end,
}
LUA
code 0 impound playbook test p/more
code 0 impound custody verify
