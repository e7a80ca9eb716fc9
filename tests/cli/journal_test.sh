# SPDX-License-Identifier: Apache-2.0
# No journal puts words into the record, and no accident ends a run for good: rows that the chain does not name are
# never replayed; Ctrl-C and a full disk are attempts, and resume ends as a run that nothing disturbed.
. "$(dirname "$0")/harness.sh"
[ "$(id -u)" = 0 ] || skip "freezing another process tree needs root"

examiner
served d
code 0 impound baseline create d/model --name small -o d/base.json
db() { echo "$IMPOUND_HOME/$IMPOUND_CASE/case.db"; }
query() { sqlite3 "$(db)" "$1"; }
begin() { IMPOUND_CASE=$1; export IMPOUND_CASE; code 0 impound case new "$1" --title t; }
# What a run came to: the end of every step, every finding, and the outcome.
came_to() {
  query "SELECT step, outcome FROM steps s WHERE run='R001' AND seq=(SELECT max(seq) FROM steps WHERE run='R001' AND step=s.step) ORDER BY step"
  query "SELECT verdict, severity, title FROM findings WHERE run='R001'"
  query "SELECT json_extract(line,'\$.detail.verdict') FROM custody WHERE json_extract(line,'\$.action')='playbook.end' ORDER BY seq DESC LIMIT 1"
}

begin whole
code 0 impound run weights-tampering --deployment d/d.toml --yes
code 0 impound release
expected=$(came_to)
[ "$(query "SELECT count(*) FROM journal")" = "$(query "SELECT count(*) FROM custody WHERE json_extract(line,'\$.detail.kind')='call'")" ] || fail "a journal row has no entry"

echo "forged rows after a crash never skip a containment"
begin forged
code 5 impound run weights-tampering --deployment d/d.toml </dev/null
cp -r "$IMPOUND_HOME/forged" "$work/pristine"
last=$(query "SELECT max(n) FROM journal WHERE run='R001'")
for i in 1 2 3; do
  sqlite3 "$IMPOUND_HOME/whole/case.db" "SELECT call_sha256 || '|' || hex(call) || '|' || hex(answer) FROM journal WHERE run='R001' AND n=$((last + i))" >row
  IFS='|' read -r hash call answer <row
  query "INSERT INTO journal VALUES('R001', $((last + i)), '$hash', CAST(x'$call' AS TEXT), CAST(x'$answer' AS TEXT))"
done
before=$(entries)
code 4 impound resume R001 --yes
says "row $((last + 1)) of the journal of R001 has no entry in the chain"
equal "$(entries)" "$before"
answers || fail "something was contained"
# Who only looks is told as well, and of the case that is whole is told nothing.
code 4 impound verify "$IMPOUND_HOME/forged"
says "row $((last + 1)) of the journal of R001 has no entry in the chain"
code 1 impound case check --dry-run
says "journal R001 row $((last + 1)) of the journal of R001 has no entry in the chain"
code 0 impound verify "$IMPOUND_HOME/whole"

echo "an edited row, a row of the middle and a row of the end that are gone are refused by name"
for change in "UPDATE journal SET answer=replace(answer,'\"exhibit\"','\"exhibit \"') WHERE n=1" \
  "DELETE FROM journal WHERE n=1" "DELETE FROM journal WHERE n=$last"; do
  rm -rf "${IMPOUND_HOME:?}/forged"
  cp -r "$work/pristine" "$IMPOUND_HOME/forged"
  query "CREATE TEMP TABLE t(x); DROP TRIGGER journal_no_delete; DROP TRIGGER journal_answer_once; $change"
  code 4 impound resume R001 --yes
  says "journal"
  # With the triggers put back, as whoever does it would.
  rm -rf "${IMPOUND_HOME:?}/forged"
  cp -r "$work/pristine" "$IMPOUND_HOME/forged"
  python3 - "$(db)" "$change" <<'PY'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
names = ("journal_no_delete", "journal_answer_once")
sql = [db.execute("SELECT sql FROM sqlite_master WHERE name=?", (n,)).fetchone()[0] for n in names]
for n in names: db.execute("DROP TRIGGER " + n)
db.execute(sys.argv[2])
for s in sql: db.execute(s)
db.commit()
PY
  code 4 impound resume R001 --yes
  says "of the journal of R001"
  code 4 impound verify "$IMPOUND_HOME/forged"
  says "of the journal of R001"
done
rm -rf "${IMPOUND_HOME:?}/forged"
cp -r "$work/pristine" "$IMPOUND_HOME/forged"

echo "a changed deployment file is said and recorded, and the run goes on as it was recorded"
cp d/d.toml d/was.toml
echo "# later" >>d/d.toml
code 0 impound resume R001 --yes
says "was changed since the run began"
equal "$(query "SELECT count(*) FROM custody WHERE json_extract(line,'\$.detail.deployment_changed.path') LIKE '%d.toml'")" 1
cp d/was.toml d/d.toml
equal "$(came_to)" "$expected"
code 0 impound release

echo "a full disk is no answer: resume ends as an undisturbed run"
full=0
for blocks in 96 160 256 512; do # files may have so many KiB
  begin "full-$blocks"
  (trap '' XFSZ; ulimit -f "$blocks"; exec "$IMPOUND" run weights-tampering --deployment d/d.toml --yes) >out 2>err
  ended=$?
  if [ "$(query "SELECT count(*) FROM runs WHERE state NOT IN ('done','aborted')")" = 1 ]; then
    full=$((full + 1))
    "$IMPOUND" resume R001 --yes >out 2>err || fail "full at $blocks KiB ($ended): $(cat out err)"
    equal "$(came_to)" "$expected"
  fi
  code 0 impound custody verify
  impound release >out 2>err
  answers || fail "not given back"
done
[ "$full" -gt 0 ] || fail "no run met the full disk"

echo "a step that failed is done again when a person says so, and not before; what it was answered stays"
echo '{"no":' >other.json
mkdir -p based
cat >based/playbook.lua <<'LUA'
local impound = require("impound")
local function look(ctx)
  ctx:note("before")
end
local function check(ctx)
  ctx:note("the baseline is " .. ctx:load_baseline(ctx.params.other).name)
end
local function last(ctx)
  ctx:note("behind it")
end
return impound.playbook({
  schema = 1, id = "based", version = "1.0.0", title = "A baseline", owner = "tests", effect = "read",
  params = { other = { type = "path", help = "A baseline." } },
  needs = { collectors = {} },
  steps = {
    { id = "look", title = "Look", run = look }, { id = "check", title = "Check", run = check },
    { id = "last", title = "End", run = last },
  },
})
LUA
begin missing
code 3 impound run based --deployment d/d.toml -p other="$work/never.json"
equal "$(query "SELECT group_concat(step || ' ' || outcome) FROM steps")" "look ok,check failed,last ok" # a file that is not there is an answer
equal "$(query "SELECT count(*) FROM custody WHERE json_extract(line,'\$.detail.kind')='attempt'")" 0
begin retried
code 3 impound run based --deployment d/d.toml -p other="$work/other.json"
equal "$(query "SELECT group_concat(step || ' ' || outcome) FROM steps")" "look ok,check failed,last ok"
cp d/base.json other.json
code 2 impound resume R001 --retry look
says "expected a step of R001 that failed or is incomplete"
code 2 impound resume R001 --retry nothing
code 3 impound resume R001
equal "$(query "SELECT outcome FROM steps WHERE step='check' ORDER BY seq DESC LIMIT 1")" failed
code 3 impound resume R001 --retry check # it compares nothing: incomplete
equal "$(query "SELECT outcome FROM steps WHERE step='check' ORDER BY seq DESC LIMIT 1")" ok
equal "$(query "SELECT count(*) FROM timeline WHERE what='the baseline is small'")" 1
equal "$(query "SELECT count(*) FROM timeline WHERE what='before'")" 1
equal "$(query "SELECT count(*) FROM custody WHERE json_extract(line,'\$.detail.kind')='call' AND json_extract(line,'\$.detail.answered')='error'")" 1
code 0 impound custody verify


command -v strace >/dev/null && strace -qq -e trace=none true 2>/dev/null || skip "strace may not trace here: Ctrl-C was not tried"
echo "Ctrl-C at several points, then resume, ends as an undisturbed run"
stopped=0
for at in 8 14 20 26 32 40; do
  begin "stop-$at"
  strace -f -qq -o /dev/null -e trace=fsync,fdatasync -e inject=fsync,fdatasync:signal=INT:when=$at \
    "$IMPOUND" run weights-tampering --deployment d/d.toml --yes >out 2>err
  if [ "$(query "SELECT state FROM runs")" = interrupted ]; then
    stopped=$((stopped + 1))
    "$IMPOUND" resume R001 --yes >out 2>err || fail "stopped at $at: $(cat out err)"
    equal "$(came_to)" "$expected"
  fi
  code 0 impound custody verify
  impound release >out 2>err
  answers || fail "not given back"
done
[ "$stopped" -gt 2 ] || fail "only $stopped runs were stopped"
