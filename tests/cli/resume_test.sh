# SPDX-License-Identifier: Apache-2.0
# A run goes on only with what it began with: the program's library, the playbook, and a journal that the chain names.
. "$(dirname "$0")/harness.sh"

examiner
deployment d
mkdir asks
cat >asks/playbook.lua <<'LUA'
--- Asks, and writes down what it was told.
local impound = require("impound")
local function look(ctx)
  ctx:note("told: " .. ctx:ask({ id = "go", question = "Go on?", choices = { "yes", "no" } }))
end
return impound.playbook({
  schema = 1, id = "asks", version = "1.0.0", title = "A question", owner = "tests", effect = "read",
  needs = { collectors = {} },
  steps = { { id = "look", title = "Look", run = look } },
})
LUA
db() { echo "$IMPOUND_HOME/$IMPOUND_CASE/case.db"; }
query() { sqlite3 "$(db)" "$1"; }

# begun_with CASE CODE: a run that waits, cut back to its beginning, which says of itself what the Python statement CODE
# makes of its detail d, signed by the one who began it. Everything else of the case is as it was.
begun_with() {
  export IMPOUND_CASE=$1
  code 0 impound case new "$1" --title t
  code 5 impound run asks --deployment d/d.toml </dev/null
  python3 - "$(db)" "$XDG_CONFIG_HOME/impound/examiner.key" "$2" <<'PY' || fail "the beginning was not rewritten"
import base64, json, sqlite3, subprocess, sys, tempfile
file, key, code = sys.argv[1:]
db = sqlite3.connect(file)
triggers = db.execute("SELECT name, sql FROM sqlite_schema WHERE type='trigger'").fetchall()
for name, _ in triggers:
    db.execute('DROP TRIGGER "%s"' % name)
seq, line = db.execute("SELECT seq, line FROM custody WHERE json_extract(line,'$.action')='playbook.start'").fetchone()
entry = json.loads(line)
exec(code, {"d": entry["detail"]})
line = json.dumps(entry, separators=(",", ":"), ensure_ascii=False)
with tempfile.NamedTemporaryFile() as text:
    text.write((line + "\n").encode())
    text.flush()
    signature = subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", text.name],
                               check=True, stdout=subprocess.PIPE).stdout
db.execute("UPDATE custody SET line=?, signature=? WHERE seq=?", (line, base64.b64encode(signature).decode(), seq))
db.execute("DELETE FROM custody WHERE seq>?", (seq,))
db.execute("DELETE FROM heads WHERE size>=?", (seq,))
db.execute("DELETE FROM journal")
for _, sql in triggers:
    db.execute(sql)
db.commit()
PY
  code 0 impound custody verify # a validly signed beginning: only what it says is another
}
# refused TEXT: resume is refused so, and says nothing in the record.
refused() {
  local before
  before=$(entries)
  "$IMPOUND" resume R001 --answer go=yes >"$work/out" 2>"$work/err" && fail "resumed: $1"
  says "$1"
  equal "$(entries)" "$before"
  equal "$(query "SELECT count(*) FROM journal")" 0
}

echo "with what it began with, a run goes on"
begun_with same 'pass'
code 3 impound resume R001 --answer go=yes # it compares nothing
equal "$(query "SELECT count(*) FROM timeline WHERE what='told: yes'")" 1

echo "a run of a program that bound no journal into the chain is not resumed, and can be ended"
begun_with old 'del d["journal"]'
refused "was started by a version of this program that did not bind the journal"
code 0 impound abort R001 --reason "as it was told"
code 0 impound custody verify
begun_with other 'd["journal"] = d["journal"] + 1'
refused "did not bind the journal"

echo "a run of another library is not resumed"
begun_with library 'd["library_sha256"] = "0" * 64'
refused "the Lua library of this program was changed since the run began"
says "0000000000000000000000000000000000000000000000000000000000000000"
begun_with unsaid 'del d["library_sha256"]'
refused "the Lua library of this program was changed since the run began"

echo "a changed playbook is not resumed, and is once it is as it was"
begun_with changed 'pass'
cp asks/playbook.lua was.lua
echo "-- harmless" >>asks/playbook.lua
code 2 impound resume R001 --answer go=yes
says "the playbook asks was changed since the run began"
equal "$(query "SELECT count(*) FROM journal")" 0
cp was.lua asks/playbook.lua
code 3 impound resume R001 --answer go=yes
equal "$(query "SELECT count(*) FROM timeline WHERE what='told: yes'")" 1
code 0 impound custody verify
