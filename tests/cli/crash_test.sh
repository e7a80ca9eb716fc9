# SPDX-License-Identifier: Apache-2.0
# kill -9 at many points of a run: every write that is made durable is such a
# point. The case opens, verifies, is repaired; resume ends with the same
# manifest; the deployment can be given back.
#
# IMPOUND_CRASH_POINTS: how many points to try (default 14; "all" tries each).
. "$(dirname "$0")/harness.sh"
[ "$(id -u)" = 0 ] || skip "freezing another process tree needs root"
command -v strace >/dev/null || skip "no strace"
strace -qq -e trace=none true 2>/dev/null || skip "strace may not trace here"

examiner
served d
head -c 9000000 /dev/urandom >d/model/extra.bin
code 0 impound baseline create d/model --name small -o d/base.json
manifest() { sqlite3 "$IMPOUND_HOME/$1/case.db" "SELECT manifest_sha256 FROM exhibits WHERE state='sealed' AND title LIKE 'model-files%' ORDER BY begin_seq DESC LIMIT 1"; }

syscalls=fsync,fdatasync,rename
code 0 impound case new whole --title t
export IMPOUND_CASE=whole
strace -f -qq -o trace -e trace=$syscalls "$IMPOUND" run weights-tampering --deployment d/d.toml --yes >out 2>err || fail "the undisturbed run failed: $(cat err)"
# strace counts a system call in each thread by itself.
total=$(awk '{split($2, name, "("); print $1, name[1]}' trace | sort | uniq -c | sort -rn | awk 'NR == 1 {print $1}')
[ "$total" -gt 20 ] || fail "only $total durable writes were seen"
code 0 impound release
expected=$(manifest whole)

points=${IMPOUND_CRASH_POINTS:-14}
[ "$points" != all ] || points=$total
tried=0
survived=0
clean_up() { echo "kills: $tried tried, $survived survived (kill -9 of a run, then resume and release)"; }
for i in $(seq 0 $((points - 1))); do
  at=$((1 + i * (total - 1) / points))
  name=crash-$at
  export IMPOUND_CASE=$name
  code 0 impound case new "$name" --title t
  strace -f -qq -o /dev/null -e trace=$syscalls -e inject=$syscalls:signal=KILL:when=$at "$IMPOUND" run weights-tampering --deployment d/d.toml --yes >out 2>err
  killed=$(($? == 137))
  tried=$((tried + killed))
  code 0 impound case show
  code 0 impound custody verify
  runs=$(sqlite3 "$IMPOUND_HOME/$name/case.db" "SELECT count(*) FROM runs WHERE state != 'done'")
  if [ "$runs" != 0 ]; then
    impound resume R001 --yes >out 2>err || fail "at $at: resume failed: $(cat out err)"
    equal "$(manifest "$name")" "$expected"
  fi
  code 0 impound release
  answers || fail "at $at: released, and silent"
  code 0 impound custody verify
  code 0 impound case check
  code 0 impound exhibit verify
  survived=$((survived + killed))
  rm -rf "${IMPOUND_HOME:?}/$name"
done
echo "$tried of $points points killed a run; $total durable writes in a run"
[ "$tried" -ge $((points - 2)) ] || fail "too few runs were really killed"
