# SPDX-License-Identifier: Apache-2.0
# Evidence by hand: what lies there is taken, what is not there is a gap.
. "$(dirname "$0")/harness.sh"

examiner; new_case
deployment d
touch -d '2026-01-02 03:04:05.123456789 UTC' d/model/config.json
ln -s /etc/passwd d/model/link-out
printf 'odd' >"d/model/$(printf 'new\nline')"
printf 'latin' >"d/model/$(printf 'caf\351')"
printf 'long' >"d/model/$(printf 'n%.0s' $(seq 255))"
mkfifo d/model/pipe
truncate -s 20M d/model/sparse.bin
: >d/model/empty

code 0 impound collect model-files prompt-log --deployment d/d.toml --json
tail -n 1 "$work/out" >last.json; cp last.json "$work/out"
json 'd["event"] == "exhibit" and d["exhibit"] == "E001"'
code 0 impound exhibit verify E001 --json
json 'd["ok"] and d["items"]["damaged"] == [] and len(d["items"]["whole"]) >= 6'
code 0 impound exhibit show E001 --json
json 'any(g["subject"].endswith("pipe") for g in d["gap_list"]) or any(i["name"].endswith("pipe") for i in d["item_list"])'
code 1 impound custody gaps
says "pipe"

# One item, by seeking; a working copy, with times.
item=$(python3 -c 'import json,sys; print(next(i["item"] for i in json.load(open(sys.argv[1]))["item_list"] if i["name"].endswith("model.safetensors")))' <(impound exhibit show E001 --json))
code 0 impound exhibit cat "E001/$item"
cmp "$work/out" d/model/model.safetensors || fail "cat gives other bytes"
code 0 impound exhibit extract E001 --out copy
cmp "$(find copy -name model.safetensors)" d/model/model.safetensors || fail "extract gives other bytes"
equal "$(stat -c %.Y "$(find copy -name config.json)")" "$(stat -c %.Y d/model/config.json)"
equal "$(stat -c %s "$(find copy -name sparse.bin)")" 20971520
code 2 impound exhibit cat E001/99999
code 2 impound exhibit show E009
code 2 impound collect no-such --deployment d/d.toml
says "model-files"
code 2 impound collect model-files --deployment d/d.toml -p nonsense=1
code 3 impound collect model-files --deployment missing.toml

# A model that is not there is a gap in an exhibit, and a failure.
sed 's/path = "model"/path = "gone"/' d/d.toml >d/gone.toml
code 3 impound collect model-files --deployment d/gone.toml
code 1 impound custody gaps
says "gone"

# Logs within a window: only those records, with offsets into the source.
code 0 impound collect prompt-log --deployment d/d.toml -p since=2026-11-05T00:00:00Z -p until=2026-11-06T00:00:00Z
last=$(impound exhibit list --json | python3 -c 'import json,sys; print(json.load(sys.stdin)[-1]["exhibit"])')
code 0 impound exhibit show "$last" --json
json 'any(i.get("ranges") for i in d["item_list"])'
number=$(python3 -c 'import json,sys; print(next(i["item"] for i in json.load(open(sys.argv[1]))["item_list"] if i.get("ranges")))' "$work/out")
code 0 impound exhibit cat "$last/$number"
equal "$(sort -u "$work/out" | grep -vc 2026-11-05)" 0
equal "$(wc -l <"$work/out")" 50

# Byte-identical payload whatever the number of cores.
code 0 impound collect model-files --deployment d/d.toml --threads 1
code 0 impound collect model-files --deployment d/d.toml --threads 3
one=$(sqlite3 "$IMPOUND_HOME/IR-1/case.db" "SELECT count(DISTINCT manifest_sha256) FROM (SELECT manifest_sha256 FROM exhibits WHERE title LIKE 'model-files of small' ORDER BY begin_seq DESC LIMIT 2)")
equal "$one" 1
code 0 impound custody verify
