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

# One item of an exhibit is a side, too.
item=$(impound exhibit show E001 --json | python3 -c 'import json,sys; print(["E001/%d" % i["item"] for i in json.load(sys.stdin)["item_list"] if i["name"].endswith("model.safetensors")][0])')
code 0 impound diff d/model/model.safetensors "$item" --json
json 'len(d["files"]) == 1 and d["tensors_identical"]'
code 0 impound scan "$item" --json
json 'len(d["files"]) == 1'
code 2 impound scan E001/999
says "has no item 999"
code 3 impound scan no-such-file
says "cannot read no-such-file: no such file or folder"
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

# A GGUF file is a model like any other: in a baseline, against safetensors.
python3 - <<'PY'
import os, struct
def text(value):
    return struct.pack("<Q", len(value)) + value.encode()
def gguf(path, tensors, template):
    entries = [text("general.architecture") + struct.pack("<I", 8) + text("llama"),
               text("tokenizer.chat_template") + struct.pack("<I", 8) + text(template)]
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(entries)) + b"".join(entries)
    data = b""
    for name, rows, columns, part in tensors:
        head += text(name) + struct.pack("<IQQIQ", 2, columns, rows, 0, len(data))
        data += part + b"\0" * (-len(part) % 32)
    head += b"\0" * (-len(head) % 32)
    with open(path, "wb") as f:
        f.write(head + data)
with open("good/model.safetensors", "rb") as f:
    size = struct.unpack("<Q", f.read(8))[0]
    f.seek(8 + size)
    parts = [f.read(64 * 96 * 4) for _ in range(3)]
for folder, last, template in (("gguf", parts[2], "{{ m }}\n{{ n }}"),
                               ("gguf2", parts[2][:-4] + b"\0\0\0\0", "{{ m }}\n{{ x }}")):
    os.mkdir(folder)
    gguf(folder + "/m.gguf",
         [("blk.%d.ffn_down.weight" % i, 64, 96, p)
          for i, p in enumerate(parts[:2] + [last])], template)
PY
code 1 impound diff good gguf --json
json 'd["tensors_identical"] is True and len(d["tensors"]) == 3'
json 'd["tensors"][0]["from"] == "model.layers.0.mlp.down_proj.weight"'
code 1 impound diff bad gguf --json
json '[t["label"] for t in d["tensors"]] == ["identical", "rank-one", "identical"]'
code 0 impound baseline create gguf --name small-gguf -o gguf.json
code 0 impound baseline verify gguf.json gguf
code 1 impound baseline verify gguf.json gguf2
code 1 impound diff gguf.json gguf2 --json
json '[t["status"] for t in d["tensors"]] == ["identical", "identical", "changed"]'
json '"unified" in d["metadata"][0]["content"]'
# Names map against a baseline too: digests are all that is needed.
code 0 impound baseline create good --name good -o good.json
code 1 impound diff good.json gguf --json
json 'd["tensors_identical"] is True'
code 1 impound diff gguf gguf2
says "tokenizer.chat_template"
says "+{{ x }}"
