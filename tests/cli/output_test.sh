# SPDX-License-Identifier: Apache-2.0
# "A command whose output cannot be written does not end 0": every command, a
# full disk behind stdout, a closed stdout, and a reader that goes away.
. "$(dirname "$0")/harness.sh"
[ -w /dev/full ] || skip "no /dev/full"

examiner; new_case
deployment d
code 0 impound collect model-files --deployment d/d.toml
code 0 impound baseline create d/model --name small -o d/base.json

# The words of each command, and the exit code that it has when all is well.
while read -r want words; do
  [ -n "$want" ] || continue
  code "$want" impound $words
  got=0
  impound $words >/dev/full 2>err || got=$?
  equal "$words: $got" "$words: 3"
  grep -q "cannot write to standard output: No space left on device" err || fail "$words: says $(cat err)"
  got=0
  impound $words >&- 2>err || got=$?
  equal "$words, closed: $got" "$words, closed: 3"
done <<'WORDS'
0 --help
0 --version
0 examiner show
0 case list
0 case show
0 case check
0 custody verify
0 custody verify --json
0 custody log
0 custody prove 1
0 custody head
0 custody gaps
0 exhibit list
0 exhibit show E001
0 exhibit show E001 --json
0 exhibit verify E001
0 exhibit cat E001/1
0 collect --list
0 collect model-files --deployment d/d.toml --json
0 playbook list
0 playbook show weights-tampering
0 baseline show d/base.json
0 diff d/base.json d/model
0 scan d/model
WORDS

# What is true before the disk is full stays true: evidence that does not verify.
sqlite3 "$IMPOUND_HOME/IR-1/case.db" "DROP TRIGGER custody_no_update; UPDATE custody SET line=replace(line,'a test case','another case') WHERE seq=1"
code 4 impound custody verify
got=0
impound custody verify >/dev/full 2>err || got=$?
equal "$got" 4

# A reader that goes away ends the command quietly, and not with 0.
head -c 3000000 /dev/urandom >d/model/large.bin
new_case IR-2
code 0 impound collect model-files --deployment d/d.toml --case IR-2
large=$(sqlite3 "$IMPOUND_HOME/IR-2/case.db" "SELECT id FROM items WHERE name LIKE '%large.bin'")
set +o pipefail
{ impound exhibit cat "$large" --case IR-2 2>err; echo "$?" >ended; } | head -c 10 >/dev/null
set -o pipefail
equal "$(cat ended)" 141
[ ! -s err ] || fail "is not quiet: $(cat err)"
