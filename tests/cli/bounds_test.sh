# SPDX-License-Identifier: Apache-2.0
# "What somebody wrote into a size costs nothing": sparse files are taken and
# counted by their data, a small file that unpacks to much is not read to its
# end, and a long chain is printed in the memory of a short one.
. "$(dirname "$0")/harness.sh"

# within KIB COMMAND…: as code 0, and peaks below that; sets $peak.
within() {
  local most=$1
  shift
  peak=$(python3 - "$@" <<'PY'
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=open("out", "wb"), stderr=open("err", "wb"))
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss if done.returncode == 0 else -done.returncode - 1)
PY
)
  [ "$peak" -gt 0 ] || { cat err; fail "does not end 0: $*"; }
  [ "$peak" -lt "$most" ] || fail "$* takes $peak KiB, expected less than $most"
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
open("honest.zip", "wb").write(packed([("w%d.bin" % i, os.urandom(1 << 20) + bytes(8 << 20)) for i in range(4)]))
PY
[ "$(stat -c %s nested.zip)" -lt 20000 ] || fail "the trap is not small"
got=0
python3 - "$IMPOUND" <<'PY' || fail "the trap takes too long"
import resource, subprocess, sys
done = subprocess.run([sys.argv[1], "scan", "nested.zip"], stdout=open("out", "wb"), stderr=subprocess.STDOUT)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print("nested zip: exit %d, %.1f s of processor, %d KiB" % (done.returncode, used.ru_utime, used.ru_maxrss))
sys.exit(done.returncode == 0 or used.ru_utime > 10 or used.ru_maxrss > 1 << 20)
PY
says "not read to its end"
says "unpacks to more than"
code 0 impound scan honest.zip
grep -q "not read to its end" "$work/out" && fail "an honest archive is cut"

# Many files: each is an item and an entry, and none is held as a draft.
new_case IR-2
python3 -c '
import os
for i in range(20000):
    if i % 1000 == 0: os.makedirs("d/model/%d" % (i // 1000))
    open("d/model/%d/f%d" % (i // 1000, i), "w").write(str(i))'
within 195000 "$IMPOUND" collect model-files --deployment d/d.toml --case IR-2 --threads 1
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
within 150000 "$IMPOUND" custody log --case IR-1
grep -c "  note  " out >count
[ "$(cat count)" -ge 100000 ] || fail "only $(cat count) of the entries are printed"
equal "$(awk '{print index($0, "  note  ")}' out | sort -un | tr '\n' ' ' | wc -w)" 2
log=$peak
within 150000 "$IMPOUND" custody log --case IR-1 --json
json 'len(d) > 100000 and d[-1]["detail"]["text"] == "x" * 200'
echo "custody log of 100 000 entries: $log KiB, as JSON $peak KiB"
