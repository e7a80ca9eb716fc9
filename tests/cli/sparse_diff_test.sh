# SPDX-License-Identifier: Apache-2.0
# A hole costs its maker nothing, and a comparison no more: files of terabytes
# are compared by their data and the places of it. Were the holes read, each
# command below would take hours.
. "$(dirname "$0")/harness.sh"

size=15T
truncate -s $size probe 2>/dev/null || size=1T
rm -f probe
mkdir a b
# data FILE PLACE TEXT
data() { printf '%s' "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none || fail "cannot write $1"; }
for side in a b; do
  truncate -s $size $side/same.bin $side/moved.bin $side/hole.bin || skip "the file system has no sparse files of $size"
  data $side/same.bin 700000000000 "some data"
done
[ "$(du -s --block-size=1M a | cut -f1)" -lt 100 ] || skip "the file system has no sparse files"
data a/moved.bin 700000000000 "some data"
data b/moved.bin 700000004096 "some data"

code 0 impound diff a/same.bin b/same.bin
says "identical"
code 0 impound diff a/hole.bin b/hole.bin
code 1 impound diff a b --json
json '{f["path"]: f["status"] for f in d["files"]} == {"hole.bin": "identical", "moved.bin": "changed", "same.bin": "identical"}'
json 'not any("sha256_after" in f for f in d["files"]) and all("folded_sha256_after" in f for f in d["files"])'
json '[p["rule"] for p in d["before"]["problems"]] == ["holes-not-hashed"] * 3'

# One size more, and nothing but its size.
truncate -s -1 b/hole.bin
code 1 impound diff a/hole.bin b/hole.bin

# Tensors in such a file: 400 GB of zeros, and one bit.
weights() {
  python3 - "$1" "$2" <<'PY'
import json, struct, sys
n = 400_000_000_000 // 4096 * 1024
header = json.dumps({"big": {"dtype": "F32", "shape": [n // 1024, 1024], "data_offsets": [0, 4 * n]},
                     "small": {"dtype": "F32", "shape": [4], "data_offsets": [4 * n, 4 * n + 16]}}).encode()
header += b" " * (-len(header) % 8)
with open(sys.argv[1], "wb") as out:
    out.write(struct.pack("<Q", len(header)) + header)
    begin = out.tell()
    out.seek(begin + 300_000_000_000)
    out.write(struct.pack("<4f", 1, 2, float(sys.argv[2]), 4))
    out.seek(begin + 4 * n)
    out.write(b"0123456789abcdef")
PY
}
weights one.safetensors 1.0
weights two.safetensors 1.0
weights flipped.safetensors 1.00000011920928955078125
code 0 impound diff one.safetensors two.safetensors --json
json '{t["name"]: t["status"] for t in d["tensors"]} == {"big": "identical", "small": "identical"}'
json '["sha256_after" in t for t in d["tensors"]] == [False, True]'
code 1 impound diff one.safetensors flipped.safetensors --json
json '{t["name"]: (t["status"], t["stats"]["changed"] if "stats" in t else 0) for t in d["tensors"]} == {"big": ("changed", 1), "small": ("identical", 0)}'

# A baseline has a digest of every byte. Of a file that became all hole, the
# size is compared, and what could not be is not called the same.
examiner
mkdir model
printf 'known good' >model/weights.bin
code 0 impound baseline create model --name good --out good.json
truncate -s $size model/weights.bin
code 1 impound diff good.json model --json
json '[(f["path"], f["status"]) for f in d["files"]] == [("weights.bin", "changed")] and "sha256_after" not in d["files"][0]'
