# SPDX-License-Identifier: Apache-2.0
# A playbook run: identical is cleared, changed is confirmed, contained is
# measured, released is proved.
. "$(dirname "$0")/harness.sh"
[ "$(id -u)" = 0 ] || skip "freezing another process tree needs root"

examiner; new_case
served d
code 0 impound baseline create d/model --name small -o d/base.json
code 0 impound deployment check d/d.toml --json
json 'd["ok"]'
code 0 impound playbook plan weights-tampering --deployment d/d.toml --json
json '{a["function"] for a in d["acts"]} >= {"collect", "contain", "diff"}'
answers || fail "a plan changed something"

code 0 impound run weights-tampering --deployment d/d.toml --json --answer contain=yes
python3 - "$work/out" <<'PY' || fail "events"
import json, sys
events = [json.loads(line) for line in open(sys.argv[1])]
assert events[0]["event"] == "run" and events[-1]["event"] == "run_end", events[-1]
assert events[-1]["state"] == "done" and events[-1]["worst_verdict"] == "cleared", events[-1]
assert sum(e["event"] == "exhibit" for e in events) == 4
assert any(e["event"] == "containment" and e["contained"] for e in events)
PY
answers && fail "it is said to be contained and answers"
code 1 impound case check
says "impound release"
code 0 impound release
answers || fail "it is said to be released and is silent"
code 0 impound case check

# Tampered: confirmed, exit 1; with active harm it is contained first.
python3 - <<'PY'
with open("d/model/model.safetensors", "r+b") as f:
    f.seek(-10, 2); f.write(b"\x55")
PY
code 1 impound run weights-tampering --deployment d/d.toml --active-harm --yes
says "b.weight"
says "confirmed"
order=$(sqlite3 "$IMPOUND_HOME/IR-1/case.db" "SELECT group_concat(json_extract(line,'$.action')) FROM custody WHERE json_extract(line,'$.run')='R002' AND json_extract(line,'$.action') IN ('isolate.verify','acquire.begin')")
case "$order" in isolate.verify,acquire.begin*) ;; *) fail "not contained first: $order" ;; esac
code 0 impound release
code 2 impound resume R002
says "nothing to resume"
code 2 impound run weights-tampering --deployment d/d.toml -p no_such=1
code 2 impound run no-such-playbook --deployment d/d.toml
equal "$(sqlite3 "$IMPOUND_HOME/IR-1/case.db" "SELECT count(*) FROM findings WHERE verdict='confirmed' AND run='R002'")" 2

# [I13] No baseline: nothing was compared, which is said last, recorded, and is not exit 0.
sed '/^baseline = /d' d/d.toml >d/no-baseline.toml
code 3 impound run weights-tampering --deployment d/no-baseline.toml --yes --json
python3 - "$work/out" <<'PY' || fail "the outcome of a run without a baseline"
import json, sys
end = [json.loads(line) for line in open(sys.argv[1])][-1]
assert end["outcome"] == "incomplete" and end["state"] == "done" and end["exit_code"] == 3, end
assert any("baseline" in reason for reason in end["incomplete"]), end
PY
equal "$(sqlite3 "$IMPOUND_HOME/IR-1/case.db" "SELECT outcome FROM steps WHERE run='R003' AND step='compare'")" incomplete
equal "$(sqlite3 "$IMPOUND_HOME/IR-1/case.db" "SELECT json_extract(line,'$.outcome') FROM custody WHERE json_extract(line,'$.action')='playbook.end' AND json_extract(line,'$.run')='R003'")" incomplete
code 0 impound release
code 3 impound run weights-tampering --deployment d/no-baseline.toml --yes
sed -n '/^head /,$p' "$work/out" | grep -q '^Outcome: incomplete' || fail "the outcome is not the last block"
says "step compare: baseline:"
code 0 impound release

# A case that asks for another examiner's approval waits for it.
code 0 impound case new IR-2 --title "two people" --approvals 1
export IMPOUND_CASE=IR-2
code 5 impound run weights-tampering --deployment d/d.toml --yes
says "approval"
answers || fail "contained without approval"
code 2 impound approve R001 --reason "by the one who started it"
says "cannot approve it"
code 5 impound resume R001
XDG_CONFIG_HOME=$work/second code 0 impound examiner init --name "Bob Second" --org "Example Corp" --role lead
code 0 impound case signer add "$work/second/impound/examiner.json" --rights approve --fingerprint \
  "$(XDG_CONFIG_HOME=$work/second "$IMPOUND" examiner show --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["fingerprint"])')"
XDG_CONFIG_HOME=$work/second code 0 impound approve R001 --reason "harm is likely"
code 1 impound resume R001
answers && fail "approved, and not contained"
code 0 impound release
equal "$(sqlite3 "$IMPOUND_HOME/IR-2/case.db" "SELECT count(*) FROM exhibits")" 4
code 0 impound custody verify
