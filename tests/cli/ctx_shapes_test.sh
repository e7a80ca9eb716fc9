# SPDX-License-Identifier: Apache-2.0
# Every function of ctx in every documented shape, and in shapes that nobody documented, against the real engine: none
# ends in an internal error, and no run is left running.
. "$(dirname "$0")/harness.sh"
[ "$(id -u)" = 0 ] || skip "freezing another process tree needs root"

examiner; new_case
served d
code 0 impound baseline create d/model --name small -o d/base.json
openssl ecparam -name prime256v1 -genkey -noout -out key.pem 2>/dev/null
openssl ec -in key.pem -pubout -out pub.pem 2>/dev/null
code 0 impound signature sign d/model --key key.pem -o model.sig

names=$(python3 "$IMPOUND_SOURCE/tests/cli/ctx_shapes.py" "$IMPOUND_SOURCE/lua/api/context.lua" shapes) || fail "the stubs cannot be read"
count=${names%% *}
[ "$count" -gt 500 ] || fail "only $count shapes"
"$IMPOUND" run shapes --deployment d/d.toml -p key="$work/pub.pem" -p signature="$work/model.sig" \
  -p logs="$work/d/logs/a.jsonl" -p pid="$server" \
  --yes --answer free=hello --answer chosen=a </dev/null >out 2>err
ended=$?
# What the machine refused is an attempt: the run stops there. The same refusal a second time is an answer.
stops=0
while [ "$(sqlite3 "$IMPOUND_HOME/IR-1/case.db" "SELECT state FROM runs")" = interrupted ]; do
  stops=$((stops + 1))
  [ "$stops" -lt 200 ] || fail "the run does not come to its end: $(tail -n 5 out err)"
  "$IMPOUND" resume R001 --yes --answer free=hello --answer chosen=a </dev/null >out 2>err
  ended=$?
done
case "$ended" in 0 | 1 | 3) ;; *) fail "exit $ended: $(tail -n 5 out err)" ;; esac
db=$IMPOUND_HOME/IR-1/case.db
grep -q "internal" out err && fail "internal: $(grep internal out err)"
equal "$(sqlite3 "$db" "SELECT state FROM runs")" done
equal "$(sqlite3 "$db" "SELECT count(*) FROM journal WHERE answer LIKE '%\"internal\"%'")" 0
equal "$(sqlite3 "$db" "SELECT what FROM timeline WHERE what LIKE 'INTERNAL%'")" ""
# The shapes were no mere refusals: of every function at least one was answered.
for name in ${names#* }; do
  [ -n "$(sqlite3 "$db" "SELECT 1 FROM timeline WHERE what LIKE 'SHAPES $name %'")" ] || fail "$name was never answered"
done
impound release >/dev/null
code 0 impound custody verify
echo "$count shapes"

# Whatever the host of a run throws, the record says that the run is over.
mkdir -p changed
cat >changed/playbook.lua <<'LUA'
local impound = require("impound")
local function ask(ctx)
  ctx:note(ctx:ask({ id = "who", question = "Who?" }))
end
return impound.playbook({
  schema = 1, id = "changed", version = "1.0.0", title = "A question", owner = "tests", effect = "read",
  needs = { collectors = {} },
  steps = { { id = "ask", title = "Ask", run = ask } },
})
LUA
code 5 impound run changed --deployment d/d.toml </dev/null
echo "-- changed since" >>changed/playbook.lua
code 2 impound resume R002 --answer who=me
says "was changed since the run began"
equal "$(sqlite3 "$db" "SELECT count(*) FROM runs WHERE state='running'")" 0
