# SPDX-License-Identifier: Apache-2.0
# Many processes on one case, under a scheduler that sleeps at every lock
# (slow_locks.cpp): nothing is lost, nothing is said twice, nothing is repaired
# under the hands of who works on it, and the chain verifies after each meeting.
#
# IMPOUND_SLOW_LOCKS_US: the longest sleep at a lock, microseconds.
. "$(dirname "$0")/harness.sh"
compiler=$(command -v c++ || command -v g++ || command -v clang++) || skip "no compiler for the slow locks"
"$compiler" -O1 -shared -fPIC -o "$work/slow_locks.so" "$IMPOUND_SOURCE/tests/cli/slow_locks.cpp" -ldl 2>err \
  || fail "the slow locks cannot be built: $(cat err)"
export IMPOUND_SLOW_LOCKS_US=${IMPOUND_SLOW_LOCKS_US:-3000} IMPOUND_SLOW_LOCKS_COUNT=$work/locks

# slowly COMMAND…: impound with slow locks.
slowly() { LD_PRELOAD=$work/slow_locks.so timeout 120 "$IMPOUND" "$@"; }
# both SECONDS…: waits for what was started; sets $codes.
meet() {
  codes=()
  local pid
  for pid in "$@"; do
    local got=0
    wait "$pid" || got=$?
    [ "$got" != 124 ] || fail "a process was stuck for two minutes"
    codes+=("$got")
  done
}
sound() {
  code 0 impound custody verify
  code 0 impound case check
}
sql() { sqlite3 "$IMPOUND_HOME/${IMPOUND_CASE:-IR-1}/case.db" "$1"; }

examiner
new_case
deployment d
head -c 6000000 /dev/urandom >d/model/extra.bin

# --- status beside all of it: always an answer, always a whole document
touch "$work/watch"
(while [ -e "$work/watch" ]; do
  got=0
  slowly status --json >"$work/status.out" 2>"$work/status.err" || got=$?
  python3 -c 'import json,sys; json.load(open(sys.argv[1]))' "$work/status.out" 2>/dev/null && [ "$got" != 124 ] || {
    echo "exit $got: $(head -c 300 "$work/status.out") $(cat "$work/status.err")" >>"$work/status.bad"
  }
  echo . >>"$work/status.count"
done) &
watcher=$!
children+=("$watcher")

# --- eight writers: every note once, in one chain
pids=()
for who in 1 2 3 4 5 6 7 8; do
  (for i in 1 2 3 4 5; do slowly case note "writer $who note $i." >/dev/null 2>>"$work/err.$who" || exit 1; done) &
  pids+=($!)
done
meet "${pids[@]}"
equal "${codes[*]}" "0 0 0 0 0 0 0 0"
sound
for who in 1 2 3 4 5 6 7 8; do
  for i in 1 2 3 4 5; do
    equal "$(sql "SELECT count(*) FROM custody WHERE line LIKE '%writer $who note $i.%'")" 1
  done
done
echo "ok: eight writers"

# --- check beside collects: what somebody works on is busy, not broken
pids=()
for _ in 1 2 3; do
  slowly collect model-files --deployment d/d.toml >"$work/collect.$((${#pids[@]} + 1))" 2>&1 &
  pids+=($!)
done
(for _ in 1 2 3 4 5 6; do
  got=0
  slowly case check >>"$work/check.out" 2>&1 || got=$?
  case $got in 0 | 3) ;; *) echo "case check: exit $got"; exit 1 ;; esac
done) &
pids+=($!)
meet "${pids[@]}"
equal "${codes[*]}" "0 0 0 0" || cat "$work"/collect.* "$work/check.out"
sound
equal "$(sql "SELECT count(*) FROM exhibits WHERE state='sealed'")" 3
equal "$(sql "SELECT count(*) FROM exhibits WHERE state!='sealed'")" 0
equal "$(sql "SELECT count(*) FROM custody WHERE json_extract(line,'\$.detail.adopted') IS NOT NULL")" 0
code 0 impound exhibit verify
echo "ok: check beside collects"

# --- two who are to be given the next number at once
pids=()
for _ in 1 2 3 4; do
  slowly collect host --deployment d/d.toml >/dev/null 2>>"$work/host.err" &
  pids+=($!)
done
meet "${pids[@]}"
for got in "${codes[@]}"; do case $got in 0 | 3) ;; *) fail "collect host: exit $got: $(cat "$work/host.err")" ;; esac; done
equal "$(sql "SELECT count(*), count(DISTINCT json_extract(line,'\$.item')) FROM custody WHERE json_extract(line,'\$.action')='acquire.begin'")" "7|7"
sound
echo "ok: numbers given once"

# --- two resumes of one run: one works, the other is told
run_pid=
setsid bash -c 'LD_PRELOAD=$1 exec "$2" run code-in-model --deployment d/d.toml --yes' _ "$work/slow_locks.so" "$IMPOUND" >"$work/run.out" 2>&1 &
run_pid=$!
for _ in $(seq 400); do
  [ "$(sql "SELECT count(*) FROM custody WHERE json_extract(line,'\$.action')='playbook.step'")" -gt 1 ] && break
  sleep 0.05
done
kill -9 -- "-$run_pid" 2>/dev/null
wait "$run_pid" 2>/dev/null
run=$(sql "SELECT id FROM runs ORDER BY seq DESC LIMIT 1")
[ -n "$run" ] || fail "no run was begun: $(cat "$work/run.out")"
[ "$(sql "SELECT state FROM runs WHERE id='$run'")" != done ] || fail "the run ended before it was killed"
slowly resume "$run" --yes >"$work/resume.1" 2>&1 &
one=$!
slowly resume "$run" --yes >"$work/resume.2" 2>&1 &
meet "$one" $!
echo "resumes: ${codes[*]}"
for got in "${codes[@]}"; do
  [ "$got" -lt 128 ] || fail "a resume was ended by signal $((got - 128)): $(cat "$work"/resume.*)"
done
equal "$(sql "SELECT count(*) FROM custody WHERE json_extract(line,'\$.action')='playbook.end' AND json_extract(line,'\$.run')='$run' AND json_extract(line,'\$.detail.state')='done'")" 1
# Who came second left no mark: one start anew, besides the first.
equal "$(sql "SELECT count(*) FROM custody WHERE json_extract(line,'\$.action')='playbook.start' AND json_extract(line,'\$.run')='$run'")" 2
grep -hqE "$run is being run by another process|there is nothing to resume" "$work"/resume.* || fail "nobody was told: $(cat "$work"/resume.*)"
sound
echo "ok: two resumes"

# --- close beside a run: it waits for the run's end, and no act of the run stands behind the close
steps=$(sql "SELECT count(*) FROM custody WHERE json_extract(line,'\$.action')='playbook.step'")
slowly run code-in-model --deployment d/d.toml --yes >"$work/run2.out" 2>&1 &
runner=$!
for _ in $(seq 400); do
  [ "$(sql "SELECT count(*) FROM custody WHERE json_extract(line,'\$.action')='playbook.step'")" -gt "$steps" ] && break
  sleep 0.05
done
run=$(sql "SELECT id FROM runs ORDER BY seq DESC LIMIT 1")
got=0
slowly case close --reason "all is said" >"$work/close.out" 2>&1 || got=$?
kill -0 "$runner" 2>/dev/null && was_running=yes || was_running=no
meet "$runner"
echo "run: ${codes[*]}, close: $got (the run was going on: $was_running)"
[ "$was_running" = no ] || [ "$got" = 3 ] || fail "closed beside a run: $(cat "$work/close.out")"
[ "$got" = 0 ] || grep -q "$run" "$work/close.out" || fail "the close does not say why: $(cat "$work/close.out")"
equal "$(sql "SELECT state FROM runs WHERE id='$run'")" "done"
[ "$got" = 0 ] || code 0 impound case close --reason "all is said"
sound
closed=$(sql "SELECT min(seq) FROM custody WHERE json_extract(line,'\$.action')='case.close'")
equal "$(sql "SELECT count(*) FROM custody WHERE seq > $closed AND json_extract(line,'\$.action') LIKE 'playbook.%'")" 0
echo "ok: close beside a run"

# --- two releases: one gives back, the other says so, neither in riddles
if [ "$(id -u)" = 0 ]; then
  export IMPOUND_CASE=IR-2
  new_case IR-2
  served s
  code 0 impound baseline create s/model --name small -o s/base.json
  got=0
  impound contain --deployment s/d.toml --purpose test >out 2>err || got=$?
  if [ "$got" = 0 ]; then
    slowly release >"$work/release.1" 2>&1 &
    one=$!
    slowly release >"$work/release.2" 2>&1 &
    meet "$one" $!
    echo "releases: ${codes[*]}"
    cat "$work/release.1" "$work/release.2" | head -20
    answers || fail "two releases, and it is silent"
    grep -qiE 'cgroup\.(freeze|kill|procs)|errno|No such device' "$work/release.1" "$work/release.2" && fail "a raw error"
    case "${codes[*]}" in *0*) ;; *) fail "neither release succeeded" ;; esac
    equal "$(sql "SELECT count(*) FROM containments WHERE state='released'")" 1
    sound
    echo "ok: two releases"
  else
    echo "skipped: contain is not possible here: $(tail -n 1 err)"
  fi
fi

rm -f "$work/watch"
wait "$watcher"
[ ! -e "$work/status.bad" ] || fail "status beside others: $(head -n 5 "$work/status.bad")"
locks=$(stat -c %s "$work/locks")
[ "$locks" -gt 1000 ] || fail "only $locks locks were slow: the preloaded library is not in use"
echo "$locks locks slept; status was asked $(wc -l <"$work/status.count") times"
