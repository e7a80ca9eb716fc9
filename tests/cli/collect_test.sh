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

# "The hash of a slice is nowhere taken for that of the file": exhibit show, the
# log of the chain and the view say what it is a slice of, and the whole hash.
database() { sqlite3 "$IMPOUND_HOME/IR-1/case.db" "$1"; }
whole=$(sha256sum d/logs/a.jsonl | cut -c1-64)
code 0 impound exhibit show "$last"
says "log-slices$work/d/logs/a.jsonl"
says "slice of $work/d/logs/a.jsonl"
says "$whole"
code 0 impound custody log
says "slice of $work/d/logs/a.jsonl"
equal "$(database "SELECT path FROM items WHERE id='$last/$number'")" "slice of $work/d/logs/a.jsonl"
equal "$(database "SELECT kind FROM items WHERE id='$last/$number'")" "prompt-log slice"
equal "$(database "SELECT count(*) FROM items WHERE sha256='$whole' AND id LIKE '$last/%'")" 0
equal "$(database "SELECT json_extract(line,'\$.detail.source_sha256') FROM custody WHERE json_extract(line,'\$.item')='$last/$number'")" "$whole"
code 0 impound exhibit cat "$last/$number"
equal "$(database "SELECT sha256 FROM items WHERE id='$last/$number'")" "$(sha256sum <out | cut -c1-64)"

# The rotated set belongs to the log; what a window cannot be applied to is
# taken whole and is not plain ok.
gzip -c d/logs/a.jsonl >d/logs/a.jsonl.2.gz
cp d/logs/a.jsonl d/logs/a.jsonl.1
code 0 impound collect prompt-log --deployment d/d.toml -p since=2026-11-05T00:00:00Z
last=$(impound exhibit list --json | python3 -c 'import json,sys; print(json.load(sys.stdin)[-1]["exhibit"])')
equal "$(database "SELECT group_concat(name || ' ' || outcome, ' ') FROM (SELECT replace(name,'$work/d/','') AS name, outcome FROM items WHERE id LIKE '$last/%' ORDER BY name)")" \
  "log-sliceslogs/a.jsonl ok log-sliceslogs/a.jsonl.1 ok logslogs/a.jsonl.2.gz incomplete"
code 0 impound exhibit show "$last"
says "the time window was not applied: compressed; taken whole"
equal "$(database "SELECT kind || ' ' || outcome FROM gaps WHERE subject LIKE '%a.jsonl.2.gz'")" "incomplete incomplete"
code 1 impound custody gaps
says "the time window was not applied: compressed; taken whole"
code 0 impound exhibit verify "$last"
sed -i 's/timestamp = "ts"/timestamp = "ts"\nrotated = false/' d/d.toml
code 0 impound collect prompt-log --deployment d/d.toml
last=$(impound exhibit list --json | python3 -c 'import json,sys; print(json.load(sys.stdin)[-1]["exhibit"])')
equal "$(database "SELECT count(*) FROM items WHERE id LIKE '$last/%'")" 1
impound deployment check d/d.toml >out 2>err
says "2 files beside it are taken by no [[logs]] entry"
rm d/logs/a.jsonl.*

# Byte-identical payload whatever the number of cores.
code 0 impound collect model-files --deployment d/d.toml --threads 1
code 0 impound collect model-files --deployment d/d.toml --threads 3
one=$(sqlite3 "$IMPOUND_HOME/IR-1/case.db" "SELECT count(DISTINCT manifest_sha256) FROM (SELECT manifest_sha256 FROM exhibits WHERE title LIKE 'model-files of small' ORDER BY begin_seq DESC LIMIT 2)")
equal "$one" 1
code 0 impound custody verify
