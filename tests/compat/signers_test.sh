#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every record of tests/support/signer_attacks.hpp, validly signed and wrong, is
# refused by VERIFY.sh and by impound, and the honest one by neither:
# signers_test.sh <signer_attacks_main> <impound>
set -u
LC_ALL=C.UTF-8
export LC_ALL
maker=$1
impound=$2
top=$(mktemp -d) || exit 1
trap 'rm -rf "$top"' EXIT
export HOME="$top/home" XDG_CONFIG_HOME="$top/config" IMPOUND_HOME="$top/cases"
unset IMPOUND_CASE
mkdir "$HOME"
failures=0
broken() {
  printf 'NOT OK: %s\n' "$*"
  failures=$((failures + 1))
}
mkdir "$top/made"
"$maker" "$top/made" || { echo "cannot make the records"; exit 1; }

# both FOLDER [ARGUMENT…]: what the two say, and how they end.
both() {
  (cd / && sh "$@") >"$top/script.out" 2>&1
  script=$?
  folder=${1%/VERIFY.sh}
  shift
  "$impound" custody verify --case "$folder" "$@" >"$top/impound.out" 2>&1
  program=$?
}
tab=$(printf '\t')
rows=0
while IFS="$tab" read -r number told name; do
  rows=$((rows + 1))
  both "$top/made/$number/export/VERIFY.sh"
  if [ "$number" = 0 ]; then
    [ "$script/$program" = 0/0 ] && [ "$(tail -n 1 "$top/script.out")" = "ALL OK" ] \
      || broken "$name: VERIFY.sh $script, impound $program
$(cat "$top/script.out" "$top/impound.out")"
    continue
  fi
  if [ "$script/$program" != 1/4 ]; then
    broken "$name: VERIFY.sh $script, impound $program
$(tail -n 3 "$top/script.out"; cat "$top/impound.out")"
  elif ! tail -n 1 "$top/script.out" | grep -E -q "^FAIL: .*($told)"; then
    broken "$name: VERIFY.sh says $(tail -n 1 "$top/script.out")"
  elif ! grep -E -q "$told" "$top/impound.out"; then
    broken "$name: impound says $(cat "$top/impound.out")"
  else
    echo "ok: $name"
  fi
done <"$top/made/list"
[ "$rows" -ge 20 ] || broken "only $rows records were tried"

# What somebody wrote down.
honest=$top/made/0/export
key=$(cat "$top/made/0/fingerprint")
both "$honest/VERIFY.sh" --signer "$key"
[ "$script/$program" = 0/0 ] || broken "the right --signer: $script $program"
grep -q 'the one that you gave with --signer' "$top/script.out" || broken "--signer is not mentioned"
sed -n 2p "$top/script.out" | grep -q "$key" || broken "the fingerprints are not first"
both "$honest/VERIFY.sh" --signer "$(printf %064d 7)"
[ "$script/$program" = 1/4 ] || broken "another --signer: $script $program"
# A key that was brought in later did not open the case.
later=$(sqlite3 "$honest/case.db" "SELECT fingerprint FROM signers WHERE how='added'")
both "$honest/VERIFY.sh" --signer "$later"
[ "$script/$program" = 1/4 ] || broken "a later key as --signer: $script $program"
head=$(sed -n 4p "$honest/custody.jsonl" | sha256sum | cut -c1-64)
both "$honest/VERIFY.sh" --head "$(printf '%s' "$head" | tr 'a-f' 'A-F')"
[ "$script/$program" = 0/0 ] || broken "the right --head: $script $program"
grep -q 'that of entry 4;' "$top/script.out" || broken "VERIFY.sh: which entry --head is"
grep -q 'that of entry 4;' "$top/impound.out" || broken "impound: which entry --head is"
both "$honest/VERIFY.sh" --head "$(printf %064d 7)"
[ "$script/$program" = 1/4 ] || broken "another --head: $script $program"
both "$honest/VERIFY.sh"
grep -q 'No --signer was given' "$top/script.out" || broken "VERIFY.sh: no --signer is not said"
grep -q 'No --signer was given' "$top/impound.out" || broken "impound: no --signer is not said"
sh "$honest/VERIFY.sh" --signer abc >"$top/out" 2>&1 && broken "--signer abc is taken"
for other in "busybox sh" bash; do
  command -v ${other%% *} >/dev/null || continue
  last=$($other "$honest/VERIFY.sh" 2>&1 | tail -n 1)
  if $other -c 'tar --version' 2>&1 | grep -q GNU; then
    [ "$last" = "ALL OK" ] || broken "$other: $last"
  else # a static busybox takes its own tools before those of PATH: they do not suffice, and VERIFY.sh says which
    case $last in "FAIL: this tar is not GNU tar"* | "FAIL: this truncate cannot"*) ;; *) broken "$other: $last" ;; esac
  fi
done
[ "$failures" = 0 ] || { echo "$failures failed"; exit 1; }
