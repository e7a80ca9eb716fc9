# SPDX-License-Identifier: Apache-2.0
# "What somebody wrote into a size costs nothing": sparse files are taken and
# counted by their data, a small file that unpacks to much is not read to its
# end, and a long chain is printed in the memory of a short one.
. "$(dirname "$0")/harness.sh"

# within CODE KIB COMMAND…: ends with that code, and peaks below that; sets $peak.
within() {
  local want=$1 most=$2
  shift 2
  peak=$(python3 - "$want" "$@" <<'PY'
import resource, subprocess, sys
done = subprocess.run(sys.argv[2:], stdout=open("out", "wb"), stderr=open("err", "wb"))
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss if done.returncode == int(sys.argv[1]) else 0)
PY
)
  [ "$peak" -gt 0 ] || { cat err; fail "does not end with $want: $*"; }
  [ "$peak" -lt "$most" ] || fail "$* takes $peak KiB, expected less than $most"
}

# limited CODE MIB SECONDS COMMAND…: ends with that code though its address space
# is that and no more, and it would be killed after so many processor seconds.
limited() {
  local want=$1 got
  got=$(python3 - "$2" "$3" "${@:4}" <<'PY'
import resource, subprocess, sys
def limit():
    memory, seconds = int(sys.argv[1]) << 20, int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
done = subprocess.run(sys.argv[3:], preexec_fn=limit, stdout=open("out", "wb"), stderr=open("err", "wb"))
print(done.returncode)
PY
)
  [ "$got" = "$want" ] || { head -n 20 out err; fail "exit $got, expected $want, within $2 MiB and $3 s: ${*:4}"; }
}

examiner; new_case
deployment d

# A file of a terabyte without a block does not deny the model.
truncate -s 1T d/model/hole.bin
truncate -s 1T d/model/data.bin
printf 'here' | dd of=d/model/data.bin bs=1 seek=500000000000 conv=notrunc status=none
truncate -s 1M d/model/small.bin
impound deployment check d/d.toml --json >out
json '[c["level"] for c in d["checks"] if c["subject"] == "free space"] == ["ok"]'
code 0 impound collect model-files --deployment d/d.toml --json
code 0 impound exhibit show E001 --json
json 'd["outcome"] == "partial" and d["size"] < 1000000'
json '{i["name"].split("/")[-1]: i["outcome"] for i in d["item_list"] if i["name"].endswith(".bin")} == {"data.bin": "incomplete", "hole.bin": "incomplete", "small.bin": "ok"}'
json '[i["notes"]["sparse"]["size"] for i in d["item_list"] if "sparse" in i.get("notes", {})] == [2**40, 2**40]'
json 'all(len(i["ranges"]) == 1 and i["size_stored"] <= 8192 for i in d["item_list"] if "sparse" in i.get("notes", {}))'
code 0 impound exhibit show E001
says "a sparse file of 1.10 TB: 0 B are data and stored, the rest is holes, which read as zeros and are not"
says "the whole file was not hashed"
code 0 impound exhibit verify E001
number=$(impound exhibit show E001 --json | python3 -c 'import json, sys; print([i["item"] for i in json.load(sys.stdin)["item_list"] if i["name"].endswith("data.bin")][0])')
impound exhibit cat "E001/$number" | tr -d '\0' | grep -qx here || fail "the data of the sparse file are not in the exhibit"
rm d/model/hole.bin d/model/data.bin d/model/small.bin

# Zips in zips: a few kilobytes that unpack to hundreds of gigabytes.
python3 - <<'PY'
import io, zipfile
def packed(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return out.getvalue()
content = packed([("x", bytes(10 << 20))])
for _ in range(4):
    content = packed([("%d.zip" % i, content) for i in range(16)])
open("nested.zip", "wb").write(content)
# Members that are stored, and of an archive that shrinks as models do.
import os
open("honest.zip", "wb").write(packed([("w%d.dat" % i, os.urandom(1 << 20) + bytes(8 << 20)) for i in range(4)]))
PY
[ "$(stat -c %s nested.zip)" -lt 20000 ] || fail "the trap is not small"
# Unpacked to its end, it takes an hour of processor.
limited 1 512 60 "$IMPOUND" scan nested.zip
says "not read to its end"
says "unpacks to more than"
code 0 impound scan honest.zip
grep -q "not read to its end" "$work/out" && fail "an honest archive is cut"

# Several gzip streams, the first one small: what follows is not kept whole.
python3 - <<'PY'
import gzip, io
def zeros(count):
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=9, mtime=0) as packer:
        for _ in range(count):
            packer.write(bytes(1 << 20))
    return out.getvalue()
open("streams.gz", "wb").write(zeros(1) + zeros(1200))
open("honest.gz", "wb").write(zeros(1) + zeros(60) + gzip.compress(b"the end"))
PY
limited 1 512 60 "$IMPOUND" scan streams.gz
says "unpacks to more than"
code 0 impound scan honest.gz
grep -q "not read to its end" "$work/out" && fail "an honest gzip is cut"

# Hundreds of thousands of tensors: what is shown of them is counts, or a list
# that is printed tensor by tensor.
python3 - <<'PY'
import json, struct
count = 200_000
header = {"model.layers.%d.self_attn.q_proj.weight" % i: {"dtype": "F32", "shape": [4], "data_offsets": [16 * i, 16 * i + 16]}
          for i in range(count)}
text = json.dumps(header, separators=(",", ":")).encode()
text += b" " * (-len(text) % 8)
for name, step in (("one", 0), ("two", 7)):
    with open(name + ".safetensors", "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for i in range(count):
            out.write(struct.pack("<4f", i, 1, 2, 3.5 if step and i % step == 0 else 3))
PY
# What is held, not what is reserved: a thread more reserves 64 MiB.
within 0 560000 "$IMPOUND" diff one.safetensors one.safetensors
says "200000 identical"
within 1 560000 "$IMPOUND" diff one.safetensors two.safetensors --json
json 'len(d["tensors"]) == 200000 and sum(t["status"] == "changed" for t in d["tensors"]) == 28572'
json 'd["model"]["numbers"]["tensors_changed"] == 28572'
rm one.safetensors two.safetensors

# Many files: each is an item and an entry, and none is held as a draft.
new_case IR-2
python3 -c '
import os
for i in range(20000):
    if i % 1000 == 0: os.makedirs("d/model/%d" % (i // 1000))
    open("d/model/%d/f%d" % (i // 1000, i), "w").write(str(i))'
within 0 195000 "$IMPOUND" collect model-files --deployment d/d.toml --case IR-2 --threads 1
echo "collect of 20 000 files: $peak KiB"
rm -r d/model/[0-9]*

# The chain of a long case.
python3 - "$IMPOUND_HOME/IR-1/case.db" <<'PY'
import json, sqlite3, sys
db = sqlite3.connect(sys.argv[1])
line = json.loads(db.execute("SELECT line FROM custody ORDER BY seq DESC LIMIT 1").fetchone()[0])
first = line["seq"] + 1
line["action"], line["detail"] = "note", {"text": "x" * 200}
def rows():
    for seq in range(first, first + 100000):
        line["seq"] = seq
        yield seq, json.dumps(line, separators=(",", ":")), "AAAA"
db.executemany("INSERT INTO custody(seq, line, signature) VALUES (?, ?, ?)", rows())
db.commit()
PY
within 0 150000 "$IMPOUND" custody log --case IR-1
grep -c "  note  " out >count
[ "$(cat count)" -ge 100000 ] || fail "only $(cat count) of the entries are printed"
equal "$(awk '{print index($0, "  note  ")}' out | sort -un | tr '\n' ' ' | wc -w)" 2
log=$peak
within 0 150000 "$IMPOUND" custody log --case IR-1 --json
json 'len(d) > 100000 and d[-1]["detail"]["text"] == "x" * 200'
echo "custody log of 100 000 entries: $log KiB, as JSON $peak KiB"
