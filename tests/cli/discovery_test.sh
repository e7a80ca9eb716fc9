# SPDX-License-Identifier: Apache-2.0
# A server that runs becomes a descriptor, measured, and nothing is overwritten.
. "$(dirname "$0")/harness.sh"

served d
# It writes a log, as servers do.
python3 - "$work/serving.jsonl" <<'PY' &
import os, sys, time
log = open(sys.argv[1], "a")
log.write('{"ts": "2026-11-28T03:00:00Z", "prompt": "x"}\n')
log.flush()
time.sleep(600)
PY
children+=("$!")

code 0 impound deployment new found.toml --port "$port"
says "written to found.toml"
says "impound deployment check found.toml"
grep -qx "port = $port" found.toml || fail "the port is not in the descriptor"
grep -qx "path = \"$work/d/model\"" found.toml || fail "the folder of the weights is not in it: $(cat found.toml)"
grep -q "# process $server listens on 127.0.0.1:$port (/proc/net/tcp)" found.toml || fail "not said what measured the port"
grep -q "# process $server holds $work/d/model/model.safetensors" found.toml || fail "not said what measured the path"
# What was written is a descriptor, and its probe answers.
sed -i 's|^url = .*|url = "http://127.0.0.1:'"$port"'/"|' found.toml
"$IMPOUND" deployment check found.toml >out 2>err
grep -qE '^ok +process' out || fail "deployment check does not find the process: $(cat out err)"
grep -qE '^ok +probe serving' out || fail "the probe of the descriptor does not answer: $(cat out err)"

# Never overwritten, not even through a link.
cp found.toml before
code 2 impound deployment new found.toml --port "$port"
says "is not overwritten"
cmp -s found.toml before || fail "a descriptor was overwritten"
ln -s elsewhere.toml link.toml
code 2 impound deployment new link.toml --port "$port"
[ ! -e elsewhere.toml ] || fail "written through a link"

# By its pid, to standard output, as a document.
code 0 impound deployment new --pid "$server" --json
json 'd["pid"] == '"$server"' and d["model_path"].endswith("/d/model") and d["weights"] == 1 and "schema = 1" in d["descriptor"]'
# What is not there is not found, and what was looked at is said.
code 2 impound deployment new --pid 1073741824 none.toml
says "processes were looked at"
[ ! -e none.toml ] || fail "a descriptor of nothing was written"

# The log of a server is found by its open descriptor.
code 0 impound deployment new --port "$port" --name mine
says 'name = "mine"'
says "no file with the name of a log is open for writing"
kill "$server"; wait "$server" 2>/dev/null
python3 - "$work/d/port" "$work/d/model/model.safetensors" "$work/serving.jsonl" <<'PY' >/dev/null 2>&1 &
import http.server, mmap, os, sys
f = open(sys.argv[2], "rb")
model = mmap.mmap(f.fileno(), 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)
log = open(sys.argv[3], "a")
server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
open(sys.argv[1] + ".new", "w").write(str(server.server_port))
os.rename(sys.argv[1] + ".new", sys.argv[1])
server.serve_forever()
PY
server=$!
children+=("$server")
for _ in $(seq 100); do [ "$(cat d/port)" != "$port" ] && break; sleep 0.1; done
port=$(cat d/port)
code 0 impound deployment new logged.toml --port "$port"
grep -qx "path = \"$work/serving.jsonl\"" logged.toml || fail "its log is not in the descriptor: $(cat logged.toml)"
grep -qx 'timestamp = "ts"' logged.toml || fail "the key of the time is not in the descriptor"
