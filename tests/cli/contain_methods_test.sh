# SPDX-License-Identifier: Apache-2.0
# Methods with settings: what --list declares, what --dry-run shows and does not
# do, several methods of one descriptor against a real proxy, and what a method
# that destroys asks for.
. "$(dirname "$0")/harness.sh"
[ "$(id -u)" = 0 ] || skip "freezing another process tree needs root"

examiner
code 0 impound contain --list --json
json 'all(m["keeps"].keys() == {"weights", "kv", "inflight", "process"} for m in d)'
json 'all(v in ("kept", "lost", "partly") for m in d for v in m["keeps"].values())'
json 'all(m["undo"] in ("exact", "restart", "none") and m["tried"] in ("real", "documentation only", "untried") for m in d)'
json '{"command", "container", "firewall", "haproxy", "nginx", "process"} <= {m["name"] for m in d}'

# A command that its author says keeps nothing: a reason, leave, and two others.
served d
mkdir -m 700 c
cat >c/c.toml <<TOML
schema = 1
name = "small"
[containment]
method = "command"
[containment.command]
apply = ["/bin/true"]
probe = ["/bin/false"]
undo = ["/bin/true"]
TOML
chmod 600 c/c.toml
code 0 impound case new IR-1 --title t
export IMPOUND_CASE=IR-1
code 2 impound contain --deployment c/c.toml
says "command destroys evidence"
says "expected --destroys-evidence"
code 2 impound contain --deployment c/c.toml --destroys-evidence
says "expected --accept-loss REASON"
code 5 impound contain --deployment c/c.toml --destroys-evidence --accept-loss "all was collected"
says "waits for 2 approvals of another examiner"
equal "$(sqlite3 "$IMPOUND_HOME/IR-1/case.db" "SELECT count(*) FROM containments")" 0
code 2 impound contain --deployment c/c.toml -p "apply=/bin/rm,-rf" --dry-run
says "only the descriptor may say it"
chmod 666 c/c.toml
code 3 impound contain --deployment c/c.toml --dry-run
says "is not trusted: others may write it"

[ -x /usr/sbin/haproxy ] || skip "HAProxy is not installed: the rest was not tried"
front=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >haproxy.cfg <<CFG
global
  stats socket $work/admin.sock level admin
defaults
  mode http
  timeout connect 2s
  timeout client 10s
  timeout server 10s
frontend public
  bind 127.0.0.1:$front
  default_backend models
backend models
  server gpu1 127.0.0.1:$port
CFG
/usr/sbin/haproxy -db -f haproxy.cfg >haproxy.log 2>&1 &
children+=("$!")
through() { curl -sf --max-time 2 "http://127.0.0.1:$front/" >/dev/null; }
for _ in $(seq 100); do through && break; sleep 0.1; done
through || fail "the proxy does not pass anything on"

cat >d/both.toml <<TOML
schema = 1
name = "small"
[process]
port = $port
[[containment]]
method = "haproxy"
[containment.haproxy]
sockets = ["$work/admin.sock"]
servers = ["models/gpu1"]
[[containment]]
method = "process"
[[probe]]
name = "front"
url = "http://127.0.0.1:$front/"
timeout_ms = 500
[[probe]]
name = "direct"
url = "http://127.0.0.1:$port/"
timeout_ms = 500
TOML
code 1 impound deployment check d/both.toml
says "Sets models/gpu1 to maintenance"

code 0 impound contain --deployment d/both.toml --dry-run
says "unix:$work/admin.sock > set server models/gpu1 state maint"
says "to undo: echo 'set server models/gpu1 state ready'"
says "Nothing was done."
through || fail "a dry run did something"

code 0 impound contain --deployment d/both.toml
says "Contained by 2 methods"
says "connections    yes"
through && fail "contained, and answered through the proxy"
answers && fail "contained, and answered past the proxy"
code 1 impound status
says "haproxy"
code 0 impound release
says "small is released from process"
says "small is released from haproxy"
through || fail "released, and silent through the proxy"
answers || fail "released, and silent past the proxy"
code 0 impound custody verify
equal "$(sqlite3 "$IMPOUND_HOME/IR-1/case.db" "SELECT count(*) FROM custody WHERE line LIKE '%set server models/gpu1 state maint%' AND line LIKE '%\"phase\":\"after\"%' AND line LIKE '%isolate.apply%'")" 1
