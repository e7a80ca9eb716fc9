# SPDX-License-Identifier: Apache-2.0
# A person who knows no word of it yet finds the next one.
. "$(dirname "$0")/harness.sh"

# `impound` alone is no command (2), and shows what there is.
code 2 impound
for group in Respond Look Record "Write playbooks" Keys; do grep -qx "$group" "$work/err" || fail "no group $group"; done
[ ! -s "$work/out" ] || fail "what nobody asked for is on standard output"
# help is asked for: standard output, 0.
code 0 impound help
for group in Respond Look Record "Write playbooks" Keys; do grep -qx "$group" "$work/out" || fail "no group $group"; done
cp out all
code 0 impound --help
cmp -s out all || fail "help and --help differ"

# Each command tells its example, and all three ways to its help say the same.
code 0 impound help run
grep -A1 -x Example out | grep -q '^  impound run ' || fail "no example for run"
cp out run
code 0 impound run --help
cmp -s out run || fail "help run and run --help differ"
code 0 impound help case new
says "impound case new ID"
code 2 impound case
says "impound case COMMAND"
says "  note "

# What is no command is told with the word and the nearest.
code 2 impound rum
says 'impound: there is no command "rum"; did you mean "run"?'
code 2 impound case shwo
says 'there is no command "shwo"; did you mean "show"?'
code 2 impound help rum
says 'there is no command "rum"; did you mean "run"?'
code 2 impound help run x
says '"x" is one word too many'
code 2 impound run p --deploymnt d.toml
says 'there is no option "--deploymnt"; did you mean "--deployment"?'
code 2 impound diff a b --threads many
says '--threads "many": expected a whole number'
code 2 impound case new
says "ID, --title are missing"
says "Usage: impound case new ID --title TEXT"

# The code of an error is for programs.
examiner
code 2 impound case show
! grep -qE 'bad_input|io:' err || fail "a person is told a code: $(cat err)"
code 2 impound case show --json
json 'd["error"]["code"] == "bad_input" and "bad_input" not in d["error"]["message"]'
code 2 impound rum --json
json 'd["error"]["code"] == "bad_input" and "rum" in d["error"]["message"] and d["exit_code"] == 2'

# What is not there has one exit code, whatever it is, and the nearest name.
new_case IR-1
for words in "case show --case IR-2" "exhibit show E009" "exhibit show E009 --case IR-2" "scan E009" "diff E008 E009" \
  "resume R009" "run nope" "help nope" "custody verify --case IR-2" "exhibit verify E009 --case ./nope"; do
  # shellcheck disable=SC2086
  code 2 impound $words
done
code 2 impound case show --case IR-2
says 'there is no case "IR-2"'
says 'did you mean "IR-1"?'
