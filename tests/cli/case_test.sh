# SPDX-License-Identifier: Apache-2.0
# Opening, noting, closing; and everything that is no case.
. "$(dirname "$0")/harness.sh"

examiner
code 2 impound case show
says "case new"
code 2 impound case new "../up" --title t
says "is no case id"
new_case IR-1
code 2 impound case new IR-1 --title again
code 0 impound case show --json
json 'd["case"] == "IR-1" and d["closed_at"] is None and d["entries"] >= 1'
code 0 impound case note "the model said odd things"
code 0 impound custody verify --json
json 'd["ok"] and d["problems"] == [] and len(d["head"]) == 64'
sqlite3 "$IMPOUND_HOME/IR-1/case.db" "SELECT line FROM custody" | grep -q "odd things" || fail "no such note in the chain"

code 0 impound custody head
code 0 impound custody prove 2
says "c2sp.org/tlog-proof@v1"
code 2 impound custody prove 999

# Append-only, by the database itself.
sqlite3 "$IMPOUND_HOME/IR-1/case.db" "UPDATE custody SET line='x'" 2>err && fail "UPDATE was allowed"
sqlite3 "$IMPOUND_HOME/IR-1/case.db" "DELETE FROM custody" 2>err && fail "DELETE was allowed"

# Two examiners at once: both succeed, in turn.
pids=()
for who in 1 2; do
  (for i in $(seq 15); do "$IMPOUND" case note "from $who: $i" >/dev/null || exit 1; done) &
  pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid" || fail "a concurrent note failed"; done
code 0 impound custody verify
equal "$(sqlite3 "$IMPOUND_HOME/IR-1/case.db" "SELECT count(*) FROM custody WHERE line LIKE '%from 1:%' OR line LIKE '%from 2:%'")" 30

# With two cases one must be named.
new_case IR-2
code 2 impound case show
says "IR-1, IR-2"
code 0 impound case list --json
json '[c["case"] for c in d] == ["IR-1", "IR-2"]'

# Not a case; a newer one; a damaged one.
mkdir -p "$IMPOUND_HOME/X"
echo "not a database at all, but long enough to be looked at" >"$IMPOUND_HOME/X/case.db"
code 3 impound case show --case X
says "case.db"
cp -r "$IMPOUND_HOME/IR-2" "$IMPOUND_HOME/newer"
sqlite3 "$IMPOUND_HOME/newer/case.db" "PRAGMA user_version=99"
code 3 impound case show --case newer
says "case format 99"
code 2 impound case show --case no-such-case

# Closing says what is open, and then refuses new evidence.
code 0 impound case close --case IR-1 --reason done
says "Closed"
code 0 impound custody verify --case IR-1
code 0 impound case note "after closing" --case IR-1
deployment d
code 2 impound collect model-files --deployment d/d.toml --case IR-1
says "closed"
code 2 impound case close --case IR-1
