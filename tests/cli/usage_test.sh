# SPDX-License-Identifier: Apache-2.0
# Help is there, mistakes are usage errors. What papers name is tested in tests/docs.
. "$(dirname "$0")/harness.sh"

code 2 impound
code 2 impound no-such-command
code 2 impound case
code 0 impound --version
code 0 impound --help
says "Exit codes"
# Every command and sub-command that --help names answers --help.
commands() { "$IMPOUND" "$@" --help | grep -oE '^  [a-z][a-z-]*  +[^ ]' | awk '{print $1}'; }
for command in $(commands); do
  code 0 impound "$command" --help
  for sub in $(commands "$command"); do code 0 impound "$command" "$sub" --help; done
done
# An error is one line on stderr, and a document under --json.
code 2 impound case show --json
json 'd["error"]["code"] == "bad_input" and d["exit_code"] == 2'
