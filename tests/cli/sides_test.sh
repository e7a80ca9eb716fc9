# SPDX-License-Identifier: Apache-2.0
# What a side is, and what of it is compared [I13]: sides are aligned by what
# they are, never by counting files; what was not compared is said to be so.
. "$(dirname "$0")/harness.sh"

examiner; new_case
deployment d

# --- a folder that holds one file which is no known model, untouched
mkdir one
head -c 5000 /dev/urandom >one/w.bin
code 0 impound baseline create one --name one -o one.json
code 0 impound collect model-files --deployment d/d.toml -p root="$PWD/one"   # E001
code 0 impound diff one.json E001 --json
json 'd["identical"] is True and d["scope"] == "whole"'
json '[(f["path"], f["status"]) for f in d["files"]] == [("w.bin", "identical")]'
code 0 impound diff one E001

# --- things of different kinds are no comparison
code 0 impound collect prompt-log --deployment d/d.toml                        # E002
code 2 impound diff one.json E002
says "one.json (a baseline of a model)"
says "E002 (an exhibit of prompt logs)"
says "different kinds"
log=$(impound exhibit show E002 --json | python3 -c 'import json,sys; print(["E002/%d" % i["item"] for i in json.load(sys.stdin)["item_list"] if i["name"].endswith(".jsonl")][0])')
code 2 impound diff one.json "$log"
says "(one item of an exhibit of prompt logs)"
mkdir data
for i in $(seq 50); do echo "{\"text\": \"row $i\", \"label\": \"x\"}"; done >data/rows.jsonl
code 2 impound diff one.json data
says "data (a folder of training data)"
code 0 impound baseline create data --name data -o data.json
code 2 impound diff data.json d/model
code 2 impound diff data.json one.json
code 2 impound diff one.json "E001/1"
says "records of a host or of processes"
# A copy of the logs is rows as they are.
code 0 impound diff d/logs E002

# Rows of one shard of two are not a dataset that lost the other.
cp data/rows.jsonl data/more.jsonl
code 2 impound diff data data/rows.jsonl
says "rows of the others were not compared"

# --- one item of an exhibit against a baseline of many files
cp -r d/model many
python3 - <<'PY'
import json, struct
header = json.dumps({"c.weight": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()
open("many/second.safetensors", "wb").write(struct.pack("<Q", len(header)) + header + bytes(range(16)))
PY
code 0 impound baseline create many --name many -o many.json
code 0 impound collect model-files --deployment d/d.toml -p root="$PWD/many"   # E003
item_of() { impound exhibit show "$1" --json | python3 -c 'import json,sys; print([sys.argv[1] + "/%d" % i["item"] for i in json.load(sys.stdin)["item_list"] if i["name"].endswith(sys.argv[2])][0])' "$1" "$2"; }
item=$(item_of E003 model/second.safetensors)
# What was not compared is not known to be the same: incomplete, not clean.
code 3 impound diff many.json "$item" --json
json 'd["identical"] is True and d["scope"] == "part" and d["aligned_by"] == "the same bytes"'
json 'd["compared"]["files"] == 1 and d["compared"]["files_total"] == 3'
json 'sorted(f["status"] for f in d["files"]) == ["identical", "not_compared", "not_compared"]'
json 'sorted(t["status"] for t in d["tensors"]) == ["identical", "not_compared", "not_compared"]'
code 3 impound diff many.json "$item"
says "compared 1 of 3 files, 1 of 3 tensors"
says "What was compared is identical."
if grep -q "two sides are identical" "$work/out"; then fail "says that all of it is identical"; fi
code 3 impound diff many many/second.safetensors
code 3 impound diff many/second.safetensors many
code 0 impound diff one one/w.bin
code 0 impound custody log --json
says '1 of 3 files, 1 of 3 tensors'

# A file with a name that says nothing, as a process had it open, edited.
python3 - <<'PY'
data = bytearray(open("many/model.safetensors", "rb").read())
data[-5] ^= 0xff
open("fd-3", "wb").write(data)
PY
code 1 impound diff many.json fd-3 --json
json '{f["path"]: f["status"] for f in d["files"]} == {"fd-3": "changed", "config.json": "not_compared", "second.safetensors": "not_compared"}'
json '{t["name"]: t["status"] for t in d["tensors"]} == {"a.weight": "identical", "b.weight": "changed", "c.weight": "not_compared"}'
json 'd["model"]["label"] == "unknown" and d["model"]["numbers"]["tensors_changed"] == 1'
# With the bytes of the good side, the kind of change is known, with numbers.
code 1 impound diff many fd-3 --json
json 'd["model"]["label"] != "unknown" and d["model"]["numbers"]["tensors_removed"] == 0'
json 'd["model"]["numbers"]["elements_changed"] == 1'

# A process that holds a deleted file of the model.
cp one/w.bin held.bin
python3 -c '
import os, sys, time
f = open("held.bin", "rb"); os.unlink("held.bin"); open("ready", "w").close(); time.sleep(300)' &
holder=$!
children+=("$holder")
for _ in $(seq 100); do [ -e ready ] && break; sleep 0.1; done
code 0 impound collect process --deployment d/d.toml -p pid="$holder"          # E004
held=$(impound exhibit show E004 --json | python3 -c 'import json,sys; print(["E004/%d" % i["item"] for i in json.load(sys.stdin)["item_list"] if "/deleted/fd-" in i["name"]][0])')
code 0 impound diff one.json "$held" --json
json 'd["identical"] is True and d["scope"] == "part"'
record=$(item_of E004 tree.json)
code 2 impound diff one.json "$record"
says "records of a host or of processes"

# --- a file with an exhibit's name is not taken for the exhibit
mkdir shadow
(cd shadow && cp -r ../d/model E001
  code 2 impound diff ../one.json E001
  says "is an exhibit's name and a file here"
  code 1 impound diff ../one.json ./E001 --json
  code 2 impound scan E001
  says "is an exhibit's name and a file here"
  code 0 impound scan ./E001) || exit 1

# --- in a closed case the result is printed, and that it is not recorded
code 0 impound case close --reason done
before=$(sqlite3 "$IMPOUND_HOME/IR-1/case.db" "SELECT count(*) FROM custody")
code 3 impound diff many.json "$item"
says "What was compared is identical."
says "NOT RECORDED in case IR-1: the case is closed since"
code 1 impound diff one.json E003 --json
json 'd["recorded"] is False and "closed" in d["not_recorded"] and d["identical"] is False'
equal "$(sqlite3 "$IMPOUND_HOME/IR-1/case.db" "SELECT count(*) FROM custody")" "$before"

# --- a record that cannot be written loses no result
new_case IR-2
export IMPOUND_CASE=IR-2
python3 - <<'PY'
import json, os, struct
for folder, byte in (("wide", 0), ("wider", 1)):
    os.mkdir(folder)
    count = 3000
    header = json.dumps({"a.tensor.with.a.rather.long.name.%05d" % i: {"dtype": "U8", "shape": [1], "data_offsets": [i, i + 1]}
                         for i in range(count)}).encode()
    open(folder + "/model.safetensors", "wb").write(struct.pack("<Q", len(header)) + header + bytes([byte]) * count)
PY
code 0 impound collect model-files --deployment d/d.toml -p root="$PWD/wider"  # E001
got=0
(trap '' XFSZ; ulimit -f 80; exec "$IMPOUND" diff wide E001 --json) 2>"$work/err" | cat >"$work/out" || got=$?
equal "$got" 1
json 'd["recorded"] is False and len(d["tensors"]) == 3000 and d["identical"] is False'
code 0 impound custody verify
