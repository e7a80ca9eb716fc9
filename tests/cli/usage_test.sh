# SPDX-License-Identifier: Apache-2.0
# Help is there, mistakes are usage errors, the README names what exists.
. "$(dirname "$0")/harness.sh"

code 2 impound
code 2 impound no-such-command
code 2 impound case
code 0 impound --version
code 0 impound --help
says "Exit codes"
# Every command and sub-command that --help names answers --help.
commands() { "$IMPOUND" "$@" --help | sed -n '/^Subcommands:/,$p' | awk '/^  [a-z]/ {print $1}'; }
for command in $(commands); do
  code 0 impound "$command" --help
  for sub in $(commands "$command"); do code 0 impound "$command" "$sub" --help; done
done
# Every command in the README's table exists.
sed -n '/^## Commands/,/^Every command/p' "$IMPOUND_SOURCE/README.md" | grep -o '^| `[^|]*' | tr -d '|`' | tr ',' '\n' | while read -r command subs; do
  [ -n "$command" ] || continue
  [ "$command" != diff ] || subs=
  for sub in $(echo "$subs" | tr '·' ' '); do
    "$IMPOUND" "$command" "$sub" --help >/dev/null 2>&1 || fail "README names $command $sub"
  done
  "$IMPOUND" "$command" --help >/dev/null 2>&1 || fail "README names $command"
done || exit 1
# An error is one line on stderr, and a document under --json.
code 2 impound case show --json
json 'd["error"]["code"] == "bad_input" and d["exit_code"] == 2'
