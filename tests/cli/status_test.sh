# SPDX-License-Identifier: Apache-2.0
# What is contained now is measured, what waits names whom it waits for, what is
# incomplete says why, and each next command is one that can be pasted.
. "$(dirname "$0")/harness.sh"
[ "$(id -u)" = 0 ] || skip "freezing another process tree needs root"

clean_up() { # a frozen server outlives its kill
  local folder
  for folder in "$IMPOUND_HOME"/*/; do
    "$IMPOUND" release --case "$folder" >/dev/null 2>&1
  done
}
# next_of EXPRESSION: a command out of the JSON document of status.
next_of() { python3 -c 'import json,sys; d=json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$work/out" "$1"; }
# paste COMMAND: as a person would, in a shell that knows the program.
paste_line() { PATH=$work/bin:$PATH bash -c "$1"; }
mkdir bin && ln -s "$IMPOUND" bin/impound

code 0 impound status
says "No case in"
examiner
new_case IR-1
new_case "IR-2"
code 0 impound status
says "2 cases: no containment is open in the record, nothing waits or is incomplete."
code 0 impound status --json
json '[c["case"] for c in d["cases"]] == ["IR-1", "IR-2"]'
json 'all(c["contained"] == c["waiting"] == c["incomplete"] == [] for c in d["cases"])'
says '"open": false'

# Contained is measured: while it stands still, when it runs again by other
# means, when it cannot be found.
served d
code 0 impound contain --case IR-1 --deployment d/d.toml
code 1 impound status
says "CONTAINED NOW"
says "small is out of service by process (measured now:"
says "impound release --deployment small --case IR-1"
says "1 other case"
code 1 impound status --json
json 'd["cases"][0]["contained"][0]["measured"] == "contained"'
json 'set(d["cases"][0]["contained"][0]) >= {"deployment", "method", "since", "measured", "why", "by", "next"}'
json 'd["cases"][1]["contained"] == []'
code 0 impound case show --case IR-1
says "small is out of service by process (measured now:"
# It needs no key.
XDG_CONFIG_HOME=$work/nobody code 1 impound status
# The command that it names is the one that gives it back.
code 1 impound status --json
back=$(next_of 'd["cases"][0]["contained"][0]["next"]')
code 0 paste_line "$back"
answers || fail "\"$back\" did not give it back"
code 0 impound status

# Another examiner without rights sees the case and says unknown where it
# cannot measure, never "not contained" of a server that stands still.
code 0 impound contain --case IR-1 --deployment d/d.toml
chmod 755 "$work"; chmod -R a+rX "$IMPOUND_HOME" d
if runuser -u nobody -- "$IMPOUND" --version >/dev/null 2>&1; then
  code 1 runuser -u nobody -- env "IMPOUND_HOME=$IMPOUND_HOME" HOME=/nonexistent "$IMPOUND" status --json
  json 'd["cases"][0]["contained"][0]["measured"] in ("contained", "unknown")'
  json 'd["cases"][0]["contained"][0]["why"] != ""'
  chmod 700 "$IMPOUND_HOME/IR-2"
  code 1 runuser -u nobody -- env "IMPOUND_HOME=$IMPOUND_HOME" HOME=/nonexistent "$IMPOUND" status --json
  json 'd["cases"][1]["case"] == "IR-2" and "ermission denied" in d["cases"][1]["problem"]'
fi
# A process that ended is not "not contained", and not contained: nobody knows.
python3 - "$IMPOUND" <<'PY' || fail "release before the end"
import subprocess, sys
subprocess.run([sys.argv[1], "release", "--case", "IR-1"], check=True, stdout=subprocess.DEVNULL)
PY
code 0 impound contain --case IR-1 --deployment d/d.toml
kill -9 "$server"
group=$(sqlite3 "$IMPOUND_HOME/IR-1/case.db" "SELECT json_extract(before,'$.group') FROM containments ORDER BY seq DESC LIMIT 1")
[ ! -e "$group/freezer.state" ] || echo THAWED >"$group/freezer.state"
for _ in $(seq 50); do kill -0 "$server" 2>/dev/null || break; sleep 0.1; done
code 1 impound status --json
json 'd["cases"][0]["contained"][0]["measured"] == "unknown"'
code 1 impound status
says "is UNKNOWN: no process of the deployment is found"
rm -rf "${IMPOUND_HOME:?}/IR-1" "${IMPOUND_HOME:?}/IR-2"

# A run that was killed: nobody holds its lock. The named command goes on.
rm -rf d; served d
head -c 60000000 /dev/urandom >d/model/extra.bin
code 0 impound baseline create d/model --name small -o d/base.json
new_case IR-3
"$IMPOUND" run weights-tampering --case IR-3 --deployment d/d.toml --answer contain=no --json >events 2>/dev/null &
run=$!
for _ in $(seq 400); do grep -q '"step":"weights"' events && break; sleep 0.02; done
kill -STOP $run # it holds its lock, and does not get on
"$IMPOUND" status --json >out 2>err
json '[r["subject"] for r in d["cases"][0]["running"]][:1] == ["R001"]'
json 'not [i for i in d["cases"][0]["incomplete"] if i["kind"] == "run"]'
kill -9 $run; wait $run 2>/dev/null
code 1 impound status
says "R001 of weights-tampering (small) did not end, and no process holds its lock: it was cut off"
says "impound resume R001 --case IR-3"
code 1 impound status --json
on=$(next_of '[i["next"] for i in d["cases"][0]["incomplete"] if i["kind"] == "run"][0]')
paste_line "$on" >out 2>err
json_state=$(sqlite3 "$IMPOUND_HOME/IR-3/case.db" "SELECT state FROM runs WHERE id='R001'")
[ "$json_state" != running ] || fail "\"$on\" did not go on: $(cat err)"

# A run that asks waits, and says so last. Each answer has a command of its own;
# the one that a script may run unread says no more than Enter would.
new_case IR-W
code 5 impound run weights-tampering --case IR-W --deployment d/d.toml </dev/null
says "impound answer R001 contain yes --case IR-W"
says "then: impound resume R001 --case IR-W"
equal "$(tail -n 1 out)" "Nothing is contained in this case: its record has no containment."
answers || fail "it was contained without an answer"
code 1 impound status --case IR-W --json
json '[(w["run"], w["question"], w["waits_for"]) for w in d["cases"][0]["waiting"]] == [("R001", "contain", "answer")]'
json 'd["cases"][0]["waiting"][0]["next"] == "impound answer R001 contain no --case IR-W && impound resume R001 --case IR-W"'
code 0 impound case show --case IR-W
says 'waits for an answer to "contain"'

# A model that was cleared (here the files: not all of them are mapped) and is
# still frozen is said in the last line of its
# run, by name, with the command that gives it back.
new_case IR-C
code 0 impound run weights-tampering --case IR-C --deployment d/d.toml --yes
last=$(tail -n 1 out)
case $last in
"small was cleared (files only) and is still out of service (measured now: "*"; this gives it back: impound release --deployment small --case IR-C") ;;
*) fail "the last line of the run is: $last" ;;
esac
code 0 paste_line "${last##*: }"
answers || fail "the command of the last line did not give it back"
code 0 impound run weights-tampering --case IR-C --deployment d/d.toml --yes --json
tail -n 1 out >event && mv event out
json 'd["event"] == "run_end" and d["case_status"]["contained"][0]["measured"] == "contained"'
code 0 impound release --case IR-C

# What waits says for whom.
code 0 impound case new IR-4 --title "two people" --approvals 1
code 5 impound run weights-tampering --case IR-4 --deployment d/d.toml --yes
code 1 impound status --case IR-4
says "R001 of weights-tampering (small) waits"
says "1 approval of another examiner than Ada Example"
code 1 impound status --json
json '[(w["run"], w["question"]) for c in d["cases"] if c["case"] == "IR-4" for w in c["waiting"]] == [("R001", "approval")]'
json 'all("--case IR-4" in w["next"] for c in d["cases"] if c["case"] == "IR-4" for w in c["waiting"])'

# A closed case keeps nothing open; a broken or foreign folder stops nothing.
code 0 impound abort R001 --case IR-4 --reason "a test"
code 0 impound case close --case IR-4 --reason done
code 0 impound status --case IR-4
mkdir -p "$IMPOUND_HOME/AA-broken" "$IMPOUND_HOME/ZZ-foreign"
echo "not a database at all, but long enough to be looked at" >"$IMPOUND_HOME/AA-broken/case.db"
sqlite3 "$IMPOUND_HOME/ZZ-foreign/case.db" "CREATE TABLE music(title)"
code 1 impound status --json
json '[c["case"] for c in d["cases"]] == ["AA-broken", "IR-3", "IR-4", "IR-C", "IR-W", "ZZ-foreign"]'
json '[bool(c["problem"]) for c in d["cases"]] == [True, False, False, False, False, True]'
code 1 impound status
says "CANNOT BE READ: nothing is known of this case"
code 3 impound status --case AA-broken
rm -rf "$IMPOUND_HOME/AA-broken" "$IMPOUND_HOME/ZZ-foreign"

# A case elsewhere is listed when it is the chosen one, and its command finds it.
code 0 impound case new far --title "somewhere else" --approvals 1 --folder "$work/far away"
export IMPOUND_CASE="$work/far away"
code 5 impound run weights-tampering --deployment d/d.toml --yes
code 1 impound status --json
unset IMPOUND_CASE
json '"far" in [c["case"] for c in d["cases"]]'
on=$(next_of '[w["then"] for c in d["cases"] if c["case"] == "far" for w in c["waiting"]][0]')
code 5 paste_line "$on"
says "approval"

# Read while another process writes: of one moment, without an error.
(for i in $(seq 40); do "$IMPOUND" case note --case IR-3 "note $i" >/dev/null || exit 1; done) &
writer=$!
while kill -0 $writer 2>/dev/null; do code 1 impound status --case IR-3; done
wait $writer || fail "a note failed while status was reading"

# A thousand cases are listed while one waits for it.
code 0 impound case new IR-5 --title "one of many"
sqlite3 "$IMPOUND_HOME/IR-5/case.db" "PRAGMA wal_checkpoint(TRUNCATE)" >/dev/null
for i in $(seq 1000); do cp -r "$IMPOUND_HOME/IR-5" "$IMPOUND_HOME/many-$i"; done
# Killed after so many processor seconds; how long they take is the machine's affair.
code 1 bash -c 'ulimit -t 30; exec "$1" status' - "$IMPOUND"
says "cases: no containment is open in the record, nothing waits or is incomplete."
