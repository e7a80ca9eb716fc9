# SPDX-License-Identifier: Apache-2.0
# What changed: any two of exhibit, folder, file, baseline.
. "$(dirname "$0")/harness.sh"

examiner; new_case
deployment d
code 0 impound baseline create d/model --name small -o small.json
code 2 impound baseline create d/model --name small -o small.json
says "is not replaced"
code 0 impound baseline verify small.json d/model
code 0 impound collect model-files --deployment d/d.toml
code 0 impound diff E001 small.json --json
json 'd["identical"] is True'
code 0 impound diff d/model small.json

cp -r d/model changed
python3 - <<'PY'
with open("changed/model.safetensors", "r+b") as f:
    f.seek(-10, 2); f.write(b"\xff")
PY
mv changed/config.json changed/settings.json
echo new >changed/extra.py
code 1 impound diff d/model changed --json
json '[t["name"] for t in d["tensors"] if t["status"] == "changed"] == ["b.weight"]'
json '{f["path"]: f["status"] for f in d["files"]}["extra.py"] == "added"'
json '{f["path"]: f["status"] for f in d["files"]}["settings.json"] == "renamed"'
code 1 impound diff E001 changed
says "b.weight"
code 1 impound diff changed small.json --json
json '{f["path"]: f["status"] for f in d["files"]}["extra.py"] == "added"'
code 1 impound baseline verify small.json changed

# What kind of change it is, with the evidence for it.
python3 - <<'PY'
import json, random, struct
random.seed(1)
rows, columns = 64, 96
w = [random.gauss(0, 0.02) for _ in range(rows * columns)]
u = [random.gauss(0, 0.02) for _ in range(rows)]
v = [random.gauss(0, 1) for _ in range(columns)]
edit = [w[i * columns + j] + u[i] * v[j] for i in range(rows) for j in range(columns)]
names = ["model.layers.%d.mlp.down_proj.weight" % i for i in range(3)]
def write(path, tensors):
    data = [struct.pack("<%df" % len(t), *t) for t in tensors]
    header = {n: {"dtype": "F32", "shape": [rows, columns],
                  "data_offsets": [i * 4 * len(w), (i + 1) * 4 * len(w)]}
              for i, n in enumerate(names)}
    head = json.dumps(header).encode()
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(head)) + head + b"".join(data))
import os
for folder, tensors, temperature in (("good", [w, w, w], 1), ("bad", [w, edit, w], 2)):
    os.mkdir(folder)
    write(folder + "/model.safetensors", tensors)
    with open(folder + "/config.json", "w") as f:
        json.dump({"temperature": temperature}, f)
PY
code 1 impound diff good bad --json --save edit --svg edit.svg
json 'd["model"]["label"] == "rome-like"'
json '[t["label"] for t in d["tensors"]] == ["identical", "rank-one", "identical"]'
json 'd["files"][0]["content"]["json"] == [{"path": "/temperature", "before": 1, "after": 2}]'
[ "$(ls edit | wc -l)" = 3 ] || fail "vectors and values of the edit are not saved"
python3 -c 'import xml.dom.minidom; xml.dom.minidom.parse("edit.svg")' || fail "no XML"
code 1 impound diff good bad
says "ROME-like edit of one MLP down-projection"
says "/temperature: 1 → 2"

# Without a baseline there are weak signals, which change no exit code.
code 0 impound scan good --weak-signals --json
json 'd["weak_signals"] == []'
python3 - <<'PY'
import struct
with open("good/model.safetensors", "rb") as f:
    data = bytearray(f.read())
start = 8 + struct.unpack_from("<Q", data)[0]
elf = b"\x7fELF\x02\x01\x01" + bytes(57)
for i, byte in enumerate(elf):
    data[start + 4 * (100 + i)] = byte
import os
os.mkdir("planted")
with open("planted/model.safetensors", "wb") as f:
    f.write(data)
PY
code 0 impound scan planted --weak-signals --json
json '[(s["kind"], s["severity"], s["numbers"]["element"]) for s in d["weak_signals"]] == [("magic", "low", 100)]'
code 0 impound scan planted --weak-signals
says "not proof"
code 0 impound scan planted
if grep -q "not proof" "$work/out"; then fail "speaks of weak signals unasked"; fi

# A baseline that was edited says so.
sed 's/"small"/"smell"/' small.json >edited.json
code 4 impound baseline show edited.json
code 3 impound diff d/model no-such-thing
code 0 impound custody verify
