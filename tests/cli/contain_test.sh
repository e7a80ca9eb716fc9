# SPDX-License-Identifier: Apache-2.0
# What contain, release, case check and case close say of a deployment is what
# was measured, with each way of freezing that this machine offers [I13].
. "$(dirname "$0")/harness.sh"
[ "$(id -u)" = 0 ] || skip "freezing another process tree needs root"

examiner
served d
# Thaws the group that our server is in, and no other: tests run side by side.
thaw_server() {
  local group
  for group in /sys/fs/cgroup/freezer/impound-* /sys/fs/cgroup/unified/impound-* /sys/fs/cgroup/impound-*; do
    grep -qx "$server" "$group/cgroup.procs" 2>/dev/null || continue
    [ ! -e "$group/freezer.state" ] || echo THAWED >"$group/freezer.state"
    [ ! -e "$group/cgroup.freeze" ] || echo 0 >"$group/cgroup.freeze"
    echo "$server" >"$(dirname "$group")/cgroup.procs"
    rmdir "$group" 2>/dev/null
  done
}
# Whatever a failure leaves frozen is woken before the server is ended.
clean_up() { thaw_server; }
in_case() { export IMPOUND_CASE=$1; }
case_of() { code 0 impound case new "$1" --title t; in_case "$1"; }
silent() { ! answers || fail "it answers: $1"; }
serving() { answers || fail "it is silent: $1"; }
denies() { ! grep -qF -- "$1" "$work/out" "$work/err" || { cat "$work/out" "$work/err"; fail "says: $1"; }; }
state_of() { sqlite3 "$IMPOUND_HOME/$1/case.db" "SELECT group_concat(state) FROM containments"; }

# A server on a port, as a restarted machine would have it.
serve_on() {
  python3 - "$1" <<'PY' >/dev/null 2>&1 &
import http.server, sys
class Quiet(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"{}")
    def log_message(self, *a): pass
http.server.HTTPServer.allow_reuse_address = True
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Quiet).serve_forever()
PY
  children+=("$!")
  for _ in $(seq 100); do
    curl -s --max-time 2 "http://127.0.0.1:$1/" >/dev/null && return
    sleep 0.1
  done
  fail "no server on port $1"
}
serve_again() {
  serve_on "$port"
  server=${children[-1]}
}

# What the second case is told, and what its release does.
another_case_holds_it() {
  case_of "A-$1"; case_of "B-$1"
  in_case "A-$1"
  code 0 impound contain --deployment d/d.toml -p "method=$1"
  says "proved by 1 of 1 probe"
  silent "contained by $1"
  in_case "B-$1"
  code 0 impound contain --deployment d/d.toml -p "method=$1"
  says "contained already, by case A-$1"
  says "by Ada Example since"
  says "no probe proves it"
  denies "proved by"
  equal "$(state_of "B-$1")" ""
  code 3 impound release
  says "held by case A-$1"
  silent "a release of another case did not say that it thaws what A-$1 holds"
  code 3 impound release --deployment d/d.toml --json
  json 'd[0]["end"] == "held elsewhere" and d[0]["held_by"]["case"] == "A-'"$1"'" and not d[0]["released"]'
  code 0 impound release --held-by "A-$1"
  serving "released from another case that was told to"
  in_case "A-$1"
  code 1 impound case check
  says "recorded as contained"
  says "measured now as not contained"
  code 0 impound release
  equal "$(state_of "A-$1")" released
  code 0 impound case check
  code 0 impound custody verify
  in_case "B-$1"
  code 0 impound custody verify
}

# Without the mark, the name of the group tells.
another_case_holds_it_and_its_mark_is_gone() {
  case_of "M-$1"; case_of "N-$1"
  in_case "M-$1"
  code 0 impound contain --deployment d/d.toml -p "method=$1"
  rm -rf "$IMPOUND_RUN"
  in_case "N-$1"
  code 0 impound contain --deployment d/d.toml -p "method=$1"
  says "impound-M-$1-small-"
  code 3 impound release
  silent "a release of a case that holds nothing"
  in_case "M-$1"
  code 0 impound release
  serving "released by the case that holds it"
}

a_case_that_holds_something_is_not_closed() {
  case_of "C-$1"
  code 0 impound contain --deployment d/d.toml -p "method=$1"
  code 2 impound case close --reason "all done"
  says "--still-contained"
  says "measured now as contained"
  code 0 impound case close --reason "all done" --still-contained "the owner takes over"
  code 1 impound case check
  silent "closed, and nobody released it"
  code 2 impound contain --deployment d/d.toml -p "method=$1"
  says "is closed"
  code 0 impound release
  serving "released after the case was closed"
  equal "$(state_of "C-$1")" released
  code 0 impound case check
  code 0 impound custody verify
}

# Case, configuration and key are gone: the state that was recorded is enough.
what_was_recorded_before_gives_it_back() {
  local lost=(env -u IMPOUND_CASE IMPOUND_HOME="$work/none" XDG_CONFIG_HOME="$work/none" "$IMPOUND")
  case_of "S-$1"
  code 0 impound contain --deployment d/d.toml -p "method=$1"
  code 0 impound custody log --json
  cp "$work/out" entries.json
  mark=$(grep -l "\"S-$1\"" "$IMPOUND_RUN"/*)
  cp "$mark" kept.mark
  # By hand, in the lines that are printed.
  code 0 "${lost[@]}" release --from-state kept.mark --show-commands
  sh "$work/out" || fail "the lines failed: $(cat "$work/out")"
  serving "given back by hand, $1"
  code 1 impound case check
  says "measured now as not contained"
  code 0 impound release
  # By the program.
  code 0 impound contain --deployment d/d.toml -p "method=$1"
  silent "contained again, $1"
  code 0 impound custody log --json
  cp "$work/out" entries.json
  code 0 "${lost[@]}" release --from-state entries.json --json
  json 'd["released"] and not d["recorded"] and d["end"] == "released"'
  serving "given back from the entries, $1"
  [ -z "$(grep -l "\"S-$1\"" "$IMPOUND_RUN"/*.json 2>/dev/null)" ] || fail "the mark stays"
  code 0 "${lost[@]}" release --from-state kept.mark
  says "NOT RECORDED"
  code 1 impound case check
  code 0 impound release
  echo '{}' >nothing.json
  code 2 "${lost[@]}" release --from-state nothing.json
  says "tells of no containment"
  head -c 100 kept.mark >cut.mark
  code 3 "${lost[@]}" release --from-state cut.mark
  says "cut.mark"
  code 2 "${lost[@]}" release --from-state kept.mark --deployment other
  says "small"
}

tried=0
for method in freeze-v2 freeze-v1 stop; do
  case_of "try-$method"
  if ! impound contain --deployment d/d.toml -p "method=$method" >out 2>err; then
    grep -q "cannot use" out err || { cat out err; fail "$method"; }
    echo "skipped $method: $(grep -h 'cannot use' out err | head -n 1)"
    continue
  fi
  code 0 impound release
  another_case_holds_it "$method"
  [ "$method" = stop ] || another_case_holds_it_and_its_mark_is_gone "$method"
  a_case_that_holds_something_is_not_closed "$method"
  what_was_recorded_before_gives_it_back "$method"
  tried=$((tried + 1))
done
[ "$tried" -gt 0 ] || fail "no method could be tried"

# The record has nothing open, and the server stands still: measured all the same.
case_of still
code 0 impound contain --deployment d/d.toml -p method=stop
code 0 impound release
code 0 impound release
says "nothing to release"
says "measured now as not contained"
kill -STOP "$server"
code 3 impound release
says "measured now as contained"
code 3 impound release --deployment d/d.toml
kill -CONT "$server"
code 0 impound release

# A service that is down is not "still in force", and not given back either.
case_of down
code 0 impound contain --deployment d/d.toml -p method=stop
kill -9 "$server"
code 3 impound release
says "not measured to be contained"
denies "in force"
equal "$(state_of down)" release_failed
code 2 impound case close
says "measured now as unknown"
serve_again
code 0 impound release
equal "$(state_of down)" released

# A probe on another live server: what is not contained is not said to be, and
# the later step of the playbook tries again.
other=$((port > 60000 ? port - 7 : port + 7))
serve_on "$other"
{ cat d/d.toml; printf '[[probe]]\nname = "other"\nurl = "http://127.0.0.1:%s/"\n' "$other"; } >d/two.toml
case_of two
code 0 impound baseline create d/model --name small -o d/base.json
impound run weights-tampering --deployment d/two.toml --active-harm --answer contain=yes >out 2>err && fail "it ends as if all was done"
equal "$(sqlite3 "$IMPOUND_HOME/two/case.db" "SELECT group_concat(outcome) FROM steps WHERE step IN ('stop-harm','contain')")" incomplete,incomplete
equal "$(state_of two)" rolled_back,rolled_back
equal "$(sqlite3 "$IMPOUND_HOME/two/case.db" "SELECT count(*) FROM gaps WHERE subject='containment' AND reason LIKE '%probe other still answers%rolled back, measured as not contained%'")" 2
serving "rolled back"
code 0 impound case check
code 3 impound contain --deployment d/two.toml
says "NOT contained by process: probe other still answers"
says "It was rolled back; measured then: process"
denies "Nothing was changed"

# After a restart of the machine: another boot, and the service is back.
echo "11111111-2222-4333-8444-555555555555" >boot
restarted() { unshare -m sh -c 'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"' "$work/boot" "$IMPOUND" "$@"; }
if restarted --version >out 2>err; then
  case_of reboot
  code 0 impound contain --deployment d/d.toml -p method=stop
  kill -9 "$server"
  serve_again
  code 1 restarted case check
  says "the machine was restarted since"
  says "measured now as not contained"
  code 0 restarted release
  says "the machine was restarted since"
  equal "$(state_of reboot)" released

  # A run that waits behind its containment, and goes on after the restart.
  mkdir waits
  cat >waits/playbook.lua <<'LUA'
--- Contains, then waits for a person. Changes: the deployment is out of service.
local impound = require("impound")
local response = require("impound.response")

local function look(ctx)
  ctx:collect("host")
end

local function wait(ctx)
  ctx:ask({ id = "go", question = "Go on?", choices = { "yes", "no" } })
end

return impound.playbook({
  schema = 1,
  id = "waits",
  version = "1.0.0",
  title = "Contain and wait",
  owner = "tests",
  effect = "contain",
  needs = { collectors = { "host" }, containments = { "deployment" } },
  references = { "https://example.com" },
  params = {},
  steps = {
    { id = "look", title = "Look at the host", run = look },
    { id = "contain", title = "Take it out of service", effect = "contain", run = response.contain },
    { id = "wait", title = "Wait", run = wait },
  },
})
LUA
  case_of resumed
  code 5 impound run ./waits --deployment d/d.toml --answer contain=yes
  silent "contained by the run"
  # The freeze ended with the machine: the server of now is another process.
  thaw_server
  kill -9 "$server"
  serve_again
  code 3 restarted resume R001 --answer go=yes # it compares nothing: incomplete
  equal "$(state_of resumed)" rolled_back,contained
  equal "$(sqlite3 "$IMPOUND_HOME/resumed/case.db" "SELECT group_concat(outcome) FROM steps WHERE step='contain' AND outcome != ''")" ok,ok
  equal "$(sqlite3 "$IMPOUND_HOME/resumed/case.db" "SELECT count(*) FROM gaps WHERE subject='containment'")" 0
  silent "a run was resumed behind a containment that a restart had ended"
  code 0 restarted release
  serving "released after the resumed run"

  # Given back by a person while the run waited: not contained again.
  case_of given-back
  code 5 impound run ./waits --deployment d/d.toml --answer contain=yes
  code 0 impound release
  code 3 impound resume R001 --answer go=yes
  serving "a run that was resumed contained again what a person gave back"
  equal "$(sqlite3 "$IMPOUND_HOME/given-back/case.db" "SELECT count(*) FROM gaps WHERE subject='containment'")" 1
else
  echo "skipped the restart: $(cat err)"
fi

# kill -9 at every durable write of a release: case check explains what is, and
# the next release ends it.
if command -v strace >/dev/null && strace -qq -e trace=none true 2>/dev/null; then
  syscalls=fsync,fdatasync,rename
  half=0
  kills=0
  for at in $(seq 40); do
    case_of "k$at"
    code 0 impound contain --deployment d/d.toml
    strace -f -qq -o /dev/null -e trace=$syscalls -e inject=$syscalls:signal=KILL:when="$at" "$IMPOUND" release >out 2>err
    killed=$?
    before=$(state_of "k$at")
    measured="measured as contained"
    answers && measured="measured as not contained"
    impound case check >out 2>err
    if [ "$before" = releasing ]; then
      half=$((half + 1))
      says "was left releasing"
      says "Found at 20"
      says "$measured"
    fi
    code 0 impound release
    serving "released after a kill at $at"
    code 0 impound case check
    code 0 impound custody verify
    [ "$killed" != 0 ] || break
    kills=$((kills + 1))
  done
  echo "kills: $kills tried, $kills survived (kill -9 of a release, then release)"
  echo "a release has $at durable writes; $half kills left it half recorded"
  [ "$half" -gt 0 ] || fail "no kill fell between undo and record"
else
  echo "skipped the kills: strace may not trace here"
fi
