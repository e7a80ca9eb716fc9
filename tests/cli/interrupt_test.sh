# SPDX-License-Identifier: Apache-2.0
# Ctrl-C seals what was got and says so; a full disk ends cleanly; a case that
# cannot be written says so.
. "$(dirname "$0")/harness.sh"

examiner; new_case
deployment d
for i in 1 2 3 4 5 6; do head -c 60000000 /dev/urandom >"d/model/part-$i.bin"; done

"$IMPOUND" collect model-files --deployment d/d.toml --threads 1 >out 2>err &
pid=$!
for _ in $(seq 200); do
  [ "$(stat -c %s "$IMPOUND_HOME/IR-1/evidence/E001.tar.zst.partial" 2>/dev/null || echo 0)" -gt 8000000 ] && break
  sleep 0.02
done
kill -INT "$pid"
wait "$pid"
equal "$?" 3
grep -q "PARTIAL" out || fail "does not say that it is partial: $(cat out err)"
code 0 impound exhibit verify E001
equal "$(sqlite3 "$IMPOUND_HOME/IR-1/case.db" "SELECT outcome FROM exhibits")" partial
[ "$(sqlite3 "$IMPOUND_HOME/IR-1/case.db" "SELECT count(*) FROM gaps")" -gt 0 ] || fail "no gap is recorded"
code 0 impound custody verify
code 0 impound case check

# kill -9 in the middle: what was written is set aside, never deleted.
"$IMPOUND" collect model-files --deployment d/d.toml --threads 1 >out 2>err &
pid=$!
for _ in $(seq 200); do
  [ "$(stat -c %s "$IMPOUND_HOME/IR-1/evidence/E002.tar.zst.partial" 2>/dev/null || echo 0)" -gt 8000000 ] && break
  sleep 0.02
done
kill -9 "$pid"; wait "$pid" 2>/dev/null
code 0 impound case check
says "aside"
[ -s "$IMPOUND_HOME/IR-1/evidence/aside/E002.tar.zst.partial" ] || fail "the partial bundle is gone"
code 0 impound custody verify
code 0 impound collect model-files --deployment d/d.toml
code 0 impound exhibit verify E003
rm -f d/model/part-*.bin

# A disk that fills up.
if [ "$(id -u)" = 0 ] && mkdir small && mount -t tmpfs -o size=90m none small 2>/dev/null; then
  clean_up() { umount "$work/small" 2>/dev/null; }
  head -c 200000000 /dev/urandom >d/model/large.bin
  IMPOUND_HOME=$work/small code 0 impound case new full --title t
  IMPOUND_HOME=$work/small code 3 impound collect model-files --deployment d/d.toml --case full
  says "are free"
  # Growing while it is taken: the estimate was small, the disk fills on the way.
  truncate -s 0 d/model/large.bin
  ln -f d/model/config.json d/model/again.json
  IMPOUND_HOME=$work/small code 0 impound collect model-files --deployment d/d.toml --case full
  IMPOUND_HOME=$work/small code 0 impound custody verify --case full
  IMPOUND_HOME=$work/small code 0 impound exhibit verify --case full
  mount -o remount,ro "$work/small"
  IMPOUND_HOME=$work/small code 3 impound case note "read-only" --case full
  IMPOUND_HOME=$work/small code 0 impound case show --case full
fi
