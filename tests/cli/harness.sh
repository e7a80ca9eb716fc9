# SPDX-License-Identifier: Apache-2.0
# What the scripts of this folder share: a home of their own, and words for
# what must hold. Source it first.
set -uo pipefail

work=$(mktemp -d "${TMPDIR:-/tmp}/impound-cli-XXXXXX")
export XDG_CONFIG_HOME=$work/config IMPOUND_HOME=$work/cases HOME=$work/home
export IMPOUND_PLAYBOOKS=$IMPOUND_SOURCE/playbooks LC_ALL=C.UTF-8
export IMPOUND_RUN=$work/run
unset IMPOUND_CASE
mkdir -p "$HOME"
cd "$work" || exit 1
children=()
finish() {
  local code=$?
  local child
  for child in "${children[@]:-}"; do
    [ -z "$child" ] || { kill -CONT "$child" 2>/dev/null; kill -9 "$child" 2>/dev/null; }
  done
  [ "$(type -t clean_up)" != function ] || clean_up
  chmod -R u+rwx "$work" 2>/dev/null
  rm -rf "$work"
  exit "$code"
}
trap finish EXIT

impound() { "$IMPOUND" "$@"; }
fail() { echo "FAILED: $*" >&2; exit 1; }
skip() { echo "skipped: $*"; exit 77; }

# code N COMMAND…: must end with that exit code; output in $work/{out,err}.
code() {
  local want=$1 got=0
  shift
  "$@" >"$work/out" 2>"$work/err" || got=$?
  [ "$got" = "$want" ] || {
    echo "--- stdout"; head -n 40 "$work/out"; echo "--- stderr"; head -n 40 "$work/err"
    fail "exit $got, expected $want: $*"
  }
}
# says TEXT: the last command's stderr or stdout holds it.
says() { grep -qF -- "$1" "$work/out" "$work/err" || { cat "$work/out" "$work/err"; fail "does not say: $1"; }; }
# json EXPRESSION: a Python expression over the document d (stdout) is true.
json() { python3 -c 'import json,sys; d=json.load(open(sys.argv[1])); assert eval(sys.argv[2]), (sys.argv[2], d)' "$work/out" "$1" || fail "json: $1"; }
equal() { [ "$1" = "$2" ] || fail "\"$1\" is not \"$2\""; }

examiner() { code 0 impound examiner init --name "Ada Example" --org "Example Corp" --role responder; }
new_case() { code 0 impound case new "${1:-IR-1}" --title "a test case"; }

# flip FILE OFFSET: that byte becomes another one, whatever it was.
flip() {
  local byte
  byte=$(od -An -tu1 -j "$2" -N 1 "$1" | tr -d ' ')
  [ -n "$byte" ] || fail "$1 has no byte $2"
  printf "\\$(printf %o $((byte ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none || fail "cannot flip byte $2 of $1"
}

# A small model folder and its descriptor: deployment FOLDER
deployment() {
  mkdir -p "$1/model" "$1/logs"
  python3 - "$1" <<'PY'
import json, struct, sys, random
folder = sys.argv[1]
random.seed(7)
data = bytes(random.getrandbits(8) for _ in range(64 * 1024))
header = json.dumps({"a.weight": {"dtype": "BF16", "shape": [128, 128], "data_offsets": [0, 32768]},
                     "b.weight": {"dtype": "BF16", "shape": [128, 128], "data_offsets": [32768, 65536]}}).encode()
header += b" " * (-len(header) % 8)
open(folder + "/model/model.safetensors", "wb").write(struct.pack("<Q", len(header)) + header + data)
open(folder + "/model/config.json", "w").write('{"model_type": "gptj"}\n')
with open(folder + "/logs/a.jsonl", "w") as log:
    for i in range(1000):
        log.write(json.dumps({"ts": "2026-11-%02dT10:00:00Z" % (1 + i % 20), "prompt": "hello %d" % i}) + "\n")
PY
  cat >"$1/d.toml" <<'TOML'
schema = 1
name = "small"
[model]
path = "model"
[[logs]]
path = "logs/*.jsonl"
timestamp = "ts"
[process]
pid = 1
[containment]
method = "process"
TOML
}

# A deployment that is really served, from a mapping of its file: served FOLDER; sets $port and $server.
served() {
  deployment "$1"
  python3 - "$1/port" "$1/model/model.safetensors" <<'PY' >/dev/null 2>&1 &
import http.server, mmap, os, sys
with open(sys.argv[2], "rb") as f:
    model = mmap.mmap(f.fileno(), 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)
class Quiet(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"{}")
    def log_message(self, *a): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Quiet)
open(sys.argv[1] + ".new", "w").write(str(server.server_port))
os.rename(sys.argv[1] + ".new", sys.argv[1])
server.serve_forever()
PY
  server=$!
  children+=("$server")
  for _ in $(seq 100); do [ -s "$1/port" ] && break; sleep 0.1; done
  port=$(cat "$1/port")
  sed -i "s/^pid = 1/port = $port/; s|path = \"model\"|path = \"model\"\nbaseline = \"base.json\"|" "$1/d.toml"
  cat >>"$1/d.toml" <<TOML
[[probe]]
name = "root"
url = "http://127.0.0.1:$port/"
timeout_ms = 400
TOML
}
answers() { curl -s --max-time 2 "http://127.0.0.1:$port/" >/dev/null; }

# The newest value of a field of entries: field ACTION JSONPATH [CONDITION]; of the case $IMPOUND_CASE, or IR-1.
field() {
  sqlite3 "$IMPOUND_HOME/${IMPOUND_CASE:-IR-1}/case.db" "SELECT json_extract(line,'$2') FROM custody WHERE json_extract(line,'\$.action')='$1' AND ${3:-1} ORDER BY seq DESC LIMIT 1"
}
entries() { sqlite3 "$IMPOUND_HOME/${IMPOUND_CASE:-IR-1}/case.db" "SELECT count(*) FROM custody"; }

# A person at a terminal, who types KEYS once the screen shows TEXT: at_terminal TEXT KEYS COMMAND…
# KEYS may hold \n, \x03 (Ctrl-C), \x04 (Ctrl-D). The screen goes to stdout, the exit code is the command's.
at_terminal() { python3 "$IMPOUND_SOURCE/tests/cli/at_terminal.py" "$@"; }
