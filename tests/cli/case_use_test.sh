# SPDX-License-Identifier: Apache-2.0
# Which case a command works in, and why: --case, $IMPOUND_CASE, case use, the only one.
. "$(dirname "$0")/harness.sh"

examiner
new_case IR-1
works_in() { json "d['case'] == '$1' and d['case_source'] == '$2'"; }
code 0 impound case show --json
works_in IR-1 only
code 0 impound case use
says "IR-1: the only case there is"
new_case IR-2
code 2 impound case show
says "impound case use"
says "IR-1, IR-2"

code 0 impound case use IR-2
says "work in IR-2 from now on"
code 0 impound case show --json
works_in IR-2 chosen
code 0 impound case show
says "chosen by 'impound case use'"
code 0 env IMPOUND_CASE=IR-1 "$IMPOUND" case show --json
works_in IR-1 environment
code 0 env IMPOUND_CASE=IR-1 "$IMPOUND" case show
says 'named by $IMPOUND_CASE'
code 0 env IMPOUND_CASE=IR-1 "$IMPOUND" case show --case IR-2 --json
works_in IR-2 named
# Who chooses another while the environment names one is told that it does.
code 0 env IMPOUND_CASE=IR-1 "$IMPOUND" case use IR-2
says 'Here commands still work in IR-1, named by $IMPOUND_CASE'

# What a note goes to is what was chosen, and the next command names it.
code 0 impound case note "where am I"
equal "$(IMPOUND_CASE=IR-2 field note '$.detail.text')" "where am I"

# A case that is not there is not chosen, and one that went away is told by what named it.
code 2 impound case use IR-9
code 0 impound case use
says "IR-2: chosen"
mv "$IMPOUND_HOME/IR-2" elsewhere
code 2 impound case show
says "chosen by 'impound case use'"
code 0 impound case use ./elsewhere
cd / || exit 1
code 0 impound case show --json
works_in IR-2 chosen
cd "$work" || exit 1
code 0 impound case use --none
code 0 impound case show --json
works_in IR-1 only
code 2 impound case use IR-1 --none
# The order is told where a person looks for it.
code 0 impound help
tr -s ' \n' ' ' <out >flat
grep -qF "Else \$IMPOUND_CASE, else what 'case use'" flat || fail "help does not tell the order"
