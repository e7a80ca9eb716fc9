# SPDX-License-Identifier: Apache-2.0
# The model that runs is the model that is judged: what the process holds is measured, said and compared; a
# baseline is opened before anything else; not comparing is a result.
. "$(dirname "$0")/harness.sh"
[ "$(id -u)" = 0 ] || skip "the memory maps of another process need root"

run() { impound run weights-tampering --yes "$@"; }
findings() { sqlite3 "$IMPOUND_HOME/$IMPOUND_CASE/case.db" "SELECT verdict, severity, title FROM findings WHERE run='$1'"; }
entries() { sqlite3 "$IMPOUND_HOME/$IMPOUND_CASE/case.db" "SELECT count(*) FROM custody"; }
# The last block of a run's text: all that a person reads who reads the last words only.
ends_with() { sed -n '/^Outcome:/,$p' "$work/out" | grep -qF -- "$1" || { cat "$work/out"; fail "does not end with: $1"; }; }

# Serves FILE: host MODE FOLDER FILE; MODE map: from a mapping, copy: from memory of its own. Sets $port.
host() {
  rm -f "$2/port"
  python3 - "$1" "$2/port" "$3" <<'PY' >/dev/null 2>&1 &
import http.server, mmap, os, sys
mode, port_file, path = sys.argv[1:4]
with open(path, "rb") as f:
    model = f.read() if mode == "copy" else mmap.mmap(f.fileno(), 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)
class Quiet(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(model[:1])
    def log_message(self, *a): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Quiet)
open(port_file + ".new", "w").write(str(server.server_port))
os.rename(port_file + ".new", port_file)
server.serve_forever()
PY
  children+=("$!")
  for _ in $(seq 100); do [ -s "$2/port" ] && break; sleep 0.1; done
  port=$(cat "$2/port")
}

# A model of which one weight was edited, and its baseline: scene FOLDER
scene() {
  deployment "$1"
  cp -r "$1/model" "$1/edited"
  python3 - "$1/edited/model.safetensors" <<'PY'
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(-10, 2); f.write(b"\x55")
PY
  [ -s base.json ] || code 0 impound baseline create "$1/model" --name small -o base.json
  cp base.json "$1/base.json"
  sed -i 's|^path = "model"|path = "model"\nbaseline = "base.json"|' "$1/d.toml"
}
describe() { # FOLDER: the descriptor for what serves on $port
  sed -i "s/^pid = 1/port = $port/" "$1/d.toml"
  printf '[[probe]]\nname = "root"\nurl = "http://127.0.0.1:%s/"\ntimeout_ms = 400\n' "$port" >>"$1/d.toml"
}

examiner; new_case
export IMPOUND_CASE=IR-1

# A server that maps the clean file: tied, and cleared without reserve.
scene clean; host map clean clean/model/model.safetensors; describe clean
code 0 impound deployment check clean/d.toml
says "is mapped by process"
code 0 impound playbook plan weights-tampering --deployment clean/d.toml
says "is mapped by process"
says "signed by key"
code 0 run --deployment clean/d.toml
equal "$(findings R001)" "cleared|info|The model is the one of the baseline"
says "served: Every weights file that the descriptor names"
says "is mapped by process"
code 0 impound release

# A file swapped under a running server: the edited one is found, although the clean one lies on disk.
scene swapped; host map swapped swapped/edited/model.safetensors; describe swapped
sed -i 's|^path = "model"|path = "edited"|' swapped/d.toml
cp swapped/model/model.safetensors swapped/new; mv swapped/new swapped/edited/model.safetensors
code 3 impound deployment check swapped/d.toml
says "which has no name any more"
code 0 impound playbook plan weights-tampering --deployment swapped/d.toml
says "which has no name any more"
code 1 run --deployment swapped/d.toml
equal "$(findings R002)" "confirmed|critical|The process serves another file than the descriptor names
confirmed|critical|Tensor b.weight differs from the baseline"
says "served: Weights are held that are no file below"
inode=$(stat -L -c %i "/proc/${children[-1]}/map_files/$(grep -m1 'edited/model.safetensors' "/proc/${children[-1]}/maps" | cut -d' ' -f1)")
says "inode $inode"
says "$(sha256sum <clean/model/model.safetensors | cut -d' ' -f1)"
says "$(sha256sum <clean/edited/model.safetensors | cut -d' ' -f1)"
item=$(sqlite3 "$IMPOUND_HOME/IR-1/case.db" "SELECT json_extract(items, '\$[0]') FROM findings WHERE run='R002' LIMIT 1")
impound exhibit cat "$item" --purpose "a test" >taken 2>/dev/null || impound exhibit cat "$item" >taken
cmp taken clean/edited/model.safetensors || fail "the item is not the file that was mapped"
code 1 impound diff swapped/base.json "$item"
code 0 impound release

# A descriptor beside the truth: it names a clean copy that the process does not use.
scene beside; host map beside beside/edited/model.safetensors; describe beside
code 3 impound deployment check beside/d.toml
says "which the descriptor names"
code 1 run --deployment beside/d.toml
equal "$(findings R003 | head -n 1)" "confirmed|critical|The process serves another file than the descriptor names"
says "elsewhere: not below the model path"
findings R003 | grep -q cleared && fail "cleared, although another file is served"
code 0 impound release

# A server that read the file into memory of its own: the files are cleared, and the last words say why no more.
scene copied; host copy copied copied/model/model.safetensors; describe copied
code 1 impound deployment check copied/d.toml
says "no process maps"
code 0 run --deployment copied/d.toml
equal "$(findings R004)" "cleared (files only)|info|The files of the model are those of the baseline; what is served was not tied to them"
ends_with "cleared (files only)"
ends_with "no process maps"
code 0 impound release

# No baseline named: nothing was compared, which is said last, and exit 3.
sed '/^baseline/d' copied/d.toml >copied/bare.toml
code 3 run --deployment copied/bare.toml
ends_with "incomplete"
says "the weights were not compared"
equal "$(findings R005)" ""
code 0 impound release

# A baseline that describes no weights compares nothing either.
mkdir papers; echo hello >papers/README.md
code 0 impound baseline create papers --name papers -o papers.json
code 3 run --deployment copied/d.toml -p "baseline=$work/papers.json"
ends_with "incomplete"
says "describes no weights"
equal "$(findings R006)" ""
code 0 impound release

# A baseline that is no baseline is named before anything is done: nothing is written, nobody contained.
before=$(entries)
echo '{"a": 1}' >notes.json
for wrong in notes.json papers copied/logs missing.json; do
  code 2 run --deployment copied/d.toml -p "baseline=$work/$wrong"
  says "$wrong is no baseline"
  sed "s|base.json|../$wrong|" copied/d.toml >copied/wrong.toml
  code 2 run --deployment copied/wrong.toml
  says "$wrong is no baseline"
  code 3 impound deployment check copied/wrong.toml
  says "$wrong is no baseline"
  code 2 impound playbook plan weights-tampering --deployment copied/wrong.toml
  says "$wrong is no baseline"
done
# One whose signature does not verify is worse than none.
sed 's/"small"/"smell"/' copied/base.json >copied/broken.json
cmp -s copied/base.json copied/broken.json && fail "nothing was broken"
sed 's|base.json|broken.json|' copied/d.toml >copied/broken.toml
code 4 run --deployment copied/broken.toml
says "does NOT verify"
code 3 impound deployment check copied/broken.toml
says "does NOT verify"
equal "$(entries)" "$before"
curl -s --max-time 2 "http://127.0.0.1:$port/" >/dev/null || fail "contained, although the baseline was refused"
# One that nobody signed is said to be so.
python3 - <<'PY'
import json
d = json.load(open("copied/base.json"))
d.pop("signature")
json.dump(d, open("copied/unsigned.json", "w"))
PY
sed 's|base.json|unsigned.json|' copied/d.toml >copied/unsigned.toml
code 1 impound deployment check copied/unsigned.toml
says "is NOT signed"
code 0 run --deployment copied/unsigned.toml
says "is NOT signed"
code 0 impound release
code 0 impound custody verify
