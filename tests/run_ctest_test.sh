#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tests/run-ctest shows what tests counted, says what nobody counted, and leaves
# the last lines and the exit code to CTest. usage: run_ctest_test.sh SOURCE
set -uo pipefail
source=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAILED: $*" >&2; cat "$work/out" >&2; exit 1; }

cat >"$work/CTestTestfile.cmake" <<'CTEST'
add_test(one "printf" "fault points: 3 tried, 3 survived\\nkills: 2 tried, 1 survived\\n")
add_test(sanitized_one "printf" "fault points: 3 tried, 3 survived\\n")
add_test(other "printf" "not a tally, kills: 9\\nkills: 5 tried, 5 survived\\n")
CTEST
"$source/tests/run-ctest" "$work" -j 2 >"$work/out" 2>&1 || fail "tests that pass are told as failed"
[ "$(grep -c '^fault points: 3 tried, 3 survived$' "$work/out")" = 1 ] || fail "a tally is not shown once"
[ "$(grep -c '^kills: ' "$work/out")" = 2 ] || fail "two tests that count kills are not two lines"
! grep -q '^not a tally' "$work/out" || fail "a line that is no tally is shown"
grep -qx 'tamper rows: not measured' "$work/out" || fail "a tally that no test printed is not missed"
[ "$(tail -n 1 "$work/out" | cut -d= -f1)" = "Total Test time (real) " ] || fail "the last line is not CTest's"
awk '/^kills/ { tally = NR } /tests passed/ { passed = NR } END { exit !(tally && tally < passed) }' "$work/out" || fail "tallies do not stand before CTest's verdict"

echo 'add_test(bad "false")' >>"$work/CTestTestfile.cmake"
! "$source/tests/run-ctest" "$work" >"$work/out" 2>&1 || fail "a failing test is told as passed"
tail -n 3 "$work/out" | grep -q '^Errors while running CTest' || fail "the last lines are not CTest's after a failure"
