# SPDX-License-Identifier: Apache-2.0
# Parameters mean what they say: another answer than the one asked for is an
# error, before anything is touched [I13].
. "$(dirname "$0")/harness.sh"

examiner; new_case
deployment d
sleep 1000 & named=$!; children+=("$named")
sleep 1000 & asked=$!; children+=("$asked")
sed -i "s/^pid = 1$/pid = $named/" d/d.toml
head_of() { impound custody log --json | sha256sum; }
untouched=$(head_of)
# refuses TEXT COMMAND…: a usage error that says TEXT and leaves no trace.
refuses() {
  local text=$1
  shift
  code 2 "$@"
  says "$text"
  equal "$(head_of)" "$untouched"
  [ -z "$(ls "$IMPOUND_HOME/IR-1/evidence")" ] || fail "something lies in evidence/ after: $*"
}

echo "a wrong value is a usage error that names parameter, value and expectation"
for wrong in banana B 0 -1 99999999 7x ''; do
  refuses "collector process: pid: expected a whole number from 1 to 4194304, found \"$wrong\"" \
    impound collect process --deployment d/d.toml -p "pid=$wrong"
done
refuses 'collector prompt-log: since: expected a time such as 2026-11-23T03:00:00Z' \
  impound collect prompt-log --deployment d/d.toml -p since=yesterday
refuses 'is later than until' \
  impound collect prompt-log --deployment d/d.toml -p since=1h -p until=2h
refuses 'timestamp: is about the log that path names' \
  impound collect prompt-log --deployment d/d.toml -p timestamp=ts
refuses 'collector model-files: root: expected a path, found ""' \
  impound collect model-files --deployment d/d.toml -p root=
refuses 'there is no "pdi" (did you mean "pid"?)' \
  impound collect process host --deployment d/d.toml -p "pdi=$asked"
refuses 'parameter pid is given twice' \
  impound collect process --deployment d/d.toml -p "pid=$named" -p "pid=$asked"
refuses 'there is no "proces" (did you mean "process"?)' \
  impound collect proces --deployment d/d.toml
refuses 'containment process: method: expected one of auto, freeze-v2, freeze-v1, stop, found "stp" (did you mean "stop"?)' \
  impound contain process --deployment d/d.toml -p method=stp
refuses 'containment process: there is no "methd" (did you mean "method"?)' \
  impound contain process --deployment d/d.toml -p methd=stop
refuses 'playbook weights-tampering: window: expected a duration such as 90s, 15m, 36h or 7d, found "soon"' \
  impound run weights-tampering --deployment d/d.toml -p window=soon
refuses 'there is no "windw" (did you mean "window"?)' \
  impound run weights-tampering --deployment d/d.toml -p windw=7d
refuses 'found "soon"' \
  impound playbook plan weights-tampering --deployment d/d.toml -p window=soon

echo "the process that is asked for is the one that is sealed, and the exhibit names it"
code 0 impound collect process --deployment d/d.toml -p "pid=$asked"
says "process reaches /proc of the serving processes"
code 0 impound exhibit show E001 --json
json "d['title'] == 'process (pid=$asked) for small'"
tree=$(python3 -c 'import json,sys; print(next(i["item"] for i in json.load(open(sys.argv[1]))["item_list"] if i["name"].endswith("tree.json")))' "$work/out")
code 0 impound exhibit cat "E001/$tree"
json "d['roots'] == [$asked] and d['located_by'] == 'is process $asked'"
json "all(one['pid'] != $named for one in d['processes'])"

echo "a process that is asked for and gone is a gap that names it, not another one"
kill "$asked"; wait "$asked" 2>/dev/null
code 3 impound collect process --deployment d/d.toml -p "pid=$asked"
code 1 impound custody gaps
says "process (pid $asked)"
says "there is no process $asked"

echo "what a collector reaches, and what it takes, is shown before anything runs"
code 0 impound collect --list
says "Reaches /proc of the serving processes"
says "-p pid=<integer>"
says "a whole number from 1 to 4194304"
code 0 impound collect --list --json
json 'all(c["reach"] in ("files", "process", "device") for c in d)'
json 'next(p for c in d if c["name"] == "process" for p in c["parameters"]) | {"help": ""} == {"name": "pid", "type": "integer", "help": "", "required": False, "expects": "a whole number from 1 to 4194304", "min": 1, "max": 4194304}'
code 0 impound contain --list --json
json '[m for m in d if m["name"] == "process"][0]["parameters"][0]["choices"] == ["auto", "freeze-v2", "freeze-v1", "stop"]'
code 2 impound contain
code 0 impound playbook plan weights-tampering --deployment d/d.toml
says "Reaches files that the deployment or a parameter names."
code 0 impound playbook show weights-tampering --json
json 'd["params"]["window"]["expects"].startswith("a duration such as") and d["params"]["window"]["default"] == "7d"'
code 0 impound custody verify
